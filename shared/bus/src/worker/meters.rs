//! What the loop of every worker counts and measures.

use std::time::Duration;

use gentoo_updater_fleet::message::{Command, Envelope, Event, Failure, FailureClass, Role, Task};
use gentoo_updater_telemetry::{Label, Metric};
use jiff::Timestamp;
use tokio::time::Instant;

use super::claim::Standing;

/// The metrics of every worker.
pub const METRICS: &[&Metric] = &[
    &BEGUN,
    &ENDED,
    &WORK_SECONDS,
    &WAIT_SECONDS,
    &RETRIED,
    &RESUMED,
    &IN_PROGRESS,
    &CLAIMS,
    &WORKERS,
    &SLOTS,
    &SLOTS_TAKEN,
    &PAUSED,
    &UNFIT,
];

const KIND: Label = Label::new("kind", &Task::KINDS);
const OUTCOME: Label = Label::new("outcome", &["done", "transient", "permanent", "machine"]);
const RESULT: Label = Label::new("result", &["won", "lost", "late", "unknown"]);
const ROLE: Label = Label::new("role", &["scanner", "builder", "installer", "janitor"]);

const BEGUN: Metric = Metric::counter(
    "gentoo_updater_work_begun_total",
    &[KIND],
    "Attempts that were begun",
);
const ENDED: Metric = Metric::counter(
    "gentoo_updater_work_ended_total",
    &[KIND, OUTCOME],
    "Attempts that ended: done, or failed with this class of failure",
);
const WORK_SECONDS: Metric = Metric::histogram(
    "gentoo_updater_work_duration_seconds",
    &[KIND],
    "Time from the begin of an attempt in this process to its end",
);
const WAIT_SECONDS: Metric = Metric::histogram(
    "gentoo_updater_work_wait_seconds",
    &[KIND],
    "Time from the making of a command to the begin of its work, by the clocks of both machines",
);
const RETRIED: Metric = Metric::counter(
    "gentoo_updater_work_retried_total",
    &[KIND],
    "Attempts begun that were not the first at their task",
);
const RESUMED: Metric = Metric::counter(
    "gentoo_updater_work_resumed_total",
    &[KIND],
    "Attempts gone on with after a restart of the worker",
);
const IN_PROGRESS: Metric = Metric::gauge(
    "gentoo_updater_work_in_progress",
    &[KIND],
    "Attempts that are worked on",
);
const CLAIMS: Metric = Metric::counter(
    "gentoo_updater_claims_total",
    &[RESULT],
    "Claims by what became of them: the first (won), behind another worker's (lost), of an attempt \
     that was over (late), or of a run that the history does not know (unknown)",
);
const WORKERS: Metric = Metric::gauge(
    "gentoo_updater_workers",
    &[ROLE],
    "Workers that serve their queues in this process",
);
const SLOTS: Metric = Metric::gauge(
    "gentoo_updater_worker_slots",
    &[ROLE],
    "How many commands the workers of this process can work on at once",
);
const SLOTS_TAKEN: Metric = Metric::gauge(
    "gentoo_updater_worker_slots_taken",
    &[ROLE],
    "How many of these slots are taken; a large build takes several",
);
const PAUSED: Metric = Metric::gauge(
    "gentoo_updater_workers_paused",
    &[ROLE],
    "Workers of this process that take nothing new because an operator wants it so",
);
const UNFIT: Metric = Metric::gauge(
    "gentoo_updater_workers_unfit",
    &[ROLE],
    "Workers of this process that take nothing because their machine is not fit or is being checked",
);

/// What became of a claim.
pub(super) fn claimed(standing: &Standing) {
    let result = match standing {
        Standing::Ours | Standing::Free => "won",
        Standing::Theirs(_) => "lost",
        Standing::Over => "late",
        Standing::UnknownRun => "unknown",
    };
    CLAIMS.count([result]);
}

/// Work goes on after a restart.
pub(super) fn resumed(task: &Task) {
    RESUMED.count([task.kind()]);
}

/// One attempt that is worked on, for as long as this lives.
pub(super) struct Measured {
    kind: &'static str,
    since: Instant,
}

impl Measured {
    pub(super) fn begin(command: &Envelope<Command>, now: Timestamp) -> Self {
        let work = command.message.work();
        let kind = work.task.kind();
        BEGUN.count([kind]);
        if work.attempt > 1 {
            RETRIED.count([kind]);
        }
        // A clock that is behind the planner's makes no negative times.
        let waited = Duration::try_from(now.duration_since(command.at)).unwrap_or_default();
        WAIT_SECONDS.observe([kind], waited);
        IN_PROGRESS.change([kind], 1.0);
        Self {
            kind,
            since: Instant::now(),
        }
    }

    pub(super) fn end(self, result: &Event) {
        let outcome = match result.failure().map(|Failure { class, .. }| class) {
            None => "done",
            Some(FailureClass::Transient) => "transient",
            Some(FailureClass::Permanent) => "permanent",
            Some(FailureClass::Machine) => "machine",
        };
        ENDED.count([self.kind, outcome]);
        WORK_SECONDS.observe([self.kind], self.since.elapsed());
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        IN_PROGRESS.change([self.kind], -1.0);
    }
}

/// What one worker adds to the gauges of its process, which may have several of a role.
pub(super) struct Gauges {
    role: Option<&'static str>,
    told: [f64; 4],
}

/// How a worker is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Condition {
    pub(super) slots: u16,
    pub(super) taken: u16,
    pub(super) is_paused: bool,
    pub(super) is_fit: bool,
}

impl Gauges {
    pub(super) fn new(role: Role) -> Self {
        let role = match role {
            Role::Scanner => Some("scanner"),
            Role::Builder => Some("builder"),
            Role::Installer => Some("installer"),
            Role::Janitor => Some("janitor"),
            // They take no commands.
            Role::Planner | Role::Scheduler | Role::Notifier | Role::Operator => None,
        };
        let gauges = Self {
            role,
            told: [0.0; 4],
        };
        gauges.count_worker(1.0);
        gauges
    }

    fn count_worker(&self, by: f64) {
        if let Some(role) = self.role {
            WORKERS.change([role], by);
        }
    }

    pub(super) fn tell(&mut self, condition: Condition) {
        let Condition {
            slots,
            taken,
            is_paused,
            is_fit,
        } = condition;
        self.change([
            slots.into(),
            taken.into(),
            is_paused.into(),
            (!is_fit).into(),
        ]);
    }

    fn change(&mut self, now: [f64; 4]) {
        let Some(role) = self.role else { return };
        let gauges = [SLOTS, SLOTS_TAKEN, PAUSED, UNFIT];
        for ((gauge, now), told) in gauges.iter().zip(now).zip(self.told) {
            gauge.change([role], now - told);
        }
        self.told = now;
    }
}

impl Drop for Gauges {
    fn drop(&mut self) {
        self.change([0.0; 4]);
        self.count_worker(-1.0);
    }
}
