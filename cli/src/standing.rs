//! How the fleet stands, as `status` and `report` look at it: the state, with the run that is asked for
//! also where it was forgotten, and what stands in the way of all runs.

use gentoo_updater_bus::follow::{FleetView, one_run};
use gentoo_updater_bus::topology;
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::inspect::{HoldsView, RunName};
use gentoo_updater_fleet::state::Fleet;
use tokio_util::sync::CancellationToken;

use crate::NotThere;
use crate::notices::Notices;
use crate::open::Opened;
use crate::planner;

/// How the fleet stands.
pub(crate) struct Standing {
    /// The state.
    pub(crate) fleet: Fleet,
    /// What stands in the way of all runs.
    pub(crate) notices: Notices,
}

/// Looks once.
pub(crate) async fn look(
    settings: &Settings,
    opened: &Opened,
    asked: Option<&RunName>,
) -> anyhow::Result<Standing> {
    let listening = async {
        match settings.broker {
            Some(_) => planner::is_heard(opened.bus.as_ref()).await.map(Some),
            None => Ok(None),
        }
    };
    // Listened to while the history is read: it takes a planner's beat.
    let follow = FleetView::follow(opened.bus.clone(), CancellationToken::new());
    let (planner_heard, view) = tokio::try_join!(listening, follow)?;
    let notices = notices(opened, &view, planner_heard).await?;
    let mut fleet = view.read(Fleet::clone);
    // The state forgets runs that ended long ago; the history tells of them for longer.
    if let Some(run) = asked.and_then(|name| name.forgotten(&fleet)) {
        let mut old = one_run(opened.bus.as_ref(), run).await?;
        fleet.runs.append(&mut old.runs);
    }
    Ok(Standing { fleet, notices })
}

/// What stands in the way of all runs now, by what is known of planners.
pub(crate) async fn notices(
    opened: &Opened,
    view: &FleetView,
    planner_heard: Option<bool>,
) -> anyhow::Result<Notices> {
    let health = opened.inspect.probe().await?;
    let dead = opened.bus.queue(topology::DEAD).await?;
    let dead = dead.map_or(0, |queue| queue.ready);
    let notices = Notices::of(&health, planner_heard, dead, &view.left_out());
    let notices = notices.with_holds(&view.read(HoldsView::of));
    Ok(view.read(|fleet| notices.with_missed(fleet)))
}

/// That the history knows no run of this name.
pub(crate) fn no_such_run(name: &RunName) -> anyhow::Error {
    let message = format!("the history knows no run {name}; see gentoo-updater events");
    NotThere(message).into()
}
