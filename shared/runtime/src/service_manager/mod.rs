//! What systemd, or who speaks its protocol, is told of this process over `NOTIFY_SOCKET`: that it
//! serves, what it does, that it stops, and, where `WatchdogSec` asks for it, that its loop turns
//! (<https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html>).

mod told;

use std::time::Duration;

use gentoo_updater_bus::{Health, Pulse};
use sd_notify::NotifyState;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use told::{Message, Told};

/// How often the loop is asked where nobody wants to know more often.
const INTERVAL: Duration = Duration::from_secs(10);
/// How often the loop is asked in the time within which a watchdog wants to hear of it.
const QUESTIONS: u32 = 4;
/// How much more time a start is given each time, in intervals.
const MORE_TIME: u32 = 3;

/// The service manager, if one has started this process and wants to hear of it.
#[derive(Debug, Clone, Copy)]
pub struct ServiceManager {
    listens: bool,
    interval: Duration,
}

impl ServiceManager {
    /// As the environment says: `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`.
    pub fn of_environment() -> Self {
        let watchdog = sd_notify::watchdog_enabled().map(|within| within / QUESTIONS);
        Self {
            listens: std::env::var_os("NOTIFY_SOCKET").is_some(),
            interval: watchdog
                .unwrap_or(INTERVAL)
                .clamp(Duration::from_millis(1), INTERVAL),
        }
    }

    /// Says what is done before there is a loop.
    pub fn say_status(self, status: &str) {
        self.send(&[Message::Status(status.to_owned())]);
    }

    /// Asks the loop of `pulse` from here on whether it turns, and tells the manager: ready when it
    /// has come round first, alive as often as it answers, and stopping when `stop` is or the value
    /// is dropped. While the bus says why nothing goes through, a loop that waits for it counts as
    /// alive.
    pub fn watch(
        self,
        pulse: Pulse,
        mut health: watch::Receiver<Health>,
        stop: CancellationToken,
    ) -> Watching {
        // From here on no turn is missed.
        let mut turns = pulse.turns();
        let watching = async move {
            let mut questions = interval(self.interval);
            questions.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut told = Told::new(health.borrow_and_update().clone());
            loop {
                let messages = tokio::select! {
                    biased;
                    () = stop.cancelled() => {
                        self.send(&Told::stops());
                        return;
                    }
                    Ok(()) = turns.changed() => told.turned(*turns.borrow_and_update()),
                    // A bus that is gone has no more to say.
                    Ok(()) = health.changed() => told.bus(health.borrow_and_update().clone()),
                    _ = questions.tick() => {
                        pulse.ask();
                        told.asks()
                    }
                };
                self.send(&messages);
            }
        };
        Watching {
            manager: self,
            _task: self
                .listens
                .then(|| AbortOnDropHandle::new(tokio::spawn(watching))),
        }
    }

    fn send(self, messages: &[Message]) {
        if !self.listens || messages.is_empty() {
            return;
        }
        let more_time = (self.interval * MORE_TIME).as_micros();
        let more_time = u32::try_from(more_time).unwrap_or(u32::MAX);
        let states = messages.iter().map(|message| match message {
            Message::Ready => NotifyState::Ready,
            Message::Alive => NotifyState::Watchdog,
            Message::StillStarts => NotifyState::ExtendTimeoutUsec(more_time),
            Message::Stopping => NotifyState::Stopping,
            Message::Status(status) => NotifyState::Status(status),
        });
        let states: Vec<_> = states.collect();
        if let Err(error) = sd_notify::notify(&states) {
            tracing::warn!(%error, "the service manager cannot be told (NOTIFY_SOCKET)");
        }
    }
}

/// A loop that is watched.
#[must_use = "the manager is told no more when this is dropped"]
#[derive(Debug)]
pub struct Watching {
    manager: ServiceManager,
    _task: Option<AbortOnDropHandle<()>>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        // A process that has nothing left to do may end before its task comes to say so.
        self.manager.send(&Told::stops());
    }
}
