//! What a retry means, in words. Pure.

use std::collections::BTreeSet;

use gentoo_updater_fleet::inspect::{KnownAs, Nothing};
use gentoo_updater_fleet::message::{Task, WorkKey};
use gentoo_updater_fleet::name::{GuestName, RunId};
use gentoo_updater_fleet::state::{JobProgress, Run};
use gentoo_updater_fleet::words::counted;

/// What is tried again within its run.
pub(super) fn again<'a>(
    run: &Run,
    work: &[WorkKey],
    left: impl IntoIterator<Item = &'a GuestName>,
) -> String {
    let names: Vec<String> = work.iter().map(|work| name(run, &work.task)).collect();
    let mut text = format!(
        "{} again in run {}, with all attempts anew: {}. What was held back for it goes on. Guests \
         that were updated without it meanwhile get it in a further round.",
        counted(names.len(), "task"),
        run.id,
        names.join(", ")
    );
    let left: Vec<&str> = left.into_iter().map(GuestName::as_str).collect();
    if !left.is_empty() {
        text.push_str(&format!(
            " It helps not: {}, for which `gentoo-updater retry {}` starts a further run when this \
             one is over.",
            left.join(", "),
            run.id.short()
        ));
    }
    text
}

/// A task as an operator knows it.
pub(super) fn name(run: &Run, task: &Task) -> String {
    let job = match task {
        Task::Build(id) => run.jobs.as_ref().and_then(|jobs| jobs.get(id)),
        _ => None,
    };
    match job {
        Some(job) => format!("build of {}", job.key.cpv),
        None => task.to_string(),
    }
}

/// A further run.
pub(super) fn further<'a>(
    run: RunId,
    of: RunId,
    guests: impl IntoIterator<Item = &'a GuestName>,
) -> String {
    let guests: Vec<&str> = guests.into_iter().map(GuestName::as_str).collect();
    format!(
        "Run {run} was asked for: {} that did not get all of it in run {}, {}. What is built is \
         found in the store.",
        counted(guests.len(), "guest"),
        of.short(),
        guests.join(" ")
    )
}

/// Why nothing was said.
pub(super) fn nothing(nothing: &Nothing) -> String {
    match nothing {
        Nothing::NotFailed(run) => format!("Nothing to retry: nothing of run {run} failed so far."),
        Nothing::NotWithin { run, begun, others } => {
            let names = |guests: &BTreeSet<GuestName>| {
                let names: Vec<&str> = guests.iter().map(GuestName::as_str).collect();
                names.join(", ")
            };
            let mut why = Vec::new();
            if !begun.is_empty() {
                why.push(format!(
                    "what was begun on a guest is not tried again within one run ({})",
                    names(begun)
                ));
            }
            if !others.is_empty() {
                why.push(format!(
                    "others lack something that no further attempt brings ({})",
                    names(others)
                ));
            }
            format!(
                "Nothing to retry in run {run}: {}. `gentoo-updater run` after this one updates them.",
                why.join("; ")
            )
        }
        Nothing::AllWell(run) => format!(
            "Nothing to retry: every guest of run {run} has what it wanted, or got it by a later \
             run."
        ),
        Nothing::Jobs(jobs) => {
            let jobs: Vec<String> = jobs.iter().map(job).collect();
            format!("Nothing to retry: {}.", jobs.join(", "))
        }
    }
}

fn job(known: &KnownAs) -> String {
    let how = match &known.progress {
        JobProgress::Waiting => "waits for other jobs",
        JobProgress::Ready => "is under way",
        JobProgress::Built => "is built",
        JobProgress::Failed | JobProgress::HeldBack(_) => "failed",
    };
    format!("{} ({}) {how}", known.cpv, known.job.short())
}

/// Somebody works on it already.
pub(super) fn covered(run: RunId) -> String {
    format!("Nothing to retry: run {run} goes on with all guests that lack something.")
}

/// It is too late for this run, and too early for another.
pub(super) fn ending(run: RunId) -> String {
    format!(
        "run {run} is about to end and takes nothing up any more: repeat this command when it is \
         over; `gentoo-updater status` shows that, and without a broker `gentoo-updater run` ends \
         it"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_did_not_fail_is_told_as_what_it_is() {
        let known = KnownAs {
            job: "0".repeat(64).try_into().unwrap(),
            cpv: "a/b-1".parse().unwrap(),
            flags: String::new(),
            progress: JobProgress::Built,
        };
        assert_eq!(
            nothing(&Nothing::Jobs(vec![known])),
            "Nothing to retry: a/b-1 (000000000000) is built."
        );
    }

    #[test]
    fn what_was_begun_is_told_with_what_mends_it() {
        let run = RunId::generate();
        let begun = ["g1".parse().unwrap()].into();
        let others = BTreeSet::new();
        assert_eq!(
            nothing(&Nothing::NotWithin { run, begun, others }),
            format!(
                "Nothing to retry in run {run}: what was begun on a guest is not tried again within \
                 one run (g1). `gentoo-updater run` after this one updates them."
            )
        );
    }
}
