//! Whether a store may be written: while a run goes on it may not.

use std::collections::BTreeSet;
use std::sync::Arc;

use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::message::{Failure, FailureClass};
use gentoo_updater_fleet::name::RunId;
use gentoo_updater_fleet::state::Fleet;
use tokio_util::sync::CancellationToken;

use crate::open;

/// The runs that the state knows, by name at least.
pub(super) fn known(fleet: &Fleet) -> BTreeSet<RunId> {
    let over = fleet.over.iter().copied();
    over.chain(fleet.runs.keys().copied()).collect()
}

/// A run that goes on, if there is one.
pub(super) fn going_on(fleet: &Fleet) -> Option<RunId> {
    fleet.unfinished().map(|run| run.id).next()
}

/// A run that goes on or is none of these: what was found before it began is not so any more.
fn since(fleet: &Fleet, before: &BTreeSet<RunId>) -> Option<RunId> {
    let newer = known(fleet).into_iter().find(|run| !before.contains(run));
    going_on(fleet).or(newer)
}

/// Refuses when the history tells at this moment of a run that goes on, or of one that is none of these,
/// where these are given. `words` say of that run why it must not be.
pub(super) async fn check(
    settings: &Arc<Settings>,
    before: Option<&BTreeSet<RunId>>,
    words: &str,
) -> Result<(), Failure> {
    let run = now(settings, before).await.map_err(|error| {
        let message = format!("it cannot be told whether a run goes on: {error:#}");
        Failure::new(FailureClass::Transient, "HistoryUnreadable", message)
    })?;
    match run {
        Some(run) => {
            let message = format!("run {run} {words}");
            Err(Failure::new(FailureClass::Transient, "RunGoesOn", message))
        }
        None => Ok(()),
    }
}

async fn now(
    settings: &Arc<Settings>,
    before: Option<&BTreeSet<RunId>>,
) -> anyhow::Result<Option<RunId>> {
    let Some(bus) = open::read_only(settings).await? else {
        return Ok(None);
    };
    let view = FleetView::follow(bus.clone(), CancellationToken::new()).await;
    let run = view.map(|view| {
        view.read(|fleet| match before {
            Some(before) => since(fleet, before),
            None => going_on(fleet),
        })
    });
    bus.close().await;
    Ok(run?)
}
