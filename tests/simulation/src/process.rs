//! Processes that are killed, at any await, and started again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::Notify;
use tokio::task::JoinError;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::faults::{Fault, Weather};
use crate::random::Dice;
use crate::records::Death;

/// How long a process may take to end that the bus has failed for good.
const ENDS_WITHIN: Duration = Duration::from_secs(1);

/// Kills its process at the n-th step that is counted.
#[derive(Debug, Default)]
pub struct KillSwitch {
    left: AtomicU64,
    pulled: Notify,
}

impl KillSwitch {
    /// Kills at this step; 0 is never.
    pub fn at(step: u64) -> Arc<Self> {
        Arc::new(Self {
            left: AtomicU64::new(step),
            pulled: Notify::new(),
        })
    }

    /// Kills its process here and now. It never ends.
    pub async fn pull(&self) {
        self.pulled.notify_one();
        std::future::pending::<()>().await;
    }

    /// One step. The last one never ends: the process is killed in it.
    pub async fn step(&self) {
        let counted = self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
        if counted == Ok(1) {
            self.pull().await;
        }
    }
}

/// One life of a process, as its supervisor gives it.
#[derive(Clone)]
pub struct Life {
    /// Kills it.
    pub switch: Arc<KillSwitch>,
    /// Tells it to stop in good order.
    pub stop: CancellationToken,
    /// Its own chance.
    pub dice: Arc<Dice>,
    /// When the bus failed it for good: it is to end then.
    pub failed: Arc<OnceLock<Instant>>,
}

impl Life {
    /// Whether it has gone on although the bus failed it for good.
    pub fn ignores_failure(&self) -> bool {
        let failed = self.failed.get();
        failed.is_some_and(|failed| failed.elapsed() > ENDS_WITHIN)
    }

    /// Whether it ended as whom the bus failed.
    fn ended_as_failed(&self, ended: &Result<Result<(), String>, JoinError>) -> bool {
        self.failed.get().is_some() && matches!(ended, Ok(Err(_)))
    }
}

/// How a process is to be treated.
#[derive(Debug, Clone)]
pub struct Fate {
    /// In how many of a thousand lives it is killed.
    pub killed: u32,
    /// How long it is away after that, in milliseconds at most.
    pub longest_away: u64,
    /// Whether it may stay away for good, once.
    pub may_vanish: bool,
}

/// Starts a process again and again until `over`. What it did not survive is noted by `died`.
pub async fn supervise(
    name: String,
    fate: Fate,
    dice: Dice,
    weather: Arc<Weather>,
    over: CancellationToken,
    died: impl Fn(Instant, Death),
    start: impl Fn(Life) -> BoxFuture<'static, Result<(), String>>,
) -> Result<(), String> {
    loop {
        let life = Life {
            switch: KillSwitch::at(kill_step(&fate, &dice, &weather)),
            stop: CancellationToken::new(),
            dice: Arc::new(dice.fork()),
            failed: Arc::default(),
        };
        let end = sudden_end(&fate, &dice, &weather);
        let in_good_order = dice.per_mille(300);
        let mut running = AbortOnDropHandle::new(tokio::spawn(start(life.clone())));
        let death = tokio::select! {
            biased;
            () = over.cancelled() => return Ok(()),
            ended = &mut running => {
                if life.ended_as_failed(&ended) {
                    Death::Killed
                } else {
                    return Err(format!("{name} ended by itself: {ended:?}"));
                }
            }
            () = life.switch.pulled.notified() => Death::Killed,
            () = sleep_until(end) => {
                if in_good_order {
                    life.stop.cancel();
                    tokio::select! {
                        biased;
                        () = life.switch.pulled.notified() => Death::Killed,
                        ended = &mut running => match ended {
                            Ok(Ok(())) => Death::Stopped,
                            _ if life.ended_as_failed(&ended) => Death::Killed,
                            _ => return Err(format!("{name} did not stop well: {ended:?}")),
                        }
                    }
                } else {
                    Death::Killed
                }
            }
        };
        weather.count(match death {
            Death::Killed => Fault::Killed,
            Death::Stopped => Fault::Stopped,
        });
        // Dropping its handle aborts it; it is gone when its task was polled once more, and that is
        // before any time passes.
        drop(running);
        died(Instant::now(), death);
        if fate.may_vanish && weather.is_rough() && dice.per_mille(100) {
            weather.count(Fault::WorkerVanished);
            over.cancelled().await;
            return Ok(());
        }
        tokio::select! {
            biased;
            () = over.cancelled() => return Ok(()),
            () = sleep(dice.millis(1, fate.longest_away)) => {}
        }
    }
}

/// At which step a life ends, if it ends so.
fn kill_step(fate: &Fate, dice: &Dice, weather: &Weather) -> u64 {
    if weather.is_rough() && dice.per_mille(fate.killed) {
        dice.between(1, 60)
    } else {
        0
    }
}

/// When a life ends, wherever it is then; far in the future if it does not.
fn sudden_end(fate: &Fate, dice: &Dice, weather: &Weather) -> Instant {
    let now = Instant::now();
    let end = now + dice.millis(1, 60_000);
    if dice.per_mille(fate.killed) && end < weather.calm {
        end
    } else {
        now + Duration::from_secs(1_000_000)
    }
}
