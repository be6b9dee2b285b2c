//! Who may work: what the history says of one attempt.

use std::time::Duration;

use gentoo_updater_fleet::message::WorkKey;
use gentoo_updater_fleet::name::WorkerId;
use gentoo_updater_fleet::needs::{Needs, lacking};
use gentoo_updater_fleet::state::{Fleet, TaskState};
use jiff::Timestamp;

/// For how long a worker whose machine failed leaves the next attempt to others that seem idle.
const LEFT_TO_IDLE: Duration = Duration::from_secs(60);

/// For how long a worker leaves what its machine is too small for to one that is large enough and seems
/// idle: longer than a lease.
const LEFT_TO_LARGER: Duration = Duration::from_secs(300);

/// What the history says of one attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nobody has claimed it.
    Free,
    /// This worker's claim is the first.
    Ours,
    /// Another worker's claim is the first.
    Theirs(WorkerId),
    /// It has a result, its run is over, or a later attempt has taken its place.
    Over,
    /// The state does not know its run.
    UnknownRun,
}

/// Looks an attempt up.
pub(super) fn standing(fleet: &Fleet, work: &WorkKey, me: &WorkerId) -> Standing {
    let Some(run) = fleet.runs.get(&work.run) else {
        return match fleet.is_over(work.run) {
            true => Standing::Over,
            false => Standing::UnknownRun,
        };
    };
    let task = run.tasks.get(&work.task);
    let attempt = task.and_then(|task| task.attempts.get(&work.attempt));
    let has_failed = attempt.is_some_and(|attempt| attempt.failure.is_some());
    if fleet.is_finished(work) || has_failed {
        return Standing::Over;
    }
    let mut later = task
        .into_iter()
        .flat_map(|task| &task.attempts)
        .filter(|(number, _)| **number > work.attempt);
    match fleet.claim(work) {
        // The lease ran out while this worker was away, and somebody works on it by now.
        Some(_) if later.any(|(_, attempt)| attempt.claim.is_some()) => Standing::Over,
        Some(worker) if worker == me => Standing::Ours,
        Some(worker) => Standing::Theirs(worker.clone()),
        None if later.next().is_some() => Standing::Over,
        // An operator's retry came in between.
        None if task.is_some_and(|task| work.attempt <= task.before_retry) => Standing::Over,
        None => Standing::Free,
    }
}

/// Whether an attempt is to be left to another worker: an earlier one failed here for the machine,
/// and another worker serves the queue that is at work (it comes when it is done) or had no time
/// yet to come. Else an idle worker with an unfit machine would use up all attempts of whatever
/// waits for a busy one.
pub(super) fn is_for_another(
    fleet: &Fleet,
    work: &WorkKey,
    me: &WorkerId,
    queue: &String,
    now: Timestamp,
) -> bool {
    let run = fleet.runs.get(&work.run);
    let task = run.and_then(|run| run.tasks.get(&work.task));
    let failed_at = task
        .into_iter()
        .flat_map(|task| task.attempts.range(..work.attempt))
        .filter(|(_, attempt)| attempt.claim.as_ref().is_some_and(|c| c.worker == *me))
        .filter_map(|(_, attempt)| attempt.failure.as_ref())
        .filter(|(failure, _)| failure.is_of_machine())
        .map(|(_, at)| *at)
        .max();
    let Some(failed_at) = failed_at else {
        return false;
    };
    let is_fresh = now.duration_since(failed_at).unsigned_abs() < LEFT_TO_IDLE;
    others(fleet, me, queue).any(|other| is_fresh || is_at_work(fleet, other))
}

/// Whether an attempt is to be left to another worker: this machine has too little for it, and another
/// one has enough, whose worker is at work or had no time yet to come. When it does not come, this one
/// takes it and says what it lacks.
pub(super) fn is_for_larger(
    fleet: &Fleet,
    work: &WorkKey,
    needs: &Needs,
    me: &WorkerId,
    queue: &String,
    now: Timestamp,
) -> bool {
    let own = fleet.workers.get(me);
    if own.is_none_or(|worker| lacking(worker, needs).is_none()) {
        return false;
    }
    // By then the planner knows whether it lives, and waits with the next attempt if it does not.
    let is_fresh = || {
        let task = fleet.runs.get(&work.run)?.tasks.get(&work.task)?;
        let issued = task.attempts.get(&work.attempt)?.issued.as_ref()?;
        Some(now.duration_since(issued.last).unsigned_abs() < LEFT_TO_LARGER)
    };
    // What the history does not tell yet was issued a moment ago.
    let is_fresh = is_fresh().unwrap_or(true);
    let is_large = |other: &&WorkerId| {
        let worker = fleet.workers.get(*other);
        worker.is_some_and(|worker| worker.paused.is_none() && lacking(worker, needs).is_none())
    };
    let mut larger = others(fleet, me, queue).filter(is_large);
    larger.any(|other| is_fresh || is_at_work(fleet, other))
}

/// The other workers that have ever served a queue.
pub(super) fn others<'a>(
    fleet: &'a Fleet,
    me: &'a WorkerId,
    queue: &'a String,
) -> impl Iterator<Item = &'a WorkerId> {
    let serving = fleet.workers.iter();
    serving
        .filter(move |(id, worker)| *id != me && worker.queues.contains(queue))
        .map(|(id, _)| id)
}

/// Whether a worker holds a claim. One that fell silent loses it to the next attempt.
fn is_at_work(fleet: &Fleet, worker: &WorkerId) -> bool {
    let holds = |task: &TaskState| {
        let newest = task.attempts.values().next_back();
        task.outcome.is_none()
            && newest.is_some_and(|attempt| {
                let claim = attempt.claim.as_ref();
                attempt.failure.is_none() && claim.is_some_and(|claim| claim.worker == *worker)
            })
    };
    fleet.unfinished().any(|run| run.tasks.values().any(holds))
}

#[cfg(test)]
mod tests {
    use gentoo_updater_fleet::message::{
        BuilderMachine, CommandIssued, Event, Failure, FailureClass, Role, WorkStarted,
        WorkerRegistered,
    };
    use gentoo_updater_fleet::name::RunId;
    use gentoo_updater_fleet::needs::Capacity;

    use super::*;
    use crate::testing::{run_requested, said, scan_command, scan_failed};
    use crate::topology::SCAN;

    struct Told(Fleet, u64);

    impl Told {
        fn tell(&mut self, event: Event) {
            self.1 += 1;
            self.0.apply(self.1, &said(event));
        }

        fn claim(&mut self, work: &WorkKey, worker: &str) {
            self.tell(Event::WorkStarted(WorkStarted {
                work: work.clone(),
                worker: worker.parse().unwrap(),
                builder: None,
            }));
        }

        fn register(&mut self, worker: &str) {
            self.tell(Event::WorkerRegistered(WorkerRegistered {
                worker: worker.parse().unwrap(),
                role: Role::Builder,
                queues: vec![SCAN.to_owned()],
                machine: None,
            }));
        }

        fn leaves(&self, work: &WorkKey, seconds_later: i64) -> bool {
            let me = "builder@spare".parse().unwrap();
            let now = Timestamp::now() + jiff::SignedDuration::from_secs(seconds_later);
            is_for_another(&self.0, work, &me, &SCAN.to_owned(), now)
        }
    }

    #[test]
    fn an_attempt_after_a_failure_here_is_left_to_who_is_at_work_and_shortly_to_who_is_idle() {
        let run = RunId::generate();
        let mut told = Told(Fleet::default(), 0);
        told.tell(run_requested(run).message);
        told.register("builder@spare");
        let first = scan_command(run, 1).message;
        let second = scan_command(run, 2).message.work();
        told.claim(&first.work(), "builder@spare");
        let off = Failure::new(FailureClass::Machine, "DiskFull", "no space");
        told.tell(scan_failed(&first, off));
        assert!(!told.leaves(&second, 0), "nobody else serves the queue");

        told.register("builder@fast");
        assert!(told.leaves(&second, 0));
        assert!(!told.leaves(&second, 120), "the other one does not come");

        let other = RunId::generate();
        told.tell(run_requested(other).message);
        told.claim(&scan_command(other, 1).message.work(), "builder@fast");
        assert!(told.leaves(&second, 7200), "the other one is at work");
        told.claim(&scan_command(other, 2).message.work(), "builder@third");
        assert!(
            !told.leaves(&second, 7200),
            "the other one has fallen silent"
        );
    }

    #[test]
    fn what_needs_more_than_this_machine_has_is_left_to_who_has_it_while_that_may_come() {
        let run = RunId::generate();
        let mut told = Told(Fleet::default(), 0);
        told.tell(run_requested(run).message);
        let mut register = |worker: &str, memory_megabytes| {
            told.tell(Event::WorkerRegistered(WorkerRegistered {
                worker: worker.parse().unwrap(),
                role: Role::Builder,
                queues: vec![SCAN.to_owned()],
                machine: Some(BuilderMachine {
                    builder: "b1".parse().unwrap(),
                    platform: "default".parse().unwrap(),
                    compiles_as: None,
                    slots: Some(1),
                    capacity: Some(Capacity {
                        memory_megabytes,
                        disk_megabytes: 100_000,
                    }),
                }),
            }));
        };
        register("builder@spare", 4000);
        register("builder@weak", 4000);
        register("builder@large", 8000);
        let command = scan_command(run, 1).message;
        let work = command.work();
        told.tell(Event::CommandIssued(CommandIssued {
            command: command.id().unwrap(),
            work: work.clone(),
            queue: SCAN.to_owned(),
        }));
        let leaves = |told: &Told, me: &str, memory, seconds_later| {
            let now = Timestamp::now() + jiff::SignedDuration::from_secs(seconds_later);
            let needs = Needs {
                memory_megabytes: Some(memory),
                disk_megabytes: None,
            };
            let (me, queue) = (me.parse().unwrap(), SCAN.to_owned());
            is_for_larger(&told.0, &work, &needs, &me, &queue, now)
        };
        assert!(leaves(&told, "builder@spare", 8000, 0));
        assert!(!leaves(&told, "builder@spare", 4000, 0), "it has that");
        assert!(!leaves(&told, "builder@large", 8000, 0), "it has that");
        assert!(!leaves(&told, "builder@spare", 8001, 0), "nobody has that");
        assert!(
            !leaves(&told, "builder@spare", 8000, 600),
            "it does not come"
        );
        let other = RunId::generate();
        told.tell(run_requested(other).message);
        told.claim(&scan_command(other, 1).message.work(), "builder@large");
        assert!(leaves(&told, "builder@spare", 8000, 600), "it is at work");
    }

    #[test]
    fn an_attempt_after_a_failure_of_the_package_is_left_to_nobody() {
        let run = RunId::generate();
        let mut told = Told(Fleet::default(), 0);
        told.tell(run_requested(run).message);
        told.register("builder@fast");
        let first = scan_command(run, 1).message;
        told.claim(&first.work(), "builder@spare");
        let fetch = Failure::new(FailureClass::Transient, "FetchFailure", "no mirror");
        told.tell(scan_failed(&first, fetch));
        assert!(!told.leaves(&scan_command(run, 2).message.work(), 0));
    }
}
