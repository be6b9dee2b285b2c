//! What the planner counts and measures, and what the state of the fleet is in numbers.

use std::sync::Arc;
use std::time::Duration;

use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_bus::{Bus, BusError, topology};
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::inspect::{Census, Count};
use gentoo_updater_fleet::message::{Role, Task, WorkKey};
use gentoo_updater_fleet::name::WorkerId;
use gentoo_updater_fleet::state::Fleet;
use gentoo_updater_runtime::Context;
use gentoo_updater_runtime::monitor::describe;
use gentoo_updater_telemetry::{Label, Metric};
use jiff::Timestamp;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::task::AbortOnDropHandle;

/// The metrics of every planner.
pub const METRICS: &[&Metric] = &[
    &DECISION_SECONDS,
    &ISSUED,
    &REISSUED,
    &BEAT,
    &DEAD_LETTERS,
    &RUNS,
    &GUESTS,
    &JOBS,
    &TASKS,
    &FAILING,
    &REQUESTED,
    &ENDED,
    &MISSED,
];

const KIND: Label = Label::new("kind", &Task::KINDS);
const RUN_STATE: Label = Label::new("state", &Census::RUN_STATES);
const RUN_END: Label = Label::new("outcome", &Census::RUN_ENDS);
const GUEST_STATE: Label = Label::new("outcome", &Census::GUEST_STATES);
const JOB_STATE: Label = Label::new("state", &Census::JOB_STATES);
const TASK_STATE: Label = Label::new("state", &Census::TASK_STATES);
const CAUSE: Label = Label::new(
    "cause",
    &["failed", "lease_lost", "unclaimed", "missing", "operator"],
);

const DECISION_SECONDS: Metric = Metric::histogram(
    "gentoo_updater_planner_decision_duration_seconds",
    &[],
    "Time to find out what is to be done next",
);
const ISSUED: Metric = Metric::counter(
    "gentoo_updater_planner_commands_issued_total",
    &[KIND],
    "Commands that their queues have accepted",
);
const REISSUED: Metric = Metric::counter(
    "gentoo_updater_planner_commands_reissued_total",
    &[KIND, CAUSE],
    "Those of the issued commands that were not the first for their task: the attempt before failed, \
     its worker fell silent (lease_lost), nobody had claimed it (unclaimed), the queue had lost the \
     command (missing), or an operator wanted it",
);
const BEAT: Metric = Metric::gauge(
    "gentoo_updater_planner_last_beat_timestamp_seconds",
    &[],
    "When a sign of life of this planner last came back to it, in seconds since 1970-01-01 UTC; of \
     several planners only the active one gets its own back",
);
const DEAD_LETTERS: Metric = Metric::gauge(
    "gentoo_updater_dead_letters",
    &[],
    "Dead letters that wait for somebody to look at them, as they were counted some seconds ago",
);
const RUNS: Metric = Metric::gauge(
    "gentoo_updater_runs",
    &[RUN_STATE],
    "Runs that the state knows: those that go on and the newest others",
);
const GUESTS: Metric = Metric::gauge(
    "gentoo_updater_guests",
    &[GUEST_STATE],
    "Guests of the newest run that updates, by how they stand",
);
const JOBS: Metric = Metric::gauge(
    "gentoo_updater_jobs",
    &[JOB_STATE],
    "Jobs of the newest run that updates, with its further rounds",
);
const TASKS: Metric = Metric::gauge(
    "gentoo_updater_tasks",
    &[KIND, TASK_STATE],
    "Work of the runs that go on: in its queue, or claimed by a worker, who has a lease on it",
);
const FAILING: Metric = Metric::gauge(
    "gentoo_updater_guests_failing_repeatedly",
    &[],
    "Guests that have failed in each finished run that is known of them, and in at least two",
);
const REQUESTED: Metric = Metric::gauge(
    "gentoo_updater_last_run_requested_timestamp_seconds",
    &[],
    "When the newest run that updates was requested, in seconds since 1970-01-01 UTC",
);
const ENDED: Metric = Metric::gauge(
    "gentoo_updater_last_run_ended_timestamp_seconds",
    &[RUN_END],
    "When the newest run that updates and ended so did end, in seconds since 1970-01-01 UTC; absent \
     while none is known",
);

const MISSED: Metric = Metric::gauge(
    "gentoo_updater_schedules_missed",
    &[],
    "Schedules of the configuration whose newest time has passed without a run",
);

/// How often dead letters are counted.
const DEAD_LETTERS_EVERY: Duration = Duration::from_secs(15);

/// Measures this planner for whoever asks its process, until what is returned is dropped.
pub(crate) fn begin(
    context: &Context,
    id: &WorkerId,
    view: &FleetView,
) -> Option<AbortOnDropHandle<()>> {
    if !context.vitals.is_served() {
        return None;
    }
    describe(METRICS);
    context.vitals.worker(id, Role::Planner);
    let view = view.clone();
    let settings = context.settings.clone();
    context.vitals.measure(move || {
        view.read(|fleet| {
            tell(&Census::of(fleet));
            MISSED.put(number(missed(fleet, &settings)));
        });
    });
    // Beside its work: the broker may take its time to answer.
    let watch = watch_dead_letters(context.bus.clone());
    Some(AbortOnDropHandle::new(tokio::spawn(watch)))
}

async fn watch_dead_letters(bus: Arc<dyn Bus>) {
    let mut looks = interval(DEAD_LETTERS_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        match bus.queue(topology::DEAD).await {
            Ok(state) => DEAD_LETTERS.put(number(state.map_or(0, |state| state.ready))),
            Err(BusError::Closed) => return,
            Err(error) => tracing::debug!(%error, "the dead letters cannot be counted"),
        }
    }
}

/// A decision was made in this time.
pub(crate) fn decided(took: Duration) {
    DECISION_SECONDS.observe([], took);
}

/// A queue has accepted the command of this work; `fleet` does not know that yet.
pub(crate) fn issued(fleet: &Fleet, work: &WorkKey) {
    let kind = work.task.kind();
    ISSUED.count([kind]);
    if let Some(cause) = cause_of(fleet, work) {
        REISSUED.count([kind, cause]);
    }
}

/// Why a command is not the first one for its task, if it is not.
fn cause_of(fleet: &Fleet, work: &WorkKey) -> Option<&'static str> {
    let task = fleet.runs.get(&work.run)?.tasks.get(&work.task)?;
    let own = task.attempts.get(&work.attempt);
    if own.is_some_and(|attempt| attempt.issued.is_some()) {
        return Some("missing");
    }
    let (before, attempt) = task.attempts.range(..work.attempt).next_back()?;
    Some(if *before <= task.before_retry {
        "operator"
    } else if attempt.failure.is_some() {
        "failed"
    } else if attempt.claim.is_some() {
        "lease_lost"
    } else {
        "unclaimed"
    })
}

/// A sign of life of this planner came back to it.
pub(crate) fn beaten(now: Timestamp) {
    BEAT.put(now.as_duration().as_secs_f64());
}

/// Tells how the fleet stands.
fn tell(census: &Census) {
    each(&RUNS, &census.runs);
    each(&GUESTS, &census.guests);
    each(&JOBS, &census.jobs);
    for ((kind, state), count) in &census.tasks {
        TASKS.set([*kind, *state], number(*count));
    }
    FAILING.put(number(census.failing));
    if let Some(requested) = census.requested {
        REQUESTED.put(requested.as_duration().as_secs_f64());
    }
    for (outcome, at) in &census.ended {
        ENDED.set([*outcome], at.as_duration().as_secs_f64());
    }
}

fn missed(fleet: &Fleet, settings: &Settings) -> u64 {
    let states = settings
        .schedules
        .keys()
        .filter_map(|name| fleet.schedules.get(name));
    let missed = states.filter(|state| state.newest_missed().is_some());
    missed.map(|_| 1).sum()
}

fn each(metric: &Metric, count: &Count) {
    for (state, count) in count {
        metric.set([*state], number(*count));
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "nothing that is counted here comes near 2^53"
)]
fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use gentoo_updater_fleet::message::{
        CommandIssued, Envelope, Event, Failure, FailureClass, RunKind, RunRequested, ScanFailed,
        ToSync, WorkStarted,
    };
    use gentoo_updater_fleet::name::RunId;
    use gentoo_updater_fleet::rollout::Rollout;

    use super::*;

    struct Told(Fleet, RunId);

    impl Told {
        fn tell(&mut self, event: Event) {
            let offset = self.0.offset.map_or(0, |offset| offset + 1);
            let sender = "test@1".parse().unwrap();
            let envelope = Envelope::new(sender, Timestamp::UNIX_EPOCH, event);
            self.0.apply(offset, &envelope);
        }

        fn work(&self, attempt: u32) -> WorkKey {
            WorkKey {
                run: self.1,
                task: Task::Scan("web".parse().unwrap()),
                attempt,
            }
        }

        fn issue(&mut self, attempt: u32) {
            self.tell(Event::CommandIssued(CommandIssued {
                command: "6b1f4f0e-53c7-5f9b-9d0e-0d5a6f1b7c21".parse().unwrap(),
                work: self.work(attempt),
                queue: topology::SCAN.to_owned(),
            }));
        }

        fn cause(&self, attempt: u32) -> Option<&'static str> {
            cause_of(&self.0, &self.work(attempt))
        }
    }

    #[test]
    fn a_command_that_is_not_the_first_has_a_cause() {
        let mut told = Told(Fleet::default(), RunId::generate());
        told.tell(Event::RunRequested(RunRequested {
            run: told.1,
            kind: RunKind::ScanOnly,
            guests: [("web".parse().unwrap(), "default".parse().unwrap())].into(),
            force: false,
            sync: ToSync::default(),
            more_rounds: 0,
            follows: None,
            retries: 0,
            rollout: Rollout::default(),
            schedule: None,
        }));
        assert_eq!(told.cause(1), None, "it is the first");
        told.issue(1);
        assert_eq!(told.cause(1), Some("missing"), "its queue has lost it");
        assert_eq!(told.cause(2), Some("unclaimed"));
        told.tell(Event::WorkStarted(WorkStarted {
            work: told.work(1),
            worker: "scanner@a".parse().unwrap(),
            builder: None,
        }));
        assert_eq!(told.cause(2), Some("lease_lost"), "its worker fell silent");
        told.tell(Event::ScanFailed(ScanFailed {
            run: told.1,
            guest: "web".parse().unwrap(),
            attempt: 1,
            failure: Failure::new(FailureClass::Transient, "Unreachable", "no way there"),
        }));
        assert_eq!(told.cause(2), Some("failed"));
    }
}
