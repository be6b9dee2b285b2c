//! `status`: what happens, or what came of the last run.

use std::sync::Arc;

use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::report::Report;
use gentoo_updater_fleet::state::Fleet;
use tokio_util::sync::CancellationToken;

use crate::arguments::StatusOptions;
use crate::open;

/// Prints the report of one run as it stands.
pub(crate) async fn status(settings: &Arc<Settings>, options: StatusOptions) -> anyhow::Result<u8> {
    let Some(bus) = open::read_only(settings).await? else {
        println!("There was no run yet.");
        return Ok(crate::EXIT_ALL_UPDATED);
    };
    let view = FleetView::follow(bus.clone(), CancellationToken::new()).await?;
    let fleet = view.read(Fleet::clone);
    bus.close().await;
    let run = match options.run {
        Some(id) => fleet.runs.get(&id),
        None => fleet.newest(),
    };
    let Some(run) = run else {
        match options.run {
            Some(id) => anyhow::bail!("the history knows no run {id}; see gentoo-updater events"),
            None => println!("There was no run yet."),
        }
        return Ok(crate::EXIT_ALL_UPDATED);
    };
    let report = Report::of(run);
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", report.to_text());
    }
    Ok(crate::EXIT_ALL_UPDATED)
}
