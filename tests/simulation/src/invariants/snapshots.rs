//! What is known from a snapshot on is what is known from the beginning.

use gentoo_updater_fleet::snapshot::Snapshot;

use super::{End, differs};

/// From each snapshot that was kept, the fold of the rest of the history gives the whole state.
/// The newest is what it was when it was written and read again.
pub(super) fn snapshots_differ(end: &End<'_>) -> Vec<String> {
    let mut snapshots = end.records.snapshots();
    if let Some(newest) = snapshots.pop() {
        let body = newest.encode().expect("a snapshot can be written");
        let newest = Snapshot::decode(&body).expect("what was written can be read");
        snapshots.push(newest);
    }
    snapshots
        .into_iter()
        .filter_map(|Snapshot { mut fleet, .. }| {
            let from = fleet.offset;
            let rest = end
                .history
                .partition_point(|seen| Some(seen.offset) <= from);
            for seen in &end.history[rest..] {
                fleet.apply(seen.offset, &seen.event);
            }
            let what = format!("the fold from the snapshot of offset {from:?} on");
            differs(&what, &fleet, end.fleet)
        })
        .collect()
}

/// Whoever comes up at the end knows the whole state, wherever it begins.
pub(super) fn newcomer_differs(end: &End<'_>) -> Option<String> {
    differs("a newcomer's view", end.newcomer, end.fleet)
}
