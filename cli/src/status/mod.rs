//! `status`: what happens, or what came of the last run.

mod notices;

use std::sync::Arc;

use gentoo_updater_bus::follow::{FleetView, one_run};
use gentoo_updater_bus::topology;
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::inspect::{HoldsView, RunName};
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
use crate::planner;

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
        return match &options.run {
            None => crate::nothing_kept(settings, options.json),
            Some(_) => no_run(&options),
        };
    };
    let looked = look(settings, &opened, options.run.as_ref()).await;
    opened.bus.close().await;
    let (fleet, notices) = looked?;
    if !options.json {
        let text = notices.to_text();
        output::print(|output| output.write_all(text.as_bytes()))?;
    }
    let run = match &options.run {
        Some(name) => name.find(&fleet),
        None => {
            let of_guest = options
                .guest
                .as_ref()
                .and_then(|name| fleet.newest_of(name));
            of_guest.or_else(|| fleet.newest())
        }
    };
    let Some(run) = run else {
        return no_run(&options);
    };
    let mut report = Report::of(&fleet, run).at(&fleet, Timestamp::now());
    if let Some(name) = &options.guest {
        let Some(text) = report.guest_to_text(name) else {
            let names: Vec<&str> = report.guests.keys().map(|name| name.as_str()).collect();
            let names = names.join(", ");
            let message = format!("run {} has no guest {name}; it has {names}", report.run);
            return Err(NotThere(message).into());
        };
        if !options.json {
            output::print(|output| output.write_all(text.as_bytes()))?;
            return Ok(crate::EXIT_DONE);
        }
        report.keep_only(name);
    }
    if options.json {
        output::print_json(&StatusDocument {
            report: &report,
            fleet: &notices,
        })?;
    } else {
        let text = report.to_text();
        output::print(|output| output.write_all(text.as_bytes()))?;
    }
    if !report.is_over() && !open::is_worked_on(settings).await {
        eprintln!("Nobody works on it: `gentoo-updater run` goes on with it.");
    }
    Ok(crate::EXIT_DONE)
}

/// The state with the run that is asked for, and what stands in the way of all runs.
async fn look(
    settings: &Settings,
    opened: &Opened,
    asked: Option<&RunName>,
) -> anyhow::Result<(Fleet, Notices)> {
    let listening = async {
        match settings.broker {
            Some(_) => planner::is_heard(opened.bus.as_ref()).await.map(Some),
            None => Ok(None),
        }
    };
    // Listened to while the history is read: it takes a planner's beat.
    let follow = FleetView::follow(opened.bus.clone(), CancellationToken::new());
    let (planner_heard, view) = tokio::try_join!(listening, follow)?;
    let health = opened.inspect.probe().await?;
    let dead = opened.bus.queue(topology::DEAD).await?;
    let dead = dead.map_or(0, |queue| queue.ready);
    let notices = Notices::of(&health, planner_heard, dead, &view.left_out());
    let notices = notices.with_holds(&view.read(HoldsView::of));
    let mut fleet = view.read(Fleet::clone);
    let notices = notices.with_missed(&fleet);
    // The state forgets runs that ended long ago; the history tells of them for longer.
    if let Some(run) = asked.and_then(|name| name.forgotten(&fleet)) {
        let mut old = one_run(opened.bus.as_ref(), run).await?;
        fleet.runs.append(&mut old.runs);
    }
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
