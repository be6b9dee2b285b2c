//! `status`: what happens, or what came of the last run.

mod notices;

use std::sync::Arc;

use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_bus::topology;
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::report::Report;
use gentoo_updater_fleet::state::Fleet;
use jiff::Timestamp;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use self::notices::Notices;
use crate::NotThere;
use crate::arguments::StatusOptions;
use crate::open::{self, Opened};
use crate::output;

/// The document of `status --json`: the report, and what stands in the way of all runs.
#[derive(Debug, Serialize)]
struct StatusDocument<'a> {
    #[serde(flatten)]
    report: &'a Report,
    fleet: &'a Notices,
}

/// Prints the report of one run as it stands.
pub(crate) async fn status(settings: &Arc<Settings>, options: StatusOptions) -> anyhow::Result<u8> {
    let Some(opened) = open::to_look(settings).await? else {
        return no_run(&options);
    };
    let looked = look(&opened).await;
    opened.bus.close().await;
    let (fleet, notices) = looked?;
    if !options.json {
        let text = notices.to_text(Timestamp::now());
        output::print(|output| output.write_all(text.as_bytes()))?;
    }
    let run = match &options.run {
        Some(name) => name.find(&fleet),
        None => fleet.newest(),
    };
    let Some(run) = run else {
        return no_run(&options);
    };
    let report = Report::of(&fleet, run);
    if options.json {
        output::print_json(&StatusDocument {
            report: &report,
            fleet: &notices,
        })?;
    } else {
        let text = report.to_text();
        output::print(|output| output.write_all(text.as_bytes()))?;
    }
    if report.outcome.is_none() && !open::is_worked_on(settings).await {
        eprintln!("Nobody works on it: `gentoo-updater run` goes on with it.");
    }
    Ok(crate::EXIT_DONE)
}

async fn look(opened: &Opened) -> anyhow::Result<(Fleet, Notices)> {
    let follow = FleetView::follow(opened.bus.clone(), CancellationToken::new());
    let fleet = follow.await?.read(Fleet::clone);
    let health = opened.inspect.probe().await?;
    let dead = opened.bus.queue(topology::DEAD).await?;
    let notices = Notices::of(&fleet, &health, dead.map_or(0, |queue| queue.ready));
    Ok((fleet, notices))
}

/// There is no such run, or none at all.
fn no_run(options: &StatusOptions) -> anyhow::Result<u8> {
    match &options.run {
        None => crate::no_run_yet(options.json),
        Some(name) => {
            let message = format!("the history knows no run {name}; see gentoo-updater events");
            Err(NotThere(message).into())
        }
    }
}
