//! Workers as a table.

use gentoo_updater_fleet::inspect::{PauseCause, WorkerState, WorkerView, WorkerWork};
use gentoo_updater_fleet::message::PauseTarget;
use gentoo_updater_fleet::needs::Capacity;
use gentoo_updater_fleet::report::PauseReport;
use gentoo_updater_fleet::words::because;
use jiff::Timestamp;

use crate::output;
use crate::time::{ago, words};

/// The table. What a worker does beside the first thing stands in lines of its own.
pub(super) fn text(workers: &[WorkerView], now: Timestamp) -> String {
    let mut rows = vec![["WORKER", "STATE", "LAST SEEN", "WHAT"].map(str::to_owned)];
    for worker in workers {
        let mut details = details(worker, now).into_iter();
        rows.push([
            worker.worker.to_string(),
            state(worker.state).to_owned(),
            worker
                .last_seen
                .map_or_else(String::new, |seen| ago(seen, now)),
            details.next().unwrap_or_else(|| "-".to_owned()),
        ]);
        rows.extend(details.map(|detail| [String::new(), String::new(), String::new(), detail]));
    }
    output::table(&rows)
}

/// The pauses that none of these workers shows, a line for each: nobody is there whom they keep
/// from work, and whoever comes up will be kept.
pub(super) fn pauses_of_nobody(
    pauses: &[PauseReport],
    workers: &[WorkerView],
    now: Timestamp,
) -> String {
    let shows = |worker: &WorkerView, wanted: &PauseTarget| {
        worker
            .paused
            .iter()
            .any(|cause| matches!(cause, PauseCause::Operator { target, .. } if target == wanted))
    };
    let of_nobody = pauses
        .iter()
        .filter(|pause| !workers.iter().any(|worker| shows(worker, &pause.target)));
    let lines = of_nobody.map(|pause| {
        let PauseReport {
            target,
            by,
            since,
            reason,
        } = pause;
        let (since, reason) = (ago(*since, now), because(reason.as_deref()));
        let nobody = match target {
            PauseTarget::Role(role) => format!("no {role} has come up"),
            PauseTarget::Worker(_) => "it has not come up".to_owned(),
        };
        output::harmless(&format!(
            "{target} is paused by {by} {since}{reason} ({nobody})"
        ))
        .replace('\n', " ")
    });
    lines.map(|line| line + "\n").collect()
}

fn state(state: WorkerState) -> &'static str {
    match state {
        WorkerState::Busy => "busy",
        WorkerState::Idle => "idle",
        WorkerState::Paused => "paused",
        WorkerState::Silent => "silent",
    }
}

fn details(worker: &WorkerView, now: Timestamp) -> Vec<String> {
    let mut details = Vec::new();
    if worker.state == WorkerState::Silent
        && let Some(at) = worker.registered_at
    {
        details.push(format!("last came up {}", ago(at, now)));
    }
    details.extend(
        worker
            .working_on
            .iter()
            .map(|work| working_on(worker.state, work, now)),
    );
    if let Some(capacity) = &worker.capacity {
        let Capacity {
            memory_megabytes: memory,
            disk_megabytes: disk,
        } = capacity;
        details.push(format!(
            "it builds with {memory} MB of memory, {disk} MB of space"
        ));
    }
    if let Some(trouble) = &worker.bus_trouble {
        details.push(format!("its bus: {trouble}"));
    }
    details.extend(worker.paused.iter().map(|cause| paused(cause, now)));
    details
}

fn working_on(state: WorkerState, work: &WorkerWork, now: Timestamp) -> String {
    let since = work.since.map(|since| now.duration_since(since));
    let task = &work.task;
    match (state, since) {
        (WorkerState::Silent, Some(since)) => {
            format!("claimed {} ago and without a result: {task}", words(since))
        }
        (_, Some(since)) => format!("{task}, for {}", words(since)),
        (_, None) => task.to_string(),
    }
}

fn paused(cause: &PauseCause, now: Timestamp) -> String {
    match cause {
        PauseCause::Operator {
            target,
            by,
            since,
            reason,
        } => {
            let whom = match target {
                PauseTarget::Role(_) => format!("{target} is paused"),
                PauseTarget::Worker(_) => "paused".to_owned(),
            };
            let (since, reason) = (ago(*since, now), because(reason.as_deref()));
            format!("{whom} by {by} {since}{reason}")
        }
        PauseCause::Unfit {
            builder,
            cause,
            message,
        } => {
            let machine = match builder {
                Some(builder) => format!("machine {builder}"),
                None => "its machine".to_owned(),
            };
            format!("{machine} is unfit: {cause}: {message}")
        }
    }
}
