//! After a run: what builds left beside packages is archived and removed.

use gentoo_updater_fleet::config::{CruftPolicy, Settings};
use gentoo_updater_fleet::message::{self, CleanBuilder, Failure, FailureClass};
use gentoo_updater_fleet::name::{BuilderName, RunId};
use gentoo_updater_hosts::job::JobOutcome;
use gentoo_updater_hosts::{Command, ExitStatus, Host};
use gentoo_updater_portage::cpv::Cpv;
use gentoo_updater_portage::outcome;
use gentoo_updater_runtime::manifest::{self, Scope, python};
use gentoo_updater_runtime::{ask, jobs, vdb};
use serde::Serialize;

use super::{archives, library};

const CLEAN: &str = include_str!("machine/clean.py");

/// The log of the program, below the logs of the run.
const LOG: &str = "cruft.log";

/// What is wanted of the program.
#[derive(Serialize)]
struct Wanted<'a> {
    #[serde(flatten)]
    scope: Scope,
    /// Whether files are archived and removed, or only named.
    archive: bool,
    /// The runs whose files these may be, the oldest first.
    runs: &'a [RunId],
    /// The packages that are about to be removed.
    packages: &'a [Cpv],
}

/// What the builds of a run have left on a builder beside packages.
pub(crate) struct Cruft<'a> {
    pub(crate) host: &'a dyn Host,
    pub(crate) settings: &'a Settings,
    pub(crate) builder: &'a BuilderName,
    pub(crate) run: RunId,
    /// The runs whose builds are cleaned up after, the oldest first.
    pub(crate) runs: &'a [RunId],
}

impl Cruft<'_> {
    /// Notes which files belong to the packages that are about to be removed: what is left of them then is
    /// the run's.
    ///
    /// # Errors
    /// When the machine cannot be asked or written to.
    pub(crate) async fn note(&self, packages: &[Cpv]) -> Result<(), Failure> {
        if self.is_off() {
            return Ok(());
        }
        let program = self.program("note", packages).await?;
        let output = ask(self.host, &program).await?;
        if output.status == ExitStatus::Code(0) {
            return Ok(());
        }
        let said = output.stderr_text();
        let message = format!(
            "the files of packages that are to be removed from {} cannot be noted: {}",
            self.builder,
            said.trim()
        );
        Err(Failure::new(FailureClass::Machine, "CruftUnnoted", message))
    }

    /// Archives and removes what is the run's, under the machine's lock. Of a machine where nobody is
    /// to look nothing is told.
    ///
    /// # Errors
    /// When the machine cannot be asked, or the program was ended. Another attempt goes on then.
    pub(crate) async fn carry_out(
        &self,
        order: &CleanBuilder,
    ) -> Result<Option<message::Cruft>, Failure> {
        if self.is_off() {
            return Ok(None);
        }
        let description = jobs::Description::new(
            format!("cruft-{}-{}", self.run, order.attempt),
            LOG.to_owned(),
            self.run,
        );
        let program = self.program("clean", &[]).await?;
        let program = program.timeout(self.settings.policy.install_timeout);
        let ended = jobs::run(self.host, &description, program).await?;
        if ended.outcome != JobOutcome::Exited(0) {
            let message = format!(
                "what builds left on {} beside packages could not be looked for or archived",
                self.builder
            );
            let log_path = format!("{}:{}", self.builder, ended.log_path);
            let failure = Failure::new(FailureClass::Transient, "CruftFailed", message);
            return Err(failure.with_log(outcome::last_lines(&ended.log, 25), log_path));
        }
        self.told().await.map(Some)
    }

    fn is_off(&self) -> bool {
        self.settings.policy.cruft.policy == CruftPolicy::Off
    }

    async fn program(&self, what: &str, packages: &[Cpv]) -> Result<Command, Failure> {
        let wanted = Wanted {
            scope: Scope::of(self.host, self.settings, self.builder, self.run).await?,
            archive: self.settings.policy.cruft.policy == CruftPolicy::Archive,
            runs: self.runs,
            packages,
        };
        Ok(python(&format!("{}{CLEAN}", library()), &[what], &wanted))
    }

    /// What the program has written down.
    async fn told(&self) -> Result<message::Cruft, Failure> {
        let path = format!("{}/{}/cruft.json", vdb::RUNS, self.run);
        let output = ask(self.host, &Command::new("cat").arg(&path)).await?;
        serde_json::from_slice(&output.stdout).map_err(|error| {
            let message = format!("{}:{path} cannot be read: {error}", self.builder);
            Failure::new(FailureClass::Transient, "CruftFailed", message)
        })
    }
}

/// Deletes archives that have been kept for long enough. That it could not be done is said in the log
/// and makes no cleaning fail.
///
/// # Errors
/// When the machine cannot be asked.
pub(crate) async fn purge_old(
    host: &dyn Host,
    settings: &Settings,
    builder: &BuilderName,
    now: jiff::Timestamp,
) -> Result<(), Failure> {
    let there = Command::new("test").args(["-d", &format!("{}/cruft", manifest::STATE)]);
    if ask(host, &there).await?.status != ExitStatus::Code(0) {
        return Ok(());
    }
    let age = i64::from(settings.policy.cruft.keep_days) * 24 * 3600;
    let old = archives::Choice {
        paths: Vec::new(),
        before: now.as_second() - age,
    };
    let stuck = match archives::purge(host, &old, false).await {
        Ok(found) => found.damaged,
        Err(failure) if failure.cause == archives::UNUSABLE => vec![failure.message],
        Err(failure) => return Err(failure),
    };
    for said in stuck {
        tracing::warn!(builder.name = %builder, said, "an old archive could not be deleted");
    }
    Ok(())
}
