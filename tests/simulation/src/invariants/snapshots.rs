//! What is known from a snapshot on is what is known from the beginning.

use gentoo_updater_fleet::snapshot::Snapshot;

use super::{End, differs};

/// From each snapshot that was kept, the fold of the rest of the history gives the whole state.
pub(super) fn snapshots_differ(end: &End<'_>) -> Vec<String> {
    let snapshots = end.records.take_snapshots().into_iter();
    snapshots
        .filter_map(|mut snapshot| {
            if end.is_written {
                let body = snapshot.encode().expect("a snapshot can be written");
                let read = Snapshot::decode(&body).expect("what was written can be read");
                if read != snapshot {
                    let lost = differs("a snapshot that was read", &read.fleet, &snapshot.fleet);
                    return Some(lost.unwrap_or_else(|| format!("{read:?} is not {snapshot:?}")));
                }
                snapshot = read;
            }
            let Snapshot { mut fleet, .. } = snapshot;
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
