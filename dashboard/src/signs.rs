//! Who gives signs of life.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use gentoo_updater_bus::{Bus, BusError};
use gentoo_updater_fleet::inspect::Signs;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::http::Shared;

/// After how many heartbeats without a sign a worker counts as silent, at least.
const MISSED: u32 = 3;
/// The pause before signs are listened to again, when that broke off.
const PAUSE: Duration = Duration::from_secs(5);
/// How often it is looked whether the process is there in which all workers run.
const LOOK: Duration = Duration::from_secs(2);

/// Keeps up who lives.
pub(crate) async fn listen(shared: Arc<Shared>, bus: Arc<dyn Bus>) {
    if shared.settings.broker.is_none() {
        let mut looks = interval(LOOK);
        loop {
            looks.tick().await;
            if let Some(alive) = shared.operations.process(&shared.view).await {
                set(&shared.signs, Signs::Process(alive));
            }
        }
    }
    let lasts = shared.settings.policy.heartbeat * MISSED;
    keep_up(&shared.signs, bus.as_ref(), lasts).await;
}

/// Tells who gives signs of life, until the bus is closed. A worker counts as silent after `lasts` without one,
/// or at the latest after twice as long.
async fn keep_up(told: &RwLock<Signs>, bus: &dyn Bus, lasts: Duration) {
    let windows = Mutex::new(Windows::default());
    tokio::select! {
        () = hear(told, bus, &windows) => {}
        never = pass(told, &windows, lasts) => match never {},
    }
}

/// What was heard in this while and in the one before; both count.
struct Windows {
    before: Signs,
    now: Signs,
}

impl Default for Windows {
    fn default() -> Self {
        Self {
            before: Signs::nobody_heard(),
            now: Signs::nobody_heard(),
        }
    }
}

/// Hears whoever gives a sign.
async fn hear(told: &RwLock<Signs>, bus: &dyn Bus, windows: &Mutex<Windows>) {
    loop {
        let Err(error) = hear_on(told, bus, windows).await;
        if matches!(error, BusError::Closed) {
            return;
        }
        tracing::warn!(%error, "signs of life are not heard for a while");
        sleep(PAUSE).await;
    }
}

async fn hear_on(
    told: &RwLock<Signs>,
    bus: &dyn Bus,
    windows: &Mutex<Windows>,
) -> Result<Infallible, BusError> {
    let mut alive = bus.alive().await?;
    loop {
        let event = alive.next().await?;
        change(told, windows, |windows| {
            windows.before.hear(&event);
            windows.now.hear(&event);
        });
    }
}

/// Begins a new while after each. The time does that, and no sign: who listens waits without end where nobody
/// gives one, and while the broker is away.
async fn pass(told: &RwLock<Signs>, windows: &Mutex<Windows>, lasts: Duration) -> Infallible {
    let mut ends = interval(lasts);
    // Two that end at once would take for silent who had no time to give a sign.
    ends.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ends.reset();
    loop {
        ends.tick().await;
        change(told, windows, |windows| {
            windows.before = std::mem::replace(&mut windows.now, Signs::nobody_heard());
        });
    }
}

fn change(told: &RwLock<Signs>, windows: &Mutex<Windows>, change: impl FnOnce(&mut Windows)) {
    let mut windows = windows.lock().unwrap_or_else(PoisonError::into_inner);
    change(&mut windows);
    set(told, windows.before.clone());
}

fn set(told: &RwLock<Signs>, signs: Signs) {
    *told.write().unwrap_or_else(PoisonError::into_inner) = signs;
}

#[cfg(test)]
mod tests {
    use gentoo_updater_bus::embedded::Embedded;
    use gentoo_updater_fleet::message::{Envelope, Event, PlannerAlive};
    use jiff::Timestamp;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_last_worker_that_falls_silent_is_told_as_silent() {
        let bus: Arc<dyn Bus> = Arc::new(Embedded::in_memory());
        let (told, lasts) = (
            Arc::new(RwLock::new(Signs::nobody_heard())),
            Duration::from_secs(30),
        );
        let listening = tokio::spawn({
            let (told, bus) = (told.clone(), bus.clone());
            async move { keep_up(&told, bus.as_ref(), lasts).await }
        });
        let is_heard = || *told.read().unwrap() != Signs::nobody_heard();
        while !is_heard() {
            let worker = "planner@a".parse().unwrap();
            let alive = Event::PlannerAlive(PlannerAlive { worker, beat: 1 });
            let sign = Envelope::new("planner@a".parse().unwrap(), Timestamp::now(), alive);
            bus.publish(&sign).await.unwrap();
            sleep(Duration::from_secs(1)).await;
        }
        sleep(lasts - Duration::from_secs(2)).await;
        assert!(is_heard(), "it counts for as long as the next may take");
        sleep(lasts + Duration::from_secs(2)).await;
        assert!(!is_heard(), "nobody gives a sign any more");
        bus.close().await;
        listening.await.unwrap();
    }
}
