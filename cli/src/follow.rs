//! Following a run to its end.

use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_fleet::name::RunId;
use gentoo_updater_fleet::report::Report;
use tokio_util::sync::CancellationToken;

use crate::planner::PlannerWatch;
use crate::progress::Progress;

/// How following ended.
pub(crate) enum End {
    /// The run is over.
    Finished(Box<Report>),
    /// The operator stopped following.
    Interrupted,
}

/// Shows progress until the run and its further rounds are over or `stop` is cancelled, and says when no planner is heard.
pub(crate) async fn to_the_end(
    view: &FleetView,
    run: RunId,
    stop: &CancellationToken,
    show: bool,
    planners: &mut PlannerWatch,
) -> anyhow::Result<End> {
    let mut progress = Progress::new(show);
    loop {
        // Subscribed before the state is read, so that no change between the two is missed.
        let changed = view.changed();
        let report = view.read(|fleet| fleet.runs.get(&run).map(|run| Report::of(fleet, run)));
        if let Some(report) = report {
            progress.show(&report);
            if report.is_over() {
                progress.finish();
                return Ok(End::Finished(Box::new(report)));
            }
        }
        tokio::select! {
            changed = changed => changed?,
            words = planners.next_words() => progress.say(&words?),
            () = stop.cancelled() => return Ok(End::Interrupted),
        }
    }
}
