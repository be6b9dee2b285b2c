//! The ebuild repositories of a machine: at which revision they are, and bringing them up to date.

use std::time::Duration;

use gentoo_updater_fleet::message::{Failure, FailureClass, RepositoryRevision};
use gentoo_updater_fleet::name::RunId;
use gentoo_updater_hosts::Host;
use gentoo_updater_hosts::job::JobOutcome;
use gentoo_updater_portage::{command, outcome};
use serde::Deserialize;

use crate::emerge::in_own_environment;
use crate::jobs;
use crate::portage_api::{Question, ask_portage};

/// One ebuild repository, as the machine's Portage tells it.
#[derive(Debug, Clone, Deserialize)]
pub struct Repository {
    /// Its name; absent when the folder does not say.
    pub name: Option<String>,
    /// Its folder.
    #[serde(default)]
    pub location: Option<String>,
    /// A commit or time stamp.
    #[serde(default)]
    pub revision: Option<String>,
    /// Whether the folder is there and holds a repository.
    pub exists: bool,
}

impl Repository {
    /// At which revision it is; nothing where it has no proper name.
    pub fn at_revision(&self) -> Option<RepositoryRevision> {
        Some(RepositoryRevision {
            name: self.name.as_ref()?.parse().ok()?,
            location: self.location.clone().unwrap_or_default(),
            revision: self.revision.clone(),
        })
    }
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    repositories: Vec<Repository>,
}

/// At which revisions the repositories of a machine are.
///
/// # Errors
/// When the machine cannot be asked, or its Portage cannot answer.
pub async fn revisions(
    host: &dyn Host,
    timeout: Duration,
) -> Result<Vec<RepositoryRevision>, Failure> {
    let answer: Answer = ask_portage(host, Question::Repositories, timeout).await?;
    if let Some(error) = answer.error {
        let message = format!("Portage cannot answer: {error}");
        return Err(Failure::new(
            FailureClass::Machine,
            "PortageBroken",
            message,
        ));
    }
    let repositories = answer.repositories.iter();
    Ok(repositories.filter_map(Repository::at_revision).collect())
}

/// Brings the repositories of a machine up to date, once in a run: whoever asks again, also where
/// the machine is guest and builder, waits for the same program or is told how it ended. What
/// failed is tried again.
///
/// `machine` is what it is called in messages, and `table` its table in the configuration.
///
/// # Errors
/// When the machine cannot be asked, or `emerge --sync` does not end well.
pub async fn sync(
    host: &dyn Host,
    run: RunId,
    machine: &str,
    table: &str,
    limit: Duration,
) -> Result<(), Failure> {
    let description = jobs::Description::new(format!("sync-{run}"), "sync.log".to_owned(), run);
    let program = in_own_environment(command::sync(), &[]).timeout(limit);
    let ended = jobs::run(host, &description, program).await?;
    let how = match ended.outcome {
        JobOutcome::Exited(0) => return Ok(()),
        JobOutcome::Exited(code) => format!("ended with exit code {code}"),
        JobOutcome::Killed(_) | JobOutcome::Vanished => "ended without an exit code".to_owned(),
    };
    jobs::forget(host, &description).await?;
    let message = format!(
        "emerge --sync on {machine} {how}; where its ebuild repositories are mounted from another \
         machine, say so with sync = false in [{table}]"
    );
    let failure = Failure::new(FailureClass::Transient, "SyncFailed", message);
    let log_path = format!("{}:{}", host.address(), ended.log_path);
    Err(failure.with_log(outcome::last_lines(&ended.log, 25), log_path))
}
