//! What the lines of the log mean together.

use std::collections::BTreeMap;

use crate::cpv::Cpv;
use crate::emerge_log::{EmergeLogError, Event, EventKind, MergeName, Step};
use crate::text::excerpt;

/// A package that was merged, or was to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merge {
    /// Which.
    pub name: MergeName,
    /// When it began; nothing where the log begins later.
    pub started: Option<u64>,
    /// Its steps and when each began.
    pub steps: Vec<(Step, u64)>,
    /// When it was complete. Nothing where the log does not say so: it failed, or emerge was
    /// killed, or it goes on, or it was packed only ([`Step::Packaging`]).
    pub completed: Option<u64>,
    /// The clock was set back in between, so that times cannot be compared.
    pub clock_was_set_back: bool,
}

impl Merge {
    /// How many seconds it took; nothing where one of its ends is not known.
    #[must_use]
    pub fn duration(&self) -> Option<u64> {
        duration(self.started, self.completed, self.clock_was_set_back)
    }

    /// How many seconds it was compiled, without what was fetched before and installed afterwards:
    /// from [`Step::Compiling`] to [`Step::Merging`], which with `--jobs` holds a wait for other
    /// packages to be installed. Nothing where it was not compiled, as a binary, or did not end well.
    #[must_use]
    pub fn compiled(&self) -> Option<u64> {
        self.completed?;
        let is = |step| move |(other, _): &&(Step, u64)| *other == step;
        let merging = self.steps.iter().rfind(is(Step::Merging));
        let compiling = self.steps.iter().rfind(is(Step::Compiling));
        let (compiling, merging) = (compiling?.1, merging?.1);
        duration(Some(compiling), Some(merging), self.clock_was_set_back)
    }

    /// The last sign of it.
    #[must_use]
    pub fn last_seen(&self) -> Option<u64> {
        let step = self.steps.last().map(|(_, time)| *time);
        self.completed.or(step).or(self.started)
    }
}

/// A package that was removed, or was to be: also the former version, after a merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmerge {
    /// The package.
    pub cpv: Cpv,
    /// When it began; nothing where the log begins later.
    pub started: Option<u64>,
    /// When it ended, and whether well. Nothing where the log does not say so.
    pub ended: Option<(u64, bool)>,
    /// The clock was set back in between, so that times cannot be compared.
    pub clock_was_set_back: bool,
}

impl Unmerge {
    /// How many seconds it took; nothing where one of its ends is not known.
    #[must_use]
    pub fn duration(&self) -> Option<u64> {
        let ended = self.ended.map(|(time, _)| time);
        duration(self.started, ended, self.clock_was_set_back)
    }
}

fn duration(started: Option<u64>, ended: Option<u64>, clock_was_set_back: bool) -> Option<u64> {
    if clock_was_set_back {
        return None;
    }
    ended?.checked_sub(started?)
}

/// A call of emerge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// When it began; nothing where the log begins later.
    pub started: Option<u64>,
    /// Its options and arguments, without quotes.
    pub arguments: Option<String>,
    /// Whether it synchronized repositories.
    pub synchronized: bool,
    /// How it ended.
    pub end: RunEnd,
}

/// How a call of emerge ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEnd {
    /// With an exit status.
    Exited {
        /// When.
        time: u64,
        /// The status, 0 for success.
        status: i32,
    },
    /// Without naming a status: by a signal it could answer, or after a synchronization.
    Terminated {
        /// When.
        time: u64,
    },
    /// Without a word: it was killed, or the machine lost power, or it goes on.
    Unknown,
}

/// A time that is earlier than that of the line before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockStep {
    /// The number of the line, from 1.
    pub line: usize,
    /// The time of the line before.
    pub from: u64,
    /// Its own time.
    pub to: u64,
}

/// Something of which the log says no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finished {
    /// A merge.
    Merge(Merge),
    /// A removal.
    Unmerge(Unmerge),
    /// A call of emerge.
    Run(Run),
}

/// Follows the log line by line, and holds only what is not finished yet.
///
/// The end of a merge is matched with its start by its place in the list, the package and the root.
/// Where several starts match, the last one is taken: the earlier ones were cut short, and tried
/// again. The same goes for removals. The end of a run goes to the last run that has none, which
/// is right whenever runs do not overlap; where they do, two ends can be exchanged.
#[derive(Debug, Clone, Default)]
pub struct Tracker {
    line: usize,
    cut_line: Option<String>,
    first_is_cut: bool,
    last_time: u64,
    clock_steps: Vec<ClockStep>,
    /// What has no end yet, and the number of clock steps before it began.
    merges: BTreeMap<MergeName, Vec<(Merge, usize)>>,
    unmerges: BTreeMap<Cpv, Vec<(Unmerge, usize)>>,
    /// The runs that have not said their status yet, and those that have.
    runs: Vec<Run>,
    exiting: Vec<(Run, i32)>,
}

impl Tracker {
    /// A tracker before the first line of a log. A log that was rotated begins with a whole line,
    /// too; what it does not tell the beginning of has no [`started`](Merge::started).
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A tracker for the last bytes of a log: its first line is taken for the rest of a cut one
    /// and not read, whatever it looks like ([`cut_line`](Self::cut_line)).
    #[must_use]
    pub fn of_tail() -> Self {
        Self {
            first_is_cut: true,
            ..Self::default()
        }
    }

    /// The first line, where it was taken for the rest of a cut one.
    #[must_use]
    pub fn cut_line(&self) -> Option<&str> {
        self.cut_line.as_deref()
    }

    /// Where the clock was set back.
    #[must_use]
    pub fn clock_steps(&self) -> &[ClockStep] {
        &self.clock_steps
    }

    /// Reads the next line, without its line feed, and says what ends with it.
    ///
    /// # Errors
    ///
    /// [`EmergeLogError`], where it is not a line of the log. The tracker can go on after it.
    pub fn line(&mut self, line: &[u8]) -> Result<Option<Finished>, EmergeLogError> {
        self.line += 1;
        if std::mem::take(&mut self.first_is_cut) {
            self.cut_line = Some(String::from_utf8_lossy(line).into_owned());
            return Ok(None);
        }
        let number = self.line;
        let line = std::str::from_utf8(line).map_err(|_| EmergeLogError::NotUtf8(number))?;
        let event = Event::parse(line).ok_or_else(|| EmergeLogError::Line {
            number,
            line: excerpt(line),
        })?;
        Ok(self.event(event))
    }

    fn event(&mut self, event: Event) -> Option<Finished> {
        let Event { time, kind } = event;
        if time < self.last_time {
            self.clock_steps.push(ClockStep {
                line: self.line,
                from: self.last_time,
                to: time,
            });
        }
        self.last_time = time;
        let steps = self.clock_steps.len();
        match kind {
            EventKind::MergeStarted(name) => {
                let merge = Merge {
                    started: Some(time),
                    ..unknown_merge(name.clone())
                };
                self.merges.entry(name).or_default().push((merge, steps));
                None
            }
            EventKind::Step {
                position,
                step,
                cpv,
                ..
            } => {
                // The step does not name the root; any root is after the empty one.
                let first = MergeName {
                    position,
                    cpv,
                    root: String::new(),
                };
                let same = self
                    .merges
                    .range_mut(&first..)
                    .next()
                    .filter(|(name, _)| name.position == position && name.cpv == first.cpv);
                if let Some((merge, _)) = same.and_then(|(_, merges)| merges.last_mut()) {
                    merge.steps.push((step, time));
                }
                None
            }
            EventKind::MergeCompleted(name) => {
                let (mut merge, before) =
                    pop(&mut self.merges, &name).unwrap_or_else(|| (unknown_merge(name), steps));
                merge.completed = Some(time);
                merge.clock_was_set_back = before != steps;
                Some(Finished::Merge(merge))
            }
            EventKind::UnmergeStarted(cpv) => {
                let unmerge = Unmerge {
                    started: Some(time),
                    ..unknown_unmerge(cpv.clone())
                };
                self.unmerges.entry(cpv).or_default().push((unmerge, steps));
                None
            }
            EventKind::UnmergeSucceeded(cpv) => Some(self.unmerged(cpv, time, true)),
            EventKind::UnmergeFailed(cpv) => Some(self.unmerged(cpv, time, false)),
            kind => self.run_event(kind, time),
        }
    }

    fn unmerged(&mut self, cpv: Cpv, time: u64, well: bool) -> Finished {
        let steps = self.clock_steps.len();
        let (mut unmerge, before) =
            pop(&mut self.unmerges, &cpv).unwrap_or_else(|| (unknown_unmerge(cpv), steps));
        unmerge.ended = Some((time, well));
        unmerge.clock_was_set_back = before != steps;
        Finished::Unmerge(unmerge)
    }

    fn run_event(&mut self, kind: EventKind, time: u64) -> Option<Finished> {
        let unknown = Run {
            started: None,
            arguments: None,
            synchronized: false,
            end: RunEnd::Unknown,
        };
        match kind {
            EventKind::Started(_) => self.runs.push(Run {
                started: Some(time),
                ..unknown
            }),
            EventKind::Called(arguments) => {
                // Two runs that begin at once can both have said only when.
                let mut last = self.runs.iter_mut().rev().take(2);
                match last.find(|run| run.arguments.is_none()) {
                    Some(run) => run.arguments = Some(arguments),
                    None => self.runs.push(Run {
                        arguments: Some(arguments),
                        ..unknown
                    }),
                }
            }
            EventKind::SyncStarted => {
                if let Some(run) = self.runs.last_mut() {
                    run.synchronized = true;
                }
            }
            EventKind::Exiting(status) => {
                let run = self.runs.pop().unwrap_or(unknown);
                self.exiting.push((run, status));
            }
            EventKind::Terminating => {
                let (mut run, end) = match self.exiting.pop() {
                    Some((run, status)) => (run, RunEnd::Exited { time, status }),
                    None => {
                        let run = self.runs.pop().unwrap_or(unknown);
                        (run, RunEnd::Terminated { time })
                    }
                };
                run.end = end;
                return Some(Finished::Run(run));
            }
            _ => {}
        }
        None
    }

    /// Ends the log: everything that the log says no end of.
    #[must_use]
    pub fn finish(self) -> Vec<Finished> {
        let merges = self.merges.into_values().flatten();
        let unmerges = self.unmerges.into_values().flatten();
        let exiting = self.exiting.into_iter().map(|(run, _)| run);
        let runs = self.runs.into_iter().chain(exiting).map(Finished::Run);
        merges
            .map(|(merge, _)| Finished::Merge(merge))
            .chain(unmerges.map(|(unmerge, _)| Finished::Unmerge(unmerge)))
            .chain(runs)
            .collect()
    }
}

/// The last value of a key; a key without values is removed.
fn pop<K: Ord, V>(map: &mut BTreeMap<K, Vec<V>>, key: &K) -> Option<V> {
    let values = map.get_mut(key)?;
    let value = values.pop();
    if values.is_empty() {
        map.remove(key);
    }
    value
}

fn unknown_merge(name: MergeName) -> Merge {
    Merge {
        name,
        started: None,
        steps: Vec::new(),
        completed: None,
        clock_was_set_back: false,
    }
}

fn unknown_unmerge(cpv: Cpv) -> Unmerge {
    Unmerge {
        cpv,
        started: None,
        ended: None,
        clock_was_set_back: false,
    }
}
