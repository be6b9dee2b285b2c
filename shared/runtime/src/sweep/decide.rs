//! What is stale of what runs and builds have left on a machine. Pure.

use std::collections::BTreeMap;
use std::path::PathBuf;

use gentoo_updater_fleet::message::Role;
use gentoo_updater_fleet::name::RunId;
use gentoo_updater_hosts::job::{JobId, JobState, JobSummary};

use super::Places;
use crate::brought::CLEANED;

const HOUR: u64 = 3600;
/// For so long stays what somebody may come back for: whoever lost an answer, or a worker that was
/// away. In seconds.
const WEEK: u64 = 7 * 24 * HOUR;
/// For so long the notes of a run are kept after which the machine was not cleaned: the next cleaning
/// goes by them, too. That comes with the next run, and on a machine that builds no more never. In
/// seconds.
const UNCLEANED: u64 = 13 * WEEK;

/// Of which kind something is that lies there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Work,
    Room,
    Runs,
    Logs,
    Job,
    Group,
}

/// What `look.sh` saw.
#[derive(Debug, Default)]
pub(super) struct Seen {
    now: u64,
    entries: Vec<(Kind, u64, String)>,
}

/// What `look.sh` printed is not what it prints.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("what is left on the machine cannot be read: {0:?}")]
pub(super) struct Unreadable(String);

/// What is to be done.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sweep {
    /// Builds that nobody wants any more.
    pub(super) kill: Vec<JobId>,
    /// What goes unless a job runs whose id has this word in it.
    pub(super) left: BTreeMap<String, Vec<PathBuf>>,
    /// Jobs that are over and that nobody will ask for.
    pub(super) jobs: Vec<JobId>,
}

impl Seen {
    pub(super) fn read(text: &str) -> Result<Self, Unreadable> {
        let mut seen = Self::default();
        for line in text.split_terminator('\0') {
            let refused = || Unreadable(line.chars().take(200).collect());
            let mut words = line.splitn(3, ' ');
            let (kind, time) = (words.next(), words.next());
            let seconds = time.and_then(|time| time.split('.').next()?.parse().ok());
            let seconds: u64 = seconds.ok_or_else(refused)?;
            let kind = match kind.unwrap_or_default() {
                "now" => {
                    seen.now = seconds;
                    continue;
                }
                "work" => Kind::Work,
                "room" => Kind::Room,
                "runs" => Kind::Runs,
                "logs" => Kind::Logs,
                "job" => Kind::Job,
                "group" => Kind::Group,
                _ => return Err(refused()),
            };
            let path = words.next().ok_or_else(refused)?;
            seen.entries.push((kind, seconds, path.to_owned()));
        }
        Ok(seen)
    }

    /// When something below the first folder of each path was written last.
    fn newest(&self, kind: Kind) -> BTreeMap<&str, u64> {
        let mut newest = BTreeMap::new();
        for (_, time, path) in self.entries.iter().filter(|(of, ..)| *of == kind) {
            let top = path.split('/').next().unwrap_or(path);
            let known = newest.entry(top).or_insert(*time);
            *known = (*known).max(*time);
        }
        newest
    }

    fn has(&self, kind: Kind, path: &str) -> bool {
        let mut entries = self.entries.iter();
        entries.any(|(of, _, known)| *of == kind && known == path)
    }

    /// For how long the notes of a run are kept, in seconds.
    fn keeps_notes(&self, name: &str) -> u64 {
        let is_uncleaned = self.has(Kind::Runs, &format!("{name}/before-{}", Role::Builder))
            && !self.has(Kind::Runs, &format!("{name}/{CLEANED}"));
        if is_uncleaned { UNCLEANED } else { WEEK }
    }

    fn is_older(&self, time: u64, than: u64) -> bool {
        self.now.saturating_sub(time) > than
    }
}

/// What is stale. `over` is a run that needs nothing more of this machine's builds.
pub(super) fn decide(
    seen: &Seen,
    jobs: &[JobSummary],
    over: Option<RunId>,
    places: &Places,
) -> Sweep {
    let mut sweep = Sweep::default();
    if let Some(run) = over {
        let builds = format!("build-{run}-");
        let unwanted = jobs
            .iter()
            .filter(|job| job.state == JobState::Running && job.id.as_str().starts_with(&builds));
        sweep.kill = unwanted.map(|job| job.id.clone()).collect();
    }
    let mut add = |owner: String, path: PathBuf| sweep.left.entry(owner).or_default().push(path);
    // What is put aside to be removed is named `.left`.
    let owner = |name: &str| {
        let name = name.strip_suffix(".left").unwrap_or(name);
        name.parse::<RunId>().ok().map(|run| run.to_string())
    };
    for (name, time) in seen.newest(Kind::Work) {
        let path = places.work.join(name);
        let is_over = over.is_some_and(|run| name == run.to_string());
        let is_left = is_over || name.ends_with(".left") || seen.is_older(time, WEEK);
        match owner(name) {
            Some(run) if is_left => add(run, path),
            // Whether a room can be had is tried in a moment.
            None if name.starts_with("room.") && seen.is_older(time, HOUR) => {
                add(name.to_owned(), path);
            }
            _ => {}
        }
    }
    for (name, time) in seen.newest(Kind::Runs) {
        // What is cleaned up after now goes by its notes, however late that is.
        let is_read = over.is_some_and(|run| name == run.to_string());
        let is_left =
            name.ends_with(".left") || !is_read && seen.is_older(time, seen.keeps_notes(name));
        if let Some(run) = owner(name).filter(|_| is_left) {
            add(run, places.runs.join(name));
        }
    }
    for (name, time) in seen.newest(Kind::Logs) {
        let is_left = name.ends_with(".left") || seen.is_older(time, WEEK);
        if let Some(run) = owner(name).filter(|_| is_left) {
            add(run, places.logs.join(name));
        }
    }
    for (kind, _, path) in &seen.entries {
        match kind {
            // A room is of no use once its build has ended, however that was.
            Kind::Room => {
                if let Some(run) = path.split('/').next().and_then(owner) {
                    add(run, places.work.join(path));
                }
            }
            Kind::Group => {
                let run = path.strip_prefix("gentoo-updater-build-");
                let run = run.and_then(|rest| rest.rsplit_once('-')).map(|it| it.0);
                if let Some(run) = run.and_then(owner) {
                    let places = places.groups.iter();
                    places.for_each(|groups| add(run.clone(), groups.join(path)));
                }
            }
            _ => {}
        }
    }
    let written = seen.newest(Kind::Job);
    let old = jobs.iter().filter(|job| {
        let time = written.get(job.id.as_str());
        job.state != JobState::Running && time.is_some_and(|time| seen.is_older(*time, WEEK))
    });
    sweep.jobs = old.map(|job| job.id.clone()).collect();
    sweep
}

#[cfg(test)]
mod tests {
    use gentoo_updater_hosts::job::JobOutcome;

    use super::*;

    const NOW: u64 = 1_790_000_000;
    const RUN: &str = "01a21b48-767b-7634-b9a4-c55787ba5232";
    const OTHER: &str = "01a21b48-767b-7634-b9a4-c55787ba5233";

    fn seen(entries: &[(&str, u64, &str)]) -> Seen {
        let mut text = format!("now {NOW}\0");
        for (kind, age, path) in entries {
            text.push_str(&format!("{kind} {}.25 {path}\0", NOW - age));
        }
        Seen::read(&text).unwrap()
    }

    fn job(id: &str, state: JobState) -> JobSummary {
        JobSummary {
            id: id.parse().unwrap(),
            state,
        }
    }

    fn left(sweep: &Sweep) -> Vec<String> {
        let all = sweep.left.iter().flat_map(|(owner, paths)| {
            paths
                .iter()
                .map(move |path| format!("{owner} {}", path.display()))
        });
        all.collect()
    }

    fn places() -> Places {
        Places {
            work: "/w".into(),
            runs: "/r".into(),
            logs: "/l".into(),
            spool: "/s".into(),
            groups: vec!["/g".into()],
        }
    }

    #[test]
    fn of_a_run_that_is_over_all_work_goes_and_builds_that_still_run_end() {
        let seen = seen(&[
            ("work", 5, RUN),
            ("work", 5, &format!("{RUN}/0123456789ab")),
            ("work", 5, OTHER),
            ("runs", 5, RUN),
            ("logs", 5, RUN),
        ]);
        let jobs = [
            job(&format!("build-{RUN}-0123456789ab"), JobState::Running),
            job(&format!("build-{OTHER}-0123456789ab"), JobState::Running),
            job(&format!("install-{RUN}"), JobState::Running),
        ];
        let sweep = decide(&seen, &jobs, Some(RUN.parse().unwrap()), &places());
        assert_eq!(sweep.kill, [jobs[0].id.clone()]);
        assert_eq!(left(&sweep), [format!("{RUN} /w/{RUN}")]);
        let sweep = decide(&seen, &jobs, None, &places());
        assert_eq!(sweep, Sweep::default());
    }

    #[test]
    fn of_other_runs_goes_what_nobody_has_touched_for_a_week_and_rooms_at_once() {
        let seen = seen(&[
            ("work", WEEK + 9, RUN),
            ("work", WEEK + 9, &format!("{RUN}/0123456789ab")),
            ("work", WEEK + 9, OTHER),
            ("work", WEEK - 9, &format!("{OTHER}/0123456789ab")),
            ("room", 5, &format!("{OTHER}/0123456789ab/room")),
            ("runs", WEEK + 9, RUN),
            ("runs", WEEK - 9, &format!("{RUN}/ordered")),
            ("runs", WEEK + 9, OTHER),
            ("logs", WEEK + 9, OTHER),
            ("logs", WEEK + 9, "what-somebody-keeps"),
            (
                "group",
                5,
                &format!("gentoo-updater-build-{RUN}-0123456789ab"),
            ),
        ]);
        let sweep = decide(&seen, &[], None, &places());
        let expected = [
            format!("{RUN} /w/{RUN}"),
            format!("{RUN} /g/gentoo-updater-build-{RUN}-0123456789ab"),
            format!("{OTHER} /r/{OTHER}"),
            format!("{OTHER} /l/{OTHER}"),
            format!("{OTHER} /w/{OTHER}/0123456789ab/room"),
        ];
        assert_eq!(left(&sweep), expected);
    }

    #[test]
    fn notes_that_a_cleaning_needs_stay_until_the_machine_was_cleaned() {
        let mut entries = vec![
            ("runs", WEEK + 9, RUN.to_owned()),
            ("runs", WEEK + 9, format!("{RUN}/before-builder")),
        ];
        let goes = |entries: &[(&str, u64, String)], over: Option<&str>| {
            let entries = entries
                .iter()
                .map(|(kind, age, path)| (*kind, *age, path.as_str()));
            let over = over.map(|run| run.parse().unwrap());
            !left(&decide(
                &seen(&entries.collect::<Vec<_>>()),
                &[],
                over,
                &places(),
            ))
            .is_empty()
        };
        assert!(
            !goes(&entries, None),
            "the next run's cleaning goes by them"
        );
        entries.push(("runs", WEEK + 8, format!("{RUN}/cleaned")));
        assert!(goes(&entries, Some(OTHER)));
        assert!(!goes(&entries, Some(RUN)), "they are about to be read");
        entries = vec![("runs", UNCLEANED + 9, format!("{RUN}/before-builder"))];
        assert!(goes(&entries, None), "nobody cleans there any more");
    }

    #[test]
    fn what_was_put_aside_goes_and_so_does_a_trial_that_was_killed() {
        let seen = seen(&[
            ("work", 5, &format!("{RUN}.left")),
            ("work", HOUR + 9, "room.x7Fz2a"),
            ("work", HOUR - 9, "room.aB3d9k"),
            ("work", WEEK + 9, "what-somebody-keeps"),
        ]);
        let sweep = decide(&seen, &[], None, &places());
        let expected = [
            format!("{RUN} /w/{RUN}.left"),
            "room.x7Fz2a /w/room.x7Fz2a".to_owned(),
        ];
        assert_eq!(left(&sweep), expected);
    }

    #[test]
    fn jobs_go_a_week_after_their_end_and_never_while_they_run() {
        let ended = || JobState::Ended(JobOutcome::Vanished);
        let jobs = [
            job("ended-old", ended()),
            job("ended-young", ended()),
            job("running-old", JobState::Running),
            job("unstarted-old", JobState::Unstarted),
        ];
        let seen = seen(&[
            ("job", WEEK + 9, "ended-old"),
            ("job", WEEK - 9, "ended-young"),
            ("job", WEEK + 9, "running-old"),
            ("job", WEEK + 9, "unstarted-old"),
        ]);
        let sweep = decide(&seen, &jobs, None, &places());
        assert_eq!(sweep.jobs, [jobs[0].id.clone(), jobs[3].id.clone()]);
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        for odd in ["work x y\0", "work 5.0\0", "odd 5.0 y\0", "now\0"] {
            assert!(Seen::read(odd).is_err(), "{odd:?}");
        }
    }
}
