//! When the state is kept, so that the next planner need not read the whole history.

use std::time::Duration;

use gentoo_updater_bus::follow::{Beginning, FleetView};
use gentoo_updater_bus::{Bus, Speaker};
use gentoo_updater_fleet::name::RunId;
use gentoo_updater_fleet::snapshot::Snapshot;
use gentoo_updater_fleet::state::Fleet;
use tokio::time::Instant;

/// About so many events lie behind the newest snapshot at most: they are read in a fraction of a
/// second.
const MOST_EVENTS: u64 = 2000;
/// After so long a snapshot is kept of fewer events as well: some events are large, and the
/// history may forget by size what no snapshot holds yet.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// What is known of the newest snapshot.
pub(crate) struct Snapshots {
    /// The offset of the newest event that is in it; none where the history is all there is.
    offset: Option<u64>,
    /// The run that had ended last by then.
    ended: Option<RunId>,
    since: Instant,
}

impl Snapshots {
    /// As the view has begun.
    pub(crate) fn new(view: &FleetView) -> Self {
        let offset = match view.beginning() {
            Beginning::Snapshot { offset, .. } => Some(*offset),
            Beginning::FirstEvent { .. } => None,
        };
        Self {
            offset,
            ended: view.read(|fleet| fleet.over.back().copied()),
            since: Instant::now(),
        }
    }

    /// Keeps the state when a run has ended since the last time, or when much has happened. A
    /// failure costs the next planner time and nothing else.
    pub(crate) async fn keep(&mut self, bus: &dyn Bus, view: &FleetView, speaker: &Speaker) {
        let Some(fleet) = view.read(|fleet| self.is_due(fleet).then(|| fleet.clone())) else {
            return;
        };
        let (offset, ended) = (fleet.offset, fleet.over.back().copied());
        let snapshot = Snapshot::take(fleet, speaker.id.clone(), speaker.clock.now());
        let begun = Instant::now();
        match bus.keep_snapshot(&snapshot).await {
            Ok(()) => {
                let duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
                tracing::info!(offset, duration_ms, "a snapshot of the state is kept");
            }
            Err(error) => tracing::warn!(
                offset,
                %error,
                "no snapshot could be kept; the next planner will read more of the history"
            ),
        }
        // Also after a failure: what is due next is tried then, and not at every wake-up.
        self.offset = offset;
        self.ended = ended;
        self.since = begun;
    }

    fn is_due(&self, fleet: &Fleet) -> bool {
        let Some(newest) = fleet.offset else {
            return false;
        };
        let events = match self.offset {
            Some(offset) => newest.saturating_sub(offset),
            None => newest.saturating_add(1),
        };
        events >= MOST_EVENTS
            || fleet.over.back().copied() != self.ended
            || events > 0 && self.since.elapsed() >= LONGEST_PAUSE
    }
}
