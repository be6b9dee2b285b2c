//! One line of the log.

use crate::cpv::Cpv;

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When it was written, in seconds since 1970. The clock can have been set back in between.
    pub time: u64,
    /// What happened.
    pub kind: EventKind,
}

/// The place of a package in the list of a run, as in `(2 of 14)`. With `--keep-going` the list is
/// made anew after a failure, and the numbers begin again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The number of the package, from 1.
    pub number: u32,
    /// The number of packages.
    pub total: u32,
}

/// A package that is merged.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MergeName {
    /// Its place in the list of its run.
    pub position: Position,
    /// The package; a BUILD_ID is never named.
    pub cpv: Cpv,
    /// Where to, mostly `/`.
    pub root: String,
}

/// A step of a merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// `Cleaning`: what a former build left is removed.
    Cleaning,
    /// `Compiling/Merging`: the ebuild is built, to be installed.
    Compiling,
    /// `Compiling/Packaging`: the ebuild is built and packed, and not installed. Nothing more is
    /// written of it, neither when it succeeds.
    Packaging,
    /// `Merging`: what was built is installed.
    Merging,
    /// `Fetching Binary`: a binary package is fetched.
    FetchingBinary,
    /// `Merging Binary`: a binary package is installed.
    MergingBinary,
    /// `Post-Build Cleaning`: what the build left is removed.
    PostBuildCleaning,
    /// `Updating world file`: the package is noted as wanted.
    UpdatingWorld,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// `Started emerge on: Nov 23, 2026 07:38:49`: the date, in local time and the locale's words.
    Started(String),
    /// `*** emerge --update @world`: the options and arguments of the run, without quotes.
    Called(String),
    /// `>>> emerge (1 of 5) app-misc/hello-2.0 to /`
    MergeStarted(MergeName),
    /// `=== (1 of 5) Cleaning (app-misc/hello-2.0::/…/hello-2.0.ebuild)`
    Step {
        /// The place in the list of the run.
        position: Position,
        /// What is begun.
        step: Step,
        /// The package.
        cpv: Cpv,
        /// The ebuild or the binary package; not with [`Step::UpdatingWorld`].
        path: Option<String>,
    },
    /// `::: completed emerge (1 of 5) app-misc/hello-2.0 to /`
    MergeCompleted(MergeName),
    /// `>>> AUTOCLEAN: app-misc/hello:0`: other versions in this slot are looked for.
    Autoclean(String),
    /// `=== Unmerging... (app-misc/hello-1.0)`
    UnmergeStarted(Cpv),
    /// `>>> unmerge success: app-misc/hello-1.0`
    UnmergeSucceeded(Cpv),
    /// `!!! unmerge FAILURE: app-misc/hello-1.0`
    UnmergeFailed(Cpv),
    /// `>>> depclean`
    Depclean,
    /// `=== regen`
    Regen,
    /// `=== sync`
    SyncStarted,
    /// What a repository's synchronization says, in its words.
    Sync(String),
    /// `=== Resource usage for build of app-misc/hello-2.0: …`, in its words.
    Resources(String),
    /// `--- /var/tmp has insufficient free space, …`: fewer builds run at once. In its words.
    LittleSpace(String),
    /// `*** Resuming merge...`
    Resuming,
    /// `*** RESTARTING emerge via exec() after change of portage version.`
    Restarting,
    /// `*** Finished. Cleaning up...`
    Finished,
    /// `*** exiting successfully.` (0) or `*** exiting unsuccessfully with status '1'.`
    Exiting(i32),
    /// `*** terminating.`
    Terminating,
}

/// How the texts about synchronization begin; what follows is a place, or words of another program.
const SYNC: &[&str] = &[
    ">>> Syncing repository '",
    ">>> Starting rsync with ",
    ">>> Starting retry ",
    ">>> Cancelling sync -- Already current.",
    ">>> Timestamps on the server and in the local repository are the same.",
    ">>> In order to force sync, remove '",
    ">>> Server out of date: ",
    ">>> SERVER OUT OF DATE: ",
    ">>> Git pull in ",
    "=== Sync completed ",
    "Created new directory ",
    "Created New Directory ",
    "!!! git ",
    "!!! hg ",
    "!!! svn ",
    "!!! cvs ",
    "!!! emerge-webrsync error in ",
    "!!! could not update git remote ",
    "!!! Unable to obtain zip archive: ",
    "!!! file is not a zip archive.",
];

const STEPS: &[(&str, Step)] = &[
    ("Cleaning (", Step::Cleaning),
    ("Compiling/Merging (", Step::Compiling),
    ("Compiling/Packaging (", Step::Packaging),
    ("Merging (", Step::Merging),
    ("Merging Binary (", Step::MergingBinary),
    ("Post-Build Cleaning (", Step::PostBuildCleaning),
    ("Updating world file (", Step::UpdatingWorld),
];

impl Event {
    /// Reads a line without its line feed. Nothing, where it is not a line of the log.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let (time, text) = line.split_once(": ")?;
        // Digits only: a sign is no time.
        if !time.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Some(Self {
            time: time.parse().ok()?,
            kind: kind(text)?,
        })
    }
}

fn kind(text: &str) -> Option<EventKind> {
    // Most writers begin with a blank, and some do not.
    let text = text.strip_prefix(' ').unwrap_or(text);
    if let Some(date) = text.strip_prefix("Started emerge on: ") {
        return Some(EventKind::Started(date.to_owned()));
    }
    if SYNC.iter().any(|start| text.starts_with(start)) {
        return Some(EventKind::Sync(text.to_owned()));
    }
    let (mark, rest) = text.split_once(' ')?;
    match mark {
        "***" => run(rest),
        ">>>" => begun(rest),
        "===" => step_or_action(rest),
        "---" => noted(rest),
        ":::" => {
            let name = merge(rest.strip_prefix("completed emerge ")?)?;
            Some(EventKind::MergeCompleted(name))
        }
        "!!!" => {
            let cpv = rest.strip_prefix("unmerge FAILURE: ")?.parse().ok()?;
            Some(EventKind::UnmergeFailed(cpv))
        }
        _ => None,
    }
}

fn run(text: &str) -> Option<EventKind> {
    if let Some(arguments) = text.strip_prefix("emerge ") {
        return Some(EventKind::Called(arguments.trim().to_owned()));
    }
    if let Some(status) = text.strip_prefix("exiting unsuccessfully with status '") {
        let status = status.strip_suffix("'.")?.parse().ok()?;
        return Some(EventKind::Exiting(status)).filter(|_| status != 0);
    }
    Some(match text {
        "exiting successfully." => EventKind::Exiting(0),
        "terminating." => EventKind::Terminating,
        "Finished. Cleaning up..." => EventKind::Finished,
        "Resuming merge..." => EventKind::Resuming,
        _ if text.starts_with("RESTARTING emerge via exec() ") => EventKind::Restarting,
        _ => return None,
    })
}

fn begun(text: &str) -> Option<EventKind> {
    if let Some(merged) = text.strip_prefix("emerge ") {
        return Some(EventKind::MergeStarted(merge(merged)?));
    }
    if let Some(cpv) = text.strip_prefix("unmerge success: ") {
        return Some(EventKind::UnmergeSucceeded(cpv.parse().ok()?));
    }
    if let Some(slot) = text.strip_prefix("AUTOCLEAN: ") {
        return Some(EventKind::Autoclean(slot.to_owned()));
    }
    (text == "depclean").then_some(EventKind::Depclean)
}

fn step_or_action(text: &str) -> Option<EventKind> {
    if let Some(cpv) = text.strip_prefix("Unmerging... (") {
        let cpv = cpv.strip_suffix(')')?.parse().ok()?;
        return Some(EventKind::UnmergeStarted(cpv));
    }
    if text.starts_with("Resource usage for ") {
        return Some(EventKind::Resources(text.to_owned()));
    }
    match text {
        "sync" => return Some(EventKind::SyncStarted),
        "regen" => return Some(EventKind::Regen),
        _ => {}
    }
    let (position, text) = position(text)?;
    let (step, package) = STEPS
        .iter()
        .find_map(|(words, step)| Some((*step, text.strip_prefix(words)?)))?;
    let package = package.strip_suffix(')')?;
    let (cpv, path) = match package.split_once("::") {
        Some((cpv, path)) => (cpv, Some(path.to_owned())),
        None if step == Step::UpdatingWorld => (package, None),
        None => return None,
    };
    Some(EventKind::Step {
        position,
        step,
        cpv: cpv.parse().ok()?,
        path,
    })
}

fn noted(text: &str) -> Option<EventKind> {
    if text.contains(" has insufficient free space, ") {
        return Some(EventKind::LittleSpace(text.to_owned()));
    }
    // Of Portage 2.1.
    if text == "AUTOCLEAN: Nothing unmerged." {
        return Some(EventKind::Autoclean(String::new()));
    }
    let (position, text) = position(text)?;
    let package = text.strip_prefix("Fetching Binary (")?.strip_suffix(')')?;
    let (cpv, path) = package.split_once("::")?;
    Some(EventKind::Step {
        position,
        step: Step::FetchingBinary,
        cpv: cpv.parse().ok()?,
        path: Some(path.to_owned()),
    })
}

/// `(1 of 5) app-misc/hello-2.0 to /`
fn merge(text: &str) -> Option<MergeName> {
    let (position, text) = position(text)?;
    let (cpv, root) = text.split_once(" to ")?;
    Some(MergeName {
        position,
        cpv: cpv.parse().ok()?,
        root: Some(root.to_owned()).filter(|root| !root.is_empty())?,
    })
}

/// `(1 of 5) ` and what follows it.
fn position(text: &str) -> Option<(Position, &str)> {
    let (numbers, rest) = text.strip_prefix('(')?.split_once(") ")?;
    let (number, total) = numbers.split_once(" of ")?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(number) || !digits(total) {
        return None;
    }
    let position = Position {
        number: number.parse().ok()?,
        total: total.parse().ok()?,
    };
    Some((position, rest))
}
