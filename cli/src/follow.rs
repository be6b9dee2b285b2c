//! Following a run to its end.

use anyhow::Context as _;
use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_fleet::name::RunId;
use gentoo_updater_fleet::report::Report;
use jiff::Timestamp;
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
        let (report, is_over) = view.read(|fleet| {
            let is_over = fleet.is_over(run);
            // Nobody looks at one before, where no progress is shown.
            let wanted = fleet.runs.get(&run).filter(|_| show || is_over);
            (
                wanted.map(|run| Report::of(fleet, run).at(fleet, Timestamp::now())),
                is_over,
            )
        });
        let report = match report {
            // Whoever was held up for long finds that others have ended behind it.
            None if is_over => Some(told_by_the_history(view, run).await?),
            report => report,
        };
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

async fn told_by_the_history(view: &FleetView, run: RunId) -> anyhow::Result<Report> {
    let fleet = view.one_run(run).await?;
    let report = fleet.runs.get(&run).map(|run| Report::of(&fleet, run));
    report.with_context(|| format!("run {run} is over, and the history does not tell any more how"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use gentoo_updater_bus::Bus;
    use gentoo_updater_bus::embedded::Embedded;
    use gentoo_updater_fleet::message::{Envelope, Event};
    use gentoo_updater_fleet::state::KEPT_RUNS;

    use super::*;
    use crate::testing::event;

    async fn one_whole_run(bus: &dyn Bus) -> RunId {
        let run = RunId::generate();
        let (mut requested, mut finished) = (event("RunRequested"), event("RunFinished"));
        if let (Event::RunRequested(requested), Event::RunFinished(finished)) =
            (&mut requested, &mut finished)
        {
            (requested.run, finished.run, requested.follows) = (run, run, None);
        }
        for event in [requested, finished] {
            let sender = "test@1".parse().unwrap();
            let said = Envelope::new(sender, jiff::Timestamp::now(), event);
            bus.publish(&said).await.unwrap();
        }
        run
    }

    #[tokio::test]
    async fn a_run_that_was_forgotten_before_anybody_looked_is_still_followed_to_its_end() {
        let bus: Arc<dyn Bus> = Arc::new(Embedded::in_memory());
        let run = one_whole_run(bus.as_ref()).await;
        for _ in 0..KEPT_RUNS {
            one_whole_run(bus.as_ref()).await;
        }
        let stop = CancellationToken::new();
        let view = FleetView::follow(bus.clone(), stop.clone()).await.unwrap();
        assert!(view.read(|fleet| !fleet.runs.contains_key(&run)));
        let mut planners = PlannerWatch::unneeded();
        let end = to_the_end(&view, run, &stop, false, &mut planners);
        let end = tokio::time::timeout(Duration::from_secs(30), end).await;
        assert!(matches!(end.unwrap().unwrap(), End::Finished(report) if report.is_over()));
    }
}
