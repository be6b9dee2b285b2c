//! The state of the fleet as this process knows it: the history, folded as it comes.
//!
//! The fold begins with the newest snapshot, where there is one.
//!
//! Everybody in a process who follows the same bus shares one follower and one copy of the state.

mod begin;
mod one_run;
mod seen;
mod state;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, Weak};
use std::time::Duration;

use gentoo_updater_fleet::name::{EventId, RunId};
use gentoo_updater_fleet::state::Fleet;
use jiff::Timestamp;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use self::begin::{Begun, begin};
use self::seen::Knowledge;
use self::state::State;
use crate::news::News;
use crate::seam::{Bus, BusError, History, HistoryItem};

pub use self::begin::Beginning;
pub(crate) use self::begin::is_same;
pub use self::one_run::one_run;
pub use self::state::LeftOut;

/// How long a wait goes on after its stop: with a bus that works it ends well in that time.
const WAIT_AFTER_STOP: Duration = Duration::from_secs(5);
/// How long an event is waited for before it may be one from before what this view has read,
/// although its id tells a later time: the clock of its sender may have been ahead by any time.
const DOUBTED_AFTER: Duration = Duration::from_secs(1);
/// How long an event is waited for that must still come, before the bus is asked whether it will:
/// long enough for a broker that restarts.
const MISSED_AFTER: Duration = Duration::from_secs(60);

/// A view of the state of the fleet. Clones share it.
#[derive(Clone)]
pub struct FleetView {
    follower: Arc<Follower>,
    stop: CancellationToken,
}

/// How a process reads the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The offset of the newest event that is applied.
    pub applied: Option<u64>,
    /// How many events were read since the beginning.
    pub read: u64,
    /// How long after it was made the newest of them was applied here, by the clocks of both machines:
    /// nearly nothing for who keeps up. Zero before the first.
    pub behind: Duration,
}

/// One follower of one bus; it ends with the last view of it.
struct Follower {
    core: Arc<Core>,
    bus: Weak<dyn Bus>,
    _task: AbortOnDropHandle<()>,
}

struct Core {
    state: RwLock<State>,
    beginning: Beginning,
    progress: News<Progress>,
    /// [`Reading::behind`], in milliseconds.
    behind_ms: AtomicU64,
    /// That the follower ended, for who waits for nothing else: `progress` wakes at each event.
    end: CancellationToken,
    /// Why the follower ended.
    error: Mutex<Option<BusError>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    applied: Option<u64>,
    /// How many events were read since the beginning.
    read: u64,
    ended: bool,
}

type Followers = Vec<(Weak<dyn Bus>, Weak<Follower>)>;

/// Who follows which bus in this process, so that all its roles share the state.
static FOLLOWERS: Mutex<Followers> = Mutex::new(Vec::new());

impl FleetView {
    /// Follows the history of a bus, and returns when everything is applied that was in it at the
    /// call. It begins with the newest snapshot; where there is none that can be used it reads the
    /// history from its beginning.
    ///
    /// # Errors
    /// When the history cannot be read, or [`BusError::Closed`] when `stop` came before.
    pub async fn follow(bus: Arc<dyn Bus>, stop: CancellationToken) -> Result<Self, BusError> {
        let follower = match running(&bus) {
            Some(follower) => follower,
            None => tokio::select! {
                biased;
                begun = begin(&bus) => start(&bus, begun?),
                () = stop.cancelled() => return Err(BusError::Closed),
            },
        };
        let view = Self { follower, stop };
        let end = tokio::select! {
            biased;
            end = bus.end() => end?,
            () = view.stop.cancelled() => return Err(BusError::Closed),
        };
        if let Some(end) = end {
            view.wait(|progress, _| progress.has(end)).await?;
        }
        Ok(view)
    }

    /// The view that somebody in this process has of this bus, if anybody has one.
    pub fn existing(bus: &Arc<dyn Bus>) -> Option<Self> {
        let follower = running(bus)?;
        let stop = CancellationToken::new();
        Some(Self { follower, stop })
    }

    /// Looks at the state. No event is applied meanwhile, so `look` is to be quick.
    pub fn read<T>(&self, look: impl FnOnce(&Fleet) -> T) -> T {
        look(&self.follower.core.state().fleet)
    }

    /// What the state was begun from.
    pub fn beginning(&self) -> &Beginning {
        &self.follower.core.beginning
    }

    /// What the history says of one run with its further rounds ([`one_run()`]).
    ///
    /// # Errors
    /// As [`one_run()`].
    pub async fn one_run(&self, run: RunId) -> Result<Fleet, BusError> {
        let bus = self.follower.bus.upgrade().ok_or(BusError::Closed)?;
        self.until_stopped(one_run(bus.as_ref(), run)).await
    }

    /// What of the history is not part of the state.
    pub fn left_out(&self) -> LeftOut {
        let state = self.follower.core.state();
        LeftOut {
            count: state.fleet.left_out,
            newest: state.newest_left_out.clone(),
        }
    }

    /// The offset of the newest event that is applied.
    pub fn applied(&self) -> Option<u64> {
        self.follower.core.progress.get().applied
    }

    /// How the history is read.
    pub fn reading(&self) -> Reading {
        let core = &self.follower.core;
        let Progress { applied, read, .. } = core.progress.get();
        let behind = core.behind_ms.load(Ordering::Relaxed);
        Reading {
            applied,
            read,
            behind: Duration::from_millis(behind),
        }
    }

    /// Ends when an event is applied after this call (and not only after the first poll).
    ///
    /// # Errors
    /// The future's output is an error when the history cannot be followed any further.
    pub fn changed(&self) -> impl Future<Output = Result<(), BusError>> + Send + use<> {
        let core = self.follower.core.clone();
        let before = core.progress.get().read;
        async move {
            let now = core.progress.until(|now| now.ended || now.read > before);
            if now.await.ended {
                Err(core.error())
            } else {
                Ok(())
            }
        }
    }

    /// Ends when the history cannot be followed any further, and says why. It may be cancelled.
    pub async fn ended(&self) -> BusError {
        let core = &self.follower.core;
        core.end.cancelled().await;
        core.error()
    }

    /// Waits until the state is as wanted.
    ///
    /// # Errors
    /// When the history cannot be followed any further, or [`BusError::Closed`] some seconds
    /// after the stop.
    pub async fn wait_until(&self, wanted: impl Fn(&Fleet) -> bool) -> Result<(), BusError> {
        self.wait(|_, state| wanted(&state.fleet)).await
    }

    /// Waits until this event is applied. One that may be older than what this view has read of
    /// the history counts as applied when everything is that the history holds now.
    ///
    /// # Errors
    /// As [`FleetView::wait_until`]; [`BusError::EventLost`] when the history does not have it,
    /// which a history does that was deleted and made again.
    pub async fn wait_for_event(&self, id: EventId) -> Result<(), BusError> {
        let knows = |state: &State| state.seen.knows(id);
        let known = self.wait(|_, state| knows(state) != Knowledge::NotApplied);
        let is_whole = self.follower.core.state().seen.is_whole();
        let limit = if is_whole {
            MISSED_AFTER
        } else {
            DOUBTED_AFTER
        };
        if let Ok(known) = timeout(limit, known).await {
            known?;
        }
        if knows(&self.follower.core.state()) == Knowledge::Applied {
            return Ok(());
        }
        let bus = self.follower.bus.upgrade().ok_or(BusError::Closed)?;
        let end = self.until_stopped(bus.end()).await?;
        self.wait(|progress, state| {
            knows(state) == Knowledge::Applied || end.is_none_or(|end| progress.has(end))
        })
        .await?;
        let state = self.follower.core.state();
        if state.seen.is_whole() && knows(&state) == Knowledge::NotApplied {
            return Err(BusError::EventLost { id });
        }
        Ok(())
    }

    async fn wait(&self, reached: impl Fn(&Progress, &State) -> bool) -> Result<(), BusError> {
        let core = &self.follower.core;
        self.until_stopped(async {
            let mut is_reached = false;
            let ended = core.progress.until(|now| {
                is_reached = reached(now, &core.state());
                is_reached || now.ended
            });
            ended.await;
            if is_reached {
                Ok(())
            } else {
                Err(core.error())
            }
        })
        .await
    }

    /// Waits for something, and for some seconds only after the stop.
    async fn until_stopped<T>(
        &self,
        waited: impl Future<Output = Result<T, BusError>>,
    ) -> Result<T, BusError> {
        let given_up = async {
            self.stop.cancelled().await;
            tokio::time::sleep(WAIT_AFTER_STOP).await;
        };
        tokio::select! {
           biased;
            waited = waited => waited,
            () = given_up => Err(BusError::Closed),
        }
    }
}

impl Progress {
    fn has(&self, offset: u64) -> bool {
        self.applied.is_some_and(|applied| applied >= offset)
    }
}

fn followers() -> MutexGuard<'static, Followers> {
    FOLLOWERS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn running(bus: &Arc<dyn Bus>) -> Option<Arc<Follower>> {
    running_among(&mut followers(), bus)
}

fn running_among(followers: &mut Followers, bus: &Arc<dyn Bus>) -> Option<Arc<Follower>> {
    followers.retain(|(_, follower)| follower.strong_count() > 0);
    // Only what follows this bus is touched: the others are the business of other runtimes, which
    // would be ended here if their last view were dropped meanwhile.
    let same = followers
        .iter()
        .filter(|(other, _)| std::ptr::addr_eq(other.as_ptr(), Arc::as_ptr(bus)));
    same.filter_map(|(_, follower)| follower.upgrade())
        .find(|follower| !follower.core.progress.get().ended)
}

fn start(bus: &Arc<dyn Bus>, begun: Begun) -> Arc<Follower> {
    let mut followers = followers();
    // Several roles of one process begin at once; the first that is ready serves all.
    if let Some(other) = running_among(&mut followers, bus) {
        return other;
    }
    let applied = begun.state.fleet.offset;
    let core = Arc::new(Core {
        state: RwLock::new(begun.state),
        beginning: begun.beginning,
        progress: News::new(Progress {
            applied,
            ..Default::default()
        }),
        behind_ms: AtomicU64::new(0),
        end: CancellationToken::new(),
        error: Mutex::new(None),
    });
    let task = AbortOnDropHandle::new(tokio::spawn(core.clone().follow(begun.history)));
    let follower = Arc::new(Follower {
        core,
        bus: Arc::downgrade(bus),
        _task: task,
    });
    followers.push((Arc::downgrade(bus), Arc::downgrade(&follower)));
    follower
}

impl Core {
    async fn follow(self: Arc<Self>, mut history: Box<dyn History>) {
        let error = loop {
            let item = match history.next().await {
                Ok(item) => item,
                Err(error) => break error,
            };
            self.state
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .take(&item);
            self.note_behind(&item);
            self.progress.change(|progress| {
                progress.applied = Some(item.offset);
                progress.read += 1;
            });
        };
        if !matches!(error, BusError::Closed) {
            tracing::error!(%error, "the history cannot be followed any further");
        }
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        self.progress.change(|progress| progress.ended = true);
        self.end.cancel();
    }

    fn note_behind(&self, item: &HistoryItem) {
        if let Ok(event) = &item.event {
            // The clock of its sender may be ahead.
            let behind = Timestamp::now().duration_since(event.at).as_millis();
            let behind = u64::try_from(behind).unwrap_or(0);
            self.behind_ms.store(behind, Ordering::Relaxed);
        }
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn error(&self) -> BusError {
        let error = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        error.clone().unwrap_or(BusError::Closed)
    }
}
