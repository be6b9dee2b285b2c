//! The files of a builder, as they were before the first build of a run on the machine itself.
//!
//! The janitor goes by it, and archives what builds have left beside packages. What runs on the machine
//! is Python, which Portage needs too; `files.py` says what a manifest is.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gentoo_updater_fleet::config::{ALWAYS_LEFT, CruftPolicy, Settings};
use gentoo_updater_fleet::message::Failure;
use gentoo_updater_fleet::name::{BuilderName, RunId};
use gentoo_updater_hosts::job::JobOutcome;
use gentoo_updater_hosts::{Command, ExitStatus, Host};
use serde::Serialize;

use crate::vdb::RUNS;
use crate::{ask, jobs, portage_settings};

/// What is known of files, for programs that go on from there.
pub const FILES: &str = include_str!("files.py");
const MAKE: &str = include_str!("make.py");

/// Where a machine keeps manifests and archives.
pub const STATE: &str = "/var/lib/gentoo-updater";

/// The log of the program that makes a manifest, below the logs of the run.
pub const LOG: &str = "manifest.log";

/// The first manifest of a machine reads all files.
const PATIENCE: Duration = Duration::from_secs(3 * 3600);

/// The settings of Portage that name folders of its own.
const FOLDERS: &[&str] = &[
    "CCACHE_DIR",
    "DISTDIR",
    "EMERGE_LOG_DIR",
    "PKGDIR",
    "PORTAGE_LOGDIR",
    "PORTAGE_TMPDIR",
];

/// What of a machine is looked at, as the programs read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Scope {
    /// The root of the machine.
    pub root: String,
    /// Where it keeps manifests and archives.
    pub state: String,
    /// The run.
    pub run: String,
    /// The folders that are looked at.
    pub folders: Vec<String>,
    /// What of them is not.
    pub left_out: Vec<String>,
    /// Whether Portage's sandbox keeps what is compiled from writing beside its own folder.
    pub sandbox: bool,
}

impl Scope {
    /// What of a builder is looked at for a run, as its Portage and the configuration say.
    ///
    /// # Errors
    /// When the machine cannot be asked, or its Portage does not answer.
    pub async fn of(
        host: &dyn Host,
        settings: &Settings,
        builder: &BuilderName,
        run: RunId,
    ) -> Result<Self, Failure> {
        let names = [FOLDERS, &["FEATURES"]].concat();
        let machine = format!("builder {builder}");
        let limit = settings.policy.scan_timeout;
        let known = portage_settings(host, &machine, &names, limit).await?;
        let cruft = &settings.policy.cruft;
        let text = |path: &Path| path.display().to_string();
        let always = ALWAYS_LEFT.iter().map(|path| (*path).to_owned());
        let own = FOLDERS.iter().filter_map(|name| known.get(name));
        let configured = cruft.except.iter().map(|path| text(path));
        let stores = settings.store_of(builder).into_iter().map(text);
        let mut left_out: Vec<String> = always.chain(configured).chain(stores).collect();
        left_out.push(text(&settings.state_directory));
        left_out.extend(own_folders(own, &cruft.folders));
        let features = known.get("FEATURES").unwrap_or_default();
        Ok(Self {
            root: "/".to_owned(),
            state: STATE.to_owned(),
            run: run.to_string(),
            folders: cruft.folders.iter().map(|path| text(path)).collect(),
            left_out,
            sandbox: features.split_whitespace().any(|one| one == "sandbox"),
        })
    }
}

/// The folders that Portage's settings name, which are its own: but for those that hold far more than its
/// files, all of a folder that is looked at.
fn own_folders<'a>(
    named: impl Iterator<Item = &'a str>,
    folders: &[PathBuf],
) -> impl Iterator<Item = String> {
    let holds_one = |path: &str| folders.iter().any(|folder| folder.starts_with(path));
    named
        .filter(move |path| !holds_one(path))
        .map(str::to_owned)
}

/// Makes the manifest of a builder, once a run, under the machine's lock. That none could be made holds
/// no build up: the janitor then says so.
///
/// # Errors
/// When the machine cannot be asked.
pub async fn before_builds(
    host: &dyn Host,
    settings: &Settings,
    builder: &BuilderName,
    run: RunId,
) -> Result<(), Failure> {
    if settings.policy.cruft.policy == CruftPolicy::Off {
        return Ok(());
    }
    let made = Command::new("test").args(["-e", &format!("{RUNS}/{run}/manifest")]);
    if ask(host, &made).await?.status == ExitStatus::Code(0) {
        return Ok(());
    }
    let description = jobs::Description::new(format!("manifest-{run}"), LOG.to_owned(), run);
    let scope = Scope::of(host, settings, builder, run).await?;
    let ended = match jobs::run(host, &description, program(&scope)).await {
        Err(failure) if !failure.is_time_out() => return Err(failure),
        Err(failure) => Err(failure.message),
        Ok(ended) => match ended.outcome {
            JobOutcome::Exited(0) => Ok(()),
            _ => Err(ended.log),
        },
    };
    if let Err(said) = ended {
        tracing::warn!(
            builder.name = %builder, said = said.trim(),
            "what builds leave beside packages will not be removed: no manifest could be made"
        );
    }
    Ok(())
}

/// What makes a manifest on a machine.
pub fn program(scope: &Scope) -> Command {
    python(&format!("{FILES}{MAKE}"), &[], scope).timeout(PATIENCE)
}

/// A program of Python with these words and a document as its arguments.
pub fn python(program: &str, words: &[&str], document: &impl Serialize) -> Command {
    let document = serde_json::json!(document).to_string();
    // Nothing of the folder in which it starts is a module of it (python(1), -I). Names of files are
    // bytes, and words of tools are English, whatever the machine's language is.
    Command::new("python3")
        .args(["-I", "-c", program])
        .args(words.iter().copied())
        .arg(document)
        .env("LC_ALL", "C.UTF-8")
}

#[cfg(test)]
mod tests;
