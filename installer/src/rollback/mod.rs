//! Putting a guest back to what it had before an update.
//!
//! Before an update is begun, what it replaces is written down to the last file, and where the store has
//! not the very binary that is installed one is made of it. A rollback installs exactly these binaries,
//! removes what was not there, and proves by what was written down that all is as it was.

mod halves;
mod preserve;
mod target;
#[cfg(test)]
mod testing;
mod together;
mod unsettled;

use std::path::{Path, PathBuf};
use std::time::Duration;

use gentoo_updater_fleet::message::{Failure, FailureClass, Finding, FindingKind};
use gentoo_updater_fleet::name::{CheckName, GuestName, RunId};
use gentoo_updater_hosts::job::JobOutcome;
use gentoo_updater_hosts::{Command, ExitStatus, Host};
use gentoo_updater_portage::command::{self, CommandLine, neutral_environment};
use gentoo_updater_portage::cpv::{Cpv, ExactPackage};
use gentoo_updater_portage::outcome;
use gentoo_updater_portage::packages_index::PackagesIndex;
use gentoo_updater_runtime::emerge::in_own_environment;
use gentoo_updater_runtime::vdb::{self, Installed};
use gentoo_updater_runtime::{ask, jobs};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub(crate) use self::halves::Halves;
pub(crate) use self::preserve::Preserved;
pub(crate) use self::target::{Kept, Wanted};
pub(crate) use self::unsettled::{Unsettled, begin, settled, unsettled};
use crate::health::Health;

const STATE: &str = include_str!("state.py");
const NOTE: &str = include_str!("note.py");
const GATHER: &str = include_str!("gather.py");
const FINISH: &str = include_str!("finish.py");

/// Where a guest keeps what it had before updates.
const FOLDER: &str = "/var/lib/gentoo-updater/rollback";

/// Of how many runs that is kept.
const KEPT: usize = 3;

/// The cause of an update that could not be undone.
pub(crate) const ROLLBACK_FAILED: &str = "RollbackFailed";
/// The cause of a rollback of a run of which the guest has kept nothing.
pub(crate) const NOTHING_KEPT: &str = "NothingKept";

/// How often it is tried to install what was installed before.
const TRIES: usize = 2;

/// How long a question may take that reads all files of what is replaced.
const LIMIT: Duration = Duration::from_secs(1800);

/// Prints the first text that was kept under this name, which may be this one: $1 file $2 text; nothing
/// where there is neither.
const KEEP_ONCE: &str = r#"
set -eu
if [ -n "$2" ] && ! [ -e "$1" ]; then
    mkdir -p "${1%/*}"
    printf '%s\n' "$2" > "$1.$$"
    sync "$1.$$"
    ln "$1.$$" "$1" 2>/dev/null || [ -e "$1" ]
    rm -f "$1.$$"
fi
if [ -e "$1" ]; then cat "$1"; fi
"#;

/// How the update of one run is undone on one guest.
pub(crate) struct Undo<'a> {
    pub(crate) host: &'a dyn Host,
    pub(crate) guest: &'a GuestName,
    pub(crate) run: RunId,
    /// How long making binaries, and how long installing them may take.
    pub(crate) timeout: Duration,
    /// How long a guest is waited for that does not answer any more.
    pub(crate) unreachable: Duration,
}

/// An update that is undone, whoever goes on with that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Condemned {
    /// Why.
    pub(crate) failure: Failure,
    /// What it had brought.
    pub(crate) packages: Vec<Cpv>,
    /// How the guest was before it.
    pub(crate) health: Health,
    /// The checks that it has broken.
    pub(crate) checks: Vec<CheckName>,
}

/// The runs of which a guest has kept what it had before, oldest first: their ids begin with the time.
///
/// # Errors
/// When the guest cannot be asked.
pub(crate) async fn runs(host: &dyn Host, guest: &GuestName) -> Result<Vec<RunId>, Failure> {
    let list = r#"cd "$1" 2>/dev/null || exit 0; for run in */before.json; do
        if [ -e "$run" ]; then printf '%s\n' "${run%/*}"; fi; done"#;
    let output = ask(host, &Command::shell("runs", list, [FOLDER.to_owned()])).await?;
    let read = |line: &str| {
        line.parse().map_err(|error| {
            let message = format!("{FOLDER}/{line} on {guest} is no folder of a run: {error}");
            Failure::new(FailureClass::Machine, "GuestNotUnderstood", message)
        })
    };
    let runs: Result<Vec<RunId>, Failure> = output.stdout_text().lines().map(read).collect();
    let mut runs = runs?;
    runs.sort_unstable();
    Ok(runs)
}

impl Undo<'_> {
    fn folder(&self) -> PathBuf {
        Path::new(FOLDER).join(self.run.to_string())
    }

    /// The file on the guest that names the services that were restarted for the update.
    pub(crate) fn restarted(&self) -> PathBuf {
        self.folder().join("restarted")
    }

    /// Decides that an update is undone: whoever comes to this installation from now on goes on with
    /// that. What it has brought is what was kept says, or where nothing tells that any more, what is given.
    ///
    /// # Errors
    /// When the guest cannot be asked. A disk that is full keeps nobody from the way back.
    pub(crate) async fn condemn(&self, mut condemned: Condemned) -> Result<Condemned, Failure> {
        let kept = self.kept().await;
        let now = vdb::installed(self.host).await?;
        match kept {
            Ok(kept) => condemned.packages = kept.there(&now),
            Err(failure) => drop(for_good(Err(failure))?),
        }
        let text = serde_json::to_string(&condemned).map_err(|e| self.failed(&e.to_string()))?;
        match self.keep_once("condemned.json", &text).await {
            Ok(stands) => Ok(stands.unwrap_or(condemned)),
            Err(failure) => {
                for_good(Err(failure))?;
                tracing::warn!(guest.name = %self.guest, "the way back cannot be noted there");
                Ok(condemned)
            }
        }
    }

    /// Whether it was decided that this update is undone.
    ///
    /// # Errors
    /// When the guest cannot be asked.
    pub(crate) async fn condemned(&self) -> Result<Option<Condemned>, Failure> {
        self.keep_once("condemned.json", "").await
    }

    /// Puts the guest back to what it had before the update.
    ///
    /// # Errors
    /// When it is not as it was afterwards, with what differs.
    pub(crate) async fn roll_back(&self) -> Result<(), Failure> {
        let back = self.all_back().await;
        if for_good(back.clone())?.is_some() {
            // What was brought together takes room, and is brought together anew.
            for_good(self.remove(&["all"]).await)?;
            return back;
        }
        self.tidy().await
    }

    async fn all_back(&self) -> Result<(), Failure> {
        let kept = self.kept().await?;
        self.note().await?;
        let wanted = Wanted::before(&kept);
        self.reach(&kept, &wanted).await?;
        let differences = self.finish(&kept, &wanted).await?;
        self.must_be_as_it_was(&differences)
    }

    /// Notes which configuration nobody has edited, before the first change of a way back.
    ///
    /// # Errors
    /// When the guest cannot be asked or written to.
    pub(crate) async fn note(&self) -> Result<(), Failure> {
        let program = format!("{STATE}{NOTE}");
        let none: &[&str] = &[];
        let question = self.python(&program, neutral_environment(), &Value::Null, none);
        self.must(question).await.map(drop)
    }

    /// Removes what [`Self::kept`] has brought into one folder, and what [`Self::note`] has noted.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub(crate) async fn tidy(&self) -> Result<(), Failure> {
        self.remove(&["all", "ours.json"]).await
    }

    async fn remove(&self, names: &[&str]) -> Result<(), Failure> {
        let paths = names.iter().map(|name| self.folder().join(name));
        let paths = paths.map(|path| path.display().to_string());
        let remove = Command::new("rm").args(["-rf", "--"]).args(paths);
        self.must(remove.timeout(LIMIT)).await.map(drop)
    }

    /// What was kept of the run. Its binaries are in one folder from now on.
    ///
    /// # Errors
    /// When nothing was.
    pub(crate) async fn kept(&self) -> Result<Kept, Failure> {
        let program = format!("{STATE}{GATHER}");
        let question = self.python(
            &program,
            neutral_environment(),
            &Value::Null,
            &[] as &[&str],
        );
        let output = ask(self.host, &question).await?;
        match output.status {
            ExitStatus::Code(0) => serde_json::from_str(&output.stdout_text())
                .map_err(|error| self.failed(&error.to_string())),
            ExitStatus::Code(20) => {
                let message = format!(
                    "{} has kept nothing of run {}: that is kept of the last {KEPT} runs that installed \
                     something while [guests.{}] rollback was on, which it is where it has checks",
                    self.guest, self.run, self.guest
                );
                Err(Failure::new(FailureClass::Permanent, NOTHING_KEPT, message))
            }
            _ => Err(self.failed(output.stderr_text().trim())),
        }
    }

    /// Has exactly these builds installed. One that cannot be installed keeps no other from it, and is
    /// tried once more when all others are there.
    ///
    /// # Errors
    /// When they are not. Nothing was touched where a binary is missing.
    pub(crate) async fn reach(&self, kept: &Kept, wanted: &Wanted) -> Result<(), Failure> {
        let packages = self.folder().join("all");
        let mut trouble = None;
        for _ in 0..TRIES {
            let now = vdb::installed(self.host).await?;
            let set = self.binaries(kept, wanted, &now).await?;
            if set.is_empty() {
                break;
            }
            let line = command::merge_back(&set);
            let merged = self
                .change("rollback", line, &[("PKGDIR", &packages)])
                .await;
            trouble = for_good(merged)?;
        }
        let now = vdb::installed(self.host).await?;
        let surplus = wanted.surplus(&now);
        // What is not back yet may need what came in its place.
        if !surplus.is_empty() && wanted.missing(&now).is_empty() {
            let line = command::unmerge(&surplus);
            let removed = self.change("rollback-removal", line, &[]).await;
            trouble = for_good(removed)?;
        }
        let now = vdb::installed(self.host).await?;
        let missing = wanted.missing(&now).into_keys();
        let left = missing.map(|cpv| format!("{cpv}: it is not installed as it was"));
        let surplus = wanted.surplus(&now).into_iter();
        let left = left.chain(surplus.map(|cpv| format!("{cpv}: it is still installed")));
        let reached = self.must_be_as_it_was(&left.collect::<Vec<_>>());
        reached.map_err(|failure| match &trouble {
            Some(trouble) => failure.and(trouble),
            None => failure,
        })
    }

    /// Puts back what Portage does not, of all packages that are wanted, and gives what differs from what
    /// was kept of them.
    pub(crate) async fn finish(
        &self,
        kept: &Kept,
        wanted: &Wanted,
    ) -> Result<Vec<String>, Failure> {
        let program = format!("{STATE}{FINISH}");
        let (before, after) = kept.sides(wanted);
        let question = json!({ "before": before, "after": after });
        let none: &[&str] = &[];
        let question = self.python(&program, neutral_environment(), &question, none);
        let text = self.must(question).await?;
        serde_json::from_str(&text).map_err(|error| self.failed(&error.to_string()))
    }

    /// Fails where something differs.
    pub(crate) fn must_be_as_it_was(&self, differences: &[String]) -> Result<(), Failure> {
        match differences {
            [] => Ok(()),
            _ => Err(self.failed(&format!("not all is as it was: {}", differences.join("; ")))),
        }
    }

    /// The binaries of what is not installed as it should be, each behind those that it needs as far as
    /// the order of the update tells it.
    async fn binaries(
        &self,
        kept: &Kept,
        wanted: &Wanted,
        now: &Installed,
    ) -> Result<Vec<ExactPackage>, Failure> {
        let missing = wanted.missing(now);
        if missing.is_empty() {
            return Ok(Vec::new());
        }
        let folder = self.folder().join("all");
        let fix = in_own_environment(command::fix_index(), &[("PKGDIR", &folder)]);
        self.must(fix.timeout(LIMIT)).await?;
        let index = format!("{}/Packages", folder.display());
        let text = self
            .must(Command::new("cat").arg(index).timeout(LIMIT))
            .await?;
        let index = PackagesIndex::parse(&text).map_err(|error| self.failed(&error.to_string()))?;
        let place = |cpv: &Cpv| {
            let is_it = |other: &Cpv| other.category_package == cpv.category_package;
            let place = kept.ordered.iter().position(is_it);
            place.unwrap_or(kept.ordered.len())
        };
        let mut set = Vec::new();
        for (cpv, build) in missing {
            let is_it = |entry: &&gentoo_updater_portage::packages_index::Entry| {
                entry.cpv == *cpv
                    && entry.build_time == build.time
                    && (build.id.is_none() || entry.build_id == build.id)
            };
            let entry = index.entries.iter().find(is_it).ok_or_else(|| {
                let gone = match kept.gone.as_slice() {
                    [] => String::new(),
                    gone => format!(" (gone from the store: {})", gone.join(" ")),
                };
                self.failed(&format!(
                    "there is no binary of {cpv} as it was installed{gone}"
                ))
            })?;
            let build_id = entry.build_id;
            set.push(ExactPackage {
                cpv: cpv.clone(),
                build_id,
            });
        }
        set.sort_by_key(|package| place(&package.cpv));
        Ok(set)
    }

    /// A program that changes the guest, detached.
    async fn change(
        &self,
        name: &str,
        line: CommandLine,
        variables: &[(&str, &Path)],
    ) -> Result<(), Failure> {
        let description = jobs::Description::new(
            format!("{name}-{}", self.run),
            format!("{name}-{}.log", self.guest),
            self.run,
        )
        .patience(self.unreachable);
        let program = in_own_environment(line, variables).timeout(self.timeout);
        let ended = jobs::run(self.host, &description, program).await?;
        // The next one, which may be another, begins anew with what is left.
        jobs::forget(self.host, &description).await?;
        let failure = match ended.outcome {
            JobOutcome::Exited(0) => return Ok(()),
            JobOutcome::Exited(_) => self.failed("emerge did not end well"),
            JobOutcome::Killed(_) | JobOutcome::Vanished => Failure {
                class: FailureClass::Transient,
                ..self.failed("emerge ended without an exit code")
            },
        };
        let log_path = format!("{}:{}", self.guest, ended.log_path);
        Err(failure.with_log(outcome::last_lines(&ended.log, 25), log_path))
    }

    async fn keep_once(&self, name: &str, text: &str) -> Result<Option<Condemned>, Failure> {
        let path = self.folder().join(name).display().to_string();
        let question = Command::shell("keep-once", KEEP_ONCE, [path, text.to_owned()]);
        let said = self.must(question).await?;
        match said.trim() {
            "" => Ok(None),
            said => serde_json::from_str(said)
                .map(Some)
                .map_err(|error| self.failed(&error.to_string())),
        }
    }

    fn python(
        &self,
        program: &str,
        environment: Vec<(String, String)>,
        input: &Value,
        arguments: &[impl ToString],
    ) -> Command {
        let words = ["python3", "-c", program].map(str::to_owned).into_iter();
        let words = words.chain([self.folder().display().to_string()]);
        let line = CommandLine {
            environment,
            argv: words
                .chain(arguments.iter().map(ToString::to_string))
                .collect(),
        };
        let command = in_own_environment(line, &[]).timeout(LIMIT);
        command.stdin(input.to_string().into_bytes())
    }

    async fn must(&self, command: Command) -> Result<String, Failure> {
        let output = ask(self.host, &command).await?;
        match output.status {
            ExitStatus::Code(0) => Ok(output.stdout_text()),
            _ => Err(self.failed(output.stderr_text().trim())),
        }
    }

    fn failed(&self, what: &str) -> Failure {
        let message = format!(
            "{} could not be put back to what it had: {what}; what it had is kept in {} there",
            self.guest,
            self.folder().display()
        );
        Failure::new(FailureClass::Permanent, ROLLBACK_FAILED, message)
    }
}

/// That what an update has brought could not be kept, which the way back does not need.
pub(crate) fn no_bisect(lost: &Failure) -> Finding {
    let text = format!("`bisect` will not find what is to blame: {}", lost.message);
    Finding::new(FindingKind::Other, &text)
}

/// What went wrong for good.
///
/// # Errors
/// What may pass: it is for another attempt.
pub(crate) fn for_good(changed: Result<(), Failure>) -> Result<Option<Failure>, Failure> {
    match changed {
        Ok(()) => Ok(None),
        Err(failure) if failure.class == FailureClass::Permanent => Ok(Some(failure)),
        Err(failure) => Err(failure),
    }
}
