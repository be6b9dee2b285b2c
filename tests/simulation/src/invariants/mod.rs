//! What must hold when a run is over.

mod claims;
mod collecting;
mod deadly;
mod letters;
mod order;
mod rounds;
mod searching;
mod snapshots;
mod syncing;

use gentoo_updater_bus::DeadLetter;
use gentoo_updater_fleet::message::{Binary, Envelope, Event, Task, WorkKey};
use gentoo_updater_fleet::name::JobId;
use gentoo_updater_fleet::report::{GuestOutcome, guest_outcome};
use gentoo_updater_fleet::state::{Fleet, JobProgress, Run, TaskOutcome};

use crate::observer::Seen;
use crate::records::Records;
use crate::world::World;

/// What is known when it is over.
pub struct End<'a> {
    /// The world.
    pub world: &'a World,
    /// The state, as an undisturbed reader folded it while it happened.
    pub fleet: &'a Fleet,
    /// The whole history.
    pub history: &'a [Seen],
    /// What an operator has had tried again: the last attempts before that.
    pub retried: &'a [WorkKey],
    /// The dead letters.
    pub dead: &'a [DeadLetter],
    /// What was seen of workers.
    pub records: &'a Records,
    /// Whether history and snapshots are written and read again before they are replayed. That
    /// takes as long as all else that is looked at here.
    pub is_written: bool,
    /// The state of whoever comes up at the end.
    pub newcomer: &'a Fleet,
}

/// What does not hold, in words.
pub fn broken(end: &End<'_>) -> Vec<String> {
    let mut broken = end.world.state().violations.clone();
    broken.extend(end.records.violations());
    let (guests, jobs) = (end.world.guests.len(), end.world.packages.jobs());
    if guests < 3 || jobs < 8 {
        broken.push(format!("{guests} guests and {jobs} jobs are no fleet"));
    }
    broken.extend(replay_differs(end));
    for run in end.fleet.runs.values() {
        broken.extend(jobs_without_end(run));
        broken.extend(guests_without_outcome(run));
        broken.extend(ends_without_cause(run));
        broken.extend(wrong_binaries(end.world, run));
    }
    broken.extend(rounds::missing_or_needless(end));
    broken.extend(claims::needless_attempts(end));
    broken.extend(claims::needless_compilations(end));
    broken.extend(order::early_compilations(end));
    broken.extend(syncing::early_scans(end));
    broken.extend(searching::early_builds(end));
    broken.extend(searching::builds_of_what_was_there(end));
    broken.extend(collecting::searches_meanwhile(end));
    broken.extend(collecting::forgotten(end));
    broken.extend(doubled_results(end));
    broken.extend(letters::needless_letters(end));
    broken.extend(letters::lost_letters(end));
    broken.extend(deadly::deadly_work_that_goes_on(end));
    broken.extend(snapshots::snapshots_differ(end));
    broken.extend(snapshots::newcomer_differs(end));
    broken
}

/// The same history gives the same state, byte for byte.
fn replay_differs(end: &End<'_>) -> Option<String> {
    let mut replayed = Fleet::default();
    for seen in end.history {
        if end.is_written {
            let text = seen.event.encode().expect("an event is JSON");
            let event = Envelope::decode(&text).expect("what was written can be read");
            replayed.apply(seen.offset, &event);
        } else {
            replayed.apply(seen.offset, &seen.event);
        }
    }
    differs("a replay", &replayed, end.fleet)
}

/// Whether two states are not the same, byte for byte. What is equal is written in the same way.
fn differs(what: &str, one: &Fleet, other: &Fleet) -> Option<String> {
    let text = |fleet: &Fleet| serde_json::to_string(fleet).expect("a state is JSON");
    (one != other).then(|| {
        let (one, other) = (text(one), text(other));
        format!("{what} gives another state:\n{one}\n{other}")
    })
}

/// Every job is built, has failed or is held back.
fn jobs_without_end(run: &Run) -> Vec<String> {
    let progress = run.progress();
    let open = progress.iter().filter(|(_, progress)| !progress.is_over());
    open.map(|(job, progress)| format!("job {} ends as {progress:?}", job.short()))
        .collect()
}

/// Every guest has one outcome, which is no state on the way.
fn guests_without_outcome(run: &Run) -> Vec<String> {
    let on_the_way = |outcome| {
        use GuestOutcome::{Building, Installing, Pending, Scanning};
        matches!(outcome, Scanning | Pending | Building | Installing)
    };
    let guests = run.guests.keys();
    guests
        .map(|guest| (guest, guest_outcome(run, guest)))
        .filter(|(_, outcome)| on_the_way(*outcome))
        .map(|(guest, outcome)| format!("guest {guest} ends as {outcome:?}"))
        .collect()
}

/// Whatever failed or is held back says why.
fn ends_without_cause(run: &Run) -> Vec<String> {
    let mut broken = Vec::new();
    for (task, state) in &run.tasks {
        match &state.outcome {
            // What was ordered in the moment of a retry counts for nothing.
            None if state.newest().is_some() => broken.push(format!("{task} has no outcome")),
            None => {}
            Some(TaskOutcome::Failed { failure, .. })
                if failure.cause.is_empty() || failure.message.is_empty() =>
            {
                broken.push(format!("{task} failed without a cause"));
            }
            Some(_) => {}
        }
    }
    for (job, progress) in run.progress().iter() {
        if let JobProgress::HeldBack(cause) = progress
            && run.failure(&Task::Build(cause.clone())).is_none()
        {
            broken.push(format!(
                "job {} is held back by what did not fail",
                job.short()
            ));
        }
    }
    broken
}

/// The state names the binaries that the store has, and guests got no others.
fn wrong_binaries(world: &World, run: &Run) -> Vec<String> {
    let state = world.state();
    let mut broken = Vec::new();
    for (job, built) in &run.built {
        if state.store.get(job) != Some(&built.binary) {
            broken.push(format!(
                "job {} has another binary in the store",
                job.short()
            ));
        }
    }
    for ((guest, of), binaries) in &state.installed {
        let known = |binary: &Binary| run.built.values().any(|built| built.binary == *binary);
        if *of == run.id
            && let Some(binary) = binaries.iter().find(|binary| !known(binary))
        {
            broken.push(format!("{guest} got {}, which nobody built", binary.path));
        }
    }
    broken
}

/// One result of each task counts, and one end of each run. Where an operator wanted another attempt
/// it may be a later one than the first, which came when the task had failed already.
fn doubled_results(end: &End<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    for run in end.fleet.runs.values() {
        let found = searching::first_found(end, run);
        let first_built = |job: &JobId| {
            let events = end.history.iter().map(|seen| &seen.event.message);
            let mut built = events.filter_map(|event| match event {
                Event::PackageBuilt(built) if built.run == run.id && built.job == *job => {
                    Some(built.clone())
                }
                _ => None,
            });
            let searched = found.and_then(|it| Some(it.reused(job, it.held.get(job)?)));
            searched.or_else(|| built.next())
        };
        let is_retried = |job: &JobId| {
            let work = WorkKey {
                run: run.id,
                task: Task::Build(job.clone()),
                attempt: 1,
            };
            !claims::retries(end, &work).is_empty()
        };
        for (job, built) in &run.built {
            if first_built(job).as_ref() != Some(built) && !is_retried(job) {
                broken.push(format!(
                    "not the first result of job {} counts",
                    job.short()
                ));
            }
        }
    }
    broken
}
