//! What waits, and why.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::name::PlatformName;
use crate::report::{PauseReport, Report, paused};
use crate::state::Fleet;
use crate::words::{because, counted};

/// What the bus says beside the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BusStatus {
    /// Of the queues in which work waits, by their names: how much, and how many take it. The broker does not
    /// have those of which it says nothing.
    Broker(BTreeMap<String, (usize, Option<u32>)>),
    /// There is none: all roles are in one process, which there is or is not.
    Process {
        /// Whether there is one.
        lives: bool,
    },
}

/// Something that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WaitingView {
    /// For what: `rollout`, `pause`, `worker`, `builder` or `process`.
    pub kind: &'static str,
    /// What waits, and why.
    pub words: String,
    /// What ends it; absent where it ends by itself, or the words tell it.
    pub next_step: Option<String>,
}

impl WaitingView {
    fn new(kind: &'static str, words: String, next_step: Option<String>) -> Self {
        Self {
            kind,
            words,
            next_step,
        }
    }

    fn of_pause(pause: &PauseReport) -> Self {
        let (target, by) = (&pause.target, &pause.by);
        let reason = because(pause.reason.as_deref());
        Self::new(
            "pause",
            format!("{target}: takes no new work, paused by {by}{reason}"),
            Some(pause.next_step()),
        )
    }
}

/// All that waits in the runs of these reports, and who takes no work, whether a run goes on or not.
pub(super) fn all<'a>(
    fleet: &Fleet,
    reports: impl Iterator<Item = &'a Report>,
    bus: &BusStatus,
) -> Vec<WaitingView> {
    let reports: Vec<&Report> = reports.collect();
    let pauses = paused(fleet);
    let mut all: Vec<WaitingView> = pauses.iter().map(WaitingView::of_pause).collect();
    if reports.is_empty() {
        return all;
    }
    if *bus == (BusStatus::Process { lives: false }) {
        let process = WaitingView::new(
            "process",
            "all of it: no process works on this fleet".to_owned(),
            Some("`gentoo-updater run` goes on with it".to_owned()),
        );
        all.insert(0, process);
    }
    all.extend(without_builder(fleet, bus));
    if let BusStatus::Broker(queues) = bus {
        all.extend(without_worker(queues));
    }
    let waits = reports.iter().flat_map(|report| &report.waits);
    all.extend(waits.map(|wait| WaitingView::new("rollout", wait.to_string(), None)));
    all
}

/// The platforms of which something is to be built and for which no builder has ever come up.
fn without_builder(fleet: &Fleet, bus: &BusStatus) -> Vec<WaitingView> {
    let next_step = match bus {
        BusStatus::Broker(_) => "start gentoo-updater-builder for one of that platform",
        BusStatus::Process { lives: true } => "`gentoo-updater doctor` looks at the builders",
        // Builders come up with the process.
        BusStatus::Process { lives: false } => return Vec::new(),
    };
    let mut open: BTreeMap<&PlatformName, usize> = BTreeMap::new();
    for run in fleet.unfinished() {
        let progress = run.progress();
        for job in run.jobs.iter().flat_map(|jobs| jobs.values()) {
            if progress.get(&job.id).is_some_and(|it| !it.is_over()) {
                *open.entry(&job.platform).or_default() += 1;
            }
        }
    }
    let has_builder = |platform: &PlatformName| {
        let mut machines = fleet.workers.values().filter_map(|it| it.machine.as_ref());
        machines.any(|machine| machine.platform == *platform)
    };
    let alone = open
        .into_iter()
        .filter(|(platform, _)| !has_builder(platform));
    let view = |(platform, number): (&PlatformName, usize)| {
        WaitingView::new(
            "builder",
            format!(
                "{} of {platform}: no builder has come up",
                counted(number, "build")
            ),
            Some(next_step.to_owned()),
        )
    };
    alone.map(view).collect()
}

/// The queues in which work waits and that nobody serves.
fn without_worker(queues: &BTreeMap<String, (usize, Option<u32>)>) -> Vec<WaitingView> {
    let is_unserved = |waiting: usize, consumers: Option<u32>| waiting > 0 && consumers == Some(0);
    let unserved = queues
        .iter()
        .filter(|(_, (waiting, consumers))| is_unserved(*waiting, *consumers));
    let view = |(name, (waiting, _)): (&String, &(usize, Option<u32>))| {
        let number = counted(*waiting, "command");
        WaitingView::new(
            "worker",
            format!("{number} in {name}: no worker takes them"),
            Some("start one, or see why it takes none: `gentoo-updater workers`".to_owned()),
        )
    };
    unserved.map(view).collect()
}
