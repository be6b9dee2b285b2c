//! `workers`: who is alive, who works on what, who is paused and why.

mod arguments;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use gentoo_updater_bus::Bus;
use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::inspect::{Signs, WorkerView, workers as views};
use gentoo_updater_fleet::message::Role;
use gentoo_updater_fleet::name::WorkerId;
use gentoo_updater_fleet::report::{PauseReport, paused};
use gentoo_updater_fleet::state::Fleet;
use gentoo_updater_runtime::stop_on_signals;
use jiff::Timestamp;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::open;
use crate::output;
use crate::roles;

pub(crate) use arguments::WorkersOptions;

/// How much longer than a heartbeat is listened: a sign of life takes a moment to come here.
const ON_THE_WAY: Duration = Duration::from_secs(2);

/// The document of `workers --json`.
#[derive(Debug, Serialize)]
pub(crate) struct WorkersDocument {
    /// For how long was listened, in seconds; absent without a broker, where nothing is to be
    /// heard.
    pub(super) listened_seconds: Option<u64>,
    /// Without a broker: whether the process is there in which all workers run.
    pub(super) process: Option<bool>,
    /// The workers.
    pub(crate) workers: Vec<WorkerView>,
    /// All pauses of operators, also of those who are not among the workers.
    pub(super) pauses: Vec<PauseReport>,
}

/// Shows the workers.
pub(crate) async fn workers(
    settings: &Arc<Settings>,
    options: &WorkersOptions,
) -> anyhow::Result<u8> {
    let stop = CancellationToken::new();
    stop_on_signals(stop.clone());
    let Some(bus) = open::read_only(settings).await? else {
        return crate::nothing_kept(settings, options.json);
    };
    let looked = look(settings, &bus, options, &stop).await;
    bus.close().await;
    let document = looked?;
    if options.json {
        output::print_json(&document)?;
        return Ok(crate::EXIT_DONE);
    }
    let now = Timestamp::now();
    if document.process == Some(false) {
        eprintln!(
            "There is no broker, and no gentoo-updater runs: nobody works. `gentoo-updater run` \
             starts all workers in its own process."
        );
    }
    if document.workers.is_empty() {
        eprintln!("No worker has ever come up.");
    } else {
        let text = table::text(&document.workers, now);
        output::print(|output| output.write_all(text.as_bytes()))?;
    }
    let pauses = table::pauses_of_nobody(&document.pauses, &document.workers, now);
    if !pauses.is_empty() {
        output::print(|output| write!(output, "\n{pauses}"))?;
    }
    Ok(crate::EXIT_DONE)
}

/// Listens for a while, and reads the history.
pub(crate) async fn look(
    settings: &Settings,
    bus: &Arc<dyn Bus>,
    options: &WorkersOptions,
    stop: &CancellationToken,
) -> anyhow::Result<WorkersDocument> {
    if settings.broker.is_none() {
        let view = FleetView::follow(bus.clone(), stop.clone()).await?;
        let is_running = open::is_worked_on(settings).await;
        let fleet = view.read(Fleet::clone);
        let alive = if is_running {
            of_the_process(settings, &fleet)
        } else {
            BTreeSet::new()
        };
        return Ok(WorkersDocument {
            listened_seconds: None,
            process: Some(is_running),
            workers: views(&fleet, &Signs::Process(alive)),
            pauses: paused(&fleet),
        });
    }
    let wait = options.wait.map(Duration::from_secs);
    let wait = wait.unwrap_or(settings.policy.heartbeat + ON_THE_WAY);
    if std::io::stderr().is_terminal() {
        eprintln!("Listening for {} s for signs of life …", wait.as_secs());
    }
    // Listened to first, so that no sign is missed while the history is read.
    let signs = tokio::spawn(listen(bus.clone(), wait, stop.clone()));
    let view = FleetView::follow(bus.clone(), stop.clone()).await?;
    let signs = signs.await??;
    Ok(view.read(|fleet| WorkersDocument {
        listened_seconds: Some(wait.as_secs()),
        process: None,
        workers: views(fleet, &signs),
        pauses: paused(fleet),
    }))
}

/// The signs of life of a while.
async fn listen(
    bus: Arc<dyn Bus>,
    wait: Duration,
    stop: CancellationToken,
) -> anyhow::Result<Signs> {
    let mut signs = Signs::nobody_heard();
    let mut alive = bus.alive().await?;
    let over = tokio::time::sleep(wait);
    tokio::pin!(over);
    loop {
        tokio::select! {
            event = alive.next() => signs.hear(&event?),
            () = &mut over => return Ok(signs),
            () = stop.cancelled() => anyhow::bail!("interrupted before the signs of life were heard"),
        }
    }
}

/// Who runs in the one process: the workers of the configuration, and the planner that came up
/// last.
pub(crate) fn of_the_process(settings: &Settings, fleet: &Fleet) -> BTreeSet<WorkerId> {
    let planners = fleet
        .workers
        .iter()
        .filter(|(_, worker)| worker.role == Role::Planner);
    let newest = planners.max_by_key(|(_, worker)| worker.at);
    let mut alive = roles::worker_ids(settings);
    alive.extend(newest.map(|(id, _)| id.clone()));
    alive
}
