//! Which commands may end as dead letters: those that killed their workers, or over which all of
//! them fell silent.

use gentoo_updater_bus::DeadLetter;
use gentoo_updater_fleet::decide::WORKERS_FELL_SILENT;
use gentoo_updater_fleet::message::{Command, Envelope, Event, WorkKey};
use gentoo_updater_fleet::state::TaskOutcome;
use tokio::time::Instant;

use super::End;
use super::claims::{SLACK, first_claims, retries};
use crate::settings::LEASE;

/// The cause of work that its worker has died of too often.
const KILLED_ITS_WORKER: &str = "KilledItsWorker";
/// How often a worker dies over one command before it gives it up.
pub(super) const DEATHS: usize = 3;
/// How often a task is tried where no machine is to blame: `policy.attempts`.
pub(super) const ATTEMPTS: u32 = 3;

/// Every dead letter has a reason in what happened.
pub(super) fn needless_letters(end: &End<'_>) -> Vec<String> {
    let letters = end.dead.iter();
    letters
        .filter_map(|letter| {
            let why = unfounded(end, letter)?;
            let body = String::from_utf8_lossy(&letter.body);
            let DeadLetter { queue, cause, .. } = letter;
            Some(format!("a dead letter of {queue}: {why}: {cause}: {body}"))
        })
        .collect()
}

fn unfounded(end: &End<'_>, letter: &DeadLetter) -> Option<String> {
    let Ok(command) = Envelope::<Command>::decode(&letter.body) else {
        return Some("it is no command".to_owned());
    };
    let work = command.message.work();
    let Some((worker, claimed)) = first_claims(end).remove(&work) else {
        return Some("nobody had claimed it".to_owned());
    };
    let now = Instant::now();
    if letter.cause.starts_with(KILLED_ITS_WORKER) {
        let kills = end.records.kills(&worker, claimed, now);
        return (kills < DEATHS).then(|| format!("{worker} was killed {kills} times only"));
    }
    if letter.cause.starts_with(WORKERS_FELL_SILENT) {
        let until = abandoned(end, &work).unwrap_or(now);
        let records = end.records;
        let silence = records.longest_silence(&worker, &work, claimed, until);
        let is_silent = records.died(&worker, claimed, until) || silence + SLACK >= LEASE;
        let retries = retries(end, &work);
        let before = retries.range(..work.attempt).next_back().copied();
        let attempts = work.attempt - before.unwrap_or(0);
        if attempts < ATTEMPTS {
            return Some(format!("it is of attempt {attempts} only"));
        }
        return (!is_silent).then(|| format!("{worker} lived and was silent for {silence:?} only"));
    }
    Some("no other cause is known here".to_owned())
}

fn abandoned(end: &End<'_>, work: &WorkKey) -> Option<Instant> {
    let mut history = end.history.iter();
    let found = history.find(
        |seen| matches!(&seen.event.message, Event::TaskAbandoned(event) if event.work == *work),
    );
    found.map(|seen| seen.at)
}

/// Whatever is given up because it kills or silences its workers is kept.
pub(super) fn lost_letters(end: &End<'_>) -> Vec<String> {
    let kept = |work_of: &dyn Fn(&WorkKey) -> bool| {
        let commands = end.dead.iter();
        let mut commands =
            commands.filter_map(|letter| Envelope::<Command>::decode(&letter.body).ok());
        commands.any(|command| work_of(&command.message.work()))
    };
    let mut broken = Vec::new();
    for run in end.fleet.runs.values() {
        for (task, state) in &run.tasks {
            let Some(TaskOutcome::Failed { failure, .. }) = &state.outcome else {
                continue;
            };
            let is_kept = || kept(&|work| work.run == run.id && work.task == *task);
            if [KILLED_ITS_WORKER, WORKERS_FELL_SILENT].contains(&failure.cause.as_str())
                && !is_kept()
            {
                broken.push(format!("the command of {task} is not kept: {failure}"));
            }
        }
    }
    broken
}
