//! `status`: what happens, or what came of the last run.

use std::sync::Arc;

use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::report::Report;
use gentoo_updater_fleet::state::Fleet;
use tokio_util::sync::CancellationToken;

use crate::WrongUsage;
use crate::arguments::StatusOptions;
use crate::open;

/// Prints the report of one run as it stands.
pub(crate) async fn status(settings: &Arc<Settings>, options: StatusOptions) -> anyhow::Result<u8> {
    let Some(bus) = open::read_only(settings).await? else {
        return no_run(&options);
    };
    let view = FleetView::follow(bus.clone(), CancellationToken::new()).await?;
    let fleet = view.read(Fleet::clone);
    bus.close().await;
    let run = match options.run {
        Some(id) => fleet.runs.get(&id),
        None => fleet.newest(),
    };
    let Some(run) = run else {
        return no_run(&options);
    };
    let report = Report::of(&fleet, run);
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", report.to_text());
    }
    if report.outcome.is_none() && !open::is_worked_on(settings).await {
        eprintln!("Nobody works on it: `gentoo-updater run` goes on with it.");
    }
    Ok(crate::EXIT_ALL_UPDATED)
}

/// There is no such run, or none at all.
fn no_run(options: &StatusOptions) -> anyhow::Result<u8> {
    if let Some(id) = options.run {
        let message = format!("the history knows no run {id}; see gentoo-updater events");
        return Err(WrongUsage(message).into());
    }
    if options.json {
        println!("null");
    }
    eprintln!("There was no run yet.");
    Ok(crate::EXIT_ALL_UPDATED)
}
