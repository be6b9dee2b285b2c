//! The restart of one service, detached, and whether it runs behind that.

use std::time::Duration;

use gentoo_updater_fleet::message::{Failure, FailureClass, Finding, FindingKind};
use gentoo_updater_fleet::name::{GuestName, RunId};
use gentoo_updater_hosts::job::JobOutcome;
use gentoo_updater_hosts::{Command, ExitStatus, Host};
use gentoo_updater_portage::build_key::HexDigest;
use gentoo_updater_portage::outcome;
use gentoo_updater_runtime::emerge::PATH;
use gentoo_updater_runtime::{ask, jobs};

use super::services::{Manager, Outdated, Owner};

/// How long the restart of one service may take.
const LIMIT: Duration = Duration::from_secs(180);

/// Why a service is restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// It runs on what an update has replaced.
    Update,
    /// It runs on what is gone again, or not at all.
    Back,
}

/// What came of the restart of a service.
pub(super) struct Restarted {
    name: String,
    /// What went wrong, with the end of what was printed.
    trouble: Option<(String, Vec<String>)>,
}

/// Restarts a service and asks whether it runs. A further attempt attaches to a restart that still goes on.
/// One that has ended is another one's: what runs by now came after it.
///
/// # Errors
/// When the machine cannot be asked. That the service does not come up is none.
pub(super) async fn service(
    host: &dyn Host,
    guest: &GuestName,
    run: RunId,
    phase: Phase,
    manager: Manager,
    name: &str,
) -> Result<Restarted, Failure> {
    let plain = plain(name);
    let back = match phase {
        Phase::Update => "",
        Phase::Back => "back-",
    };
    let description = jobs::Description::new(
        format!("restart-{back}{run}-{plain}"),
        format!("restart-{back}{guest}-{plain}.log"),
        run,
    );
    jobs::forget_ended(host, &description).await?;
    let restart = manager.restart(name);
    let command = in_own_environment(restart).timeout(LIMIT);
    let restart = restart.join(" ");
    let ended = jobs::run(host, &description, command).await;
    if ended.is_ok() {
        jobs::forget(host, &description).await?;
    }
    let trouble = match ended {
        Ok(ended) if ended.outcome == JobOutcome::Exited(0) => {
            let asked = ask(host, &in_own_environment(manager.is_active(name))).await?;
            let is_active = asked.status == ExitStatus::Code(0);
            let tail = outcome::last_lines(&ended.log, 15);
            (!is_active).then(|| ("it does not run after that".to_owned(), tail))
        }
        Ok(ended) => {
            let what = match ended.outcome {
                JobOutcome::Exited(code) => format!("{restart} ended with exit code {code}"),
                JobOutcome::Killed(_) | JobOutcome::Vanished => {
                    format!("{restart} was killed")
                }
            };
            Some((what, outcome::last_lines(&ended.log, 15)))
        }
        Err(failure) if failure.class == FailureClass::Permanent => {
            Some((format!("{restart}: {}", failure.message), failure.log_tail))
        }
        Err(failure) => return Err(failure),
    };
    Ok(Restarted {
        name: name.to_owned(),
        trouble,
    })
}

/// Whether a service that was restarted for an update, and runs on nothing that is gone, does not run
/// because of that: one that came up then and is stopped now was stopped by somebody.
///
/// # Errors
/// When the machine cannot be asked.
pub(super) async fn is_missed(
    host: &dyn Host,
    manager: Manager,
    name: &str,
    came_up: bool,
) -> Result<bool, Failure> {
    let asked = ask(host, &in_own_environment(manager.is_active(name))).await?;
    let code = match asked.status {
        ExitStatus::Code(0) => return Ok(false),
        ExitStatus::Code(code) => Some(code),
        _ => None,
    };
    let is_stopped = manager.is_stopped(code, asked.stdout_text().trim());
    Ok(!(came_up && is_stopped))
}

impl Restarted {
    /// Its name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it ran after that.
    pub(super) fn came_up(&self) -> bool {
        self.trouble.is_none()
    }

    /// Whether this is the one.
    pub(super) fn is(&self, owner: &Owner) -> bool {
        matches!(owner, Owner::Service(name) if *name == self.name)
    }

    /// What is told of it. `still` is what a look behind the restart found of this service.
    pub(super) fn finding(&self, still: Option<&Outdated>) -> Finding {
        let name = &self.name;
        let failed = |what: &str| {
            let text = format!("{name} was to be restarted, and that went wrong: {what}");
            Finding::new(FindingKind::ServiceRestartFailed, &text).about(name)
        };
        match (&self.trouble, still) {
            (Some((what, lines)), _) => failed(what).with_details(lines.clone()),
            (None, Some(still)) => {
                let pids = still
                    .processes
                    .iter()
                    .map(|process| process.pid.to_string());
                let pids: Vec<String> = pids.collect();
                failed(&format!("processes {} run on as before", pids.join(" ")))
            }
            (None, None) => {
                let text = format!("{name} was restarted, and runs");
                Finding::new(FindingKind::ServiceRestarted, &text).about(name)
            }
        }
    }
}

/// A name of a service that can be part of a job's and a file's name, and is of this one alone.
fn plain(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let plain = name.chars().map(|c| if is_plain(c) { c } else { '-' });
    let digest = HexDigest::sha256(name.as_bytes());
    let digest: String = digest.as_str().chars().take(8).collect();
    format!("{}-{digest}", plain.take(40).collect::<String>())
}

/// A daemon shall not inherit what a login set.
fn in_own_environment(argv: [&str; 3]) -> Command {
    let path = format!("PATH={PATH}");
    Command::new("env")
        .args(["-i", &path, "HOME=/root", "LC_ALL=C.UTF-8"])
        .args(argv)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(trouble: Option<&str>, still: Option<&Outdated>) -> Finding {
        let trouble = trouble.map(|what| (what.to_owned(), vec!["* died".to_owned()]));
        let name = "nginx".to_owned();
        Restarted { name, trouble }.finding(still)
    }

    #[test]
    fn only_a_service_that_runs_on_what_is_installed_is_told_as_restarted() {
        assert_eq!(told(None, None).kind, FindingKind::ServiceRestarted);
        let failed = told(Some("it does not run after that"), None);
        assert_eq!(failed.kind, FindingKind::ServiceRestartFailed);
        assert_eq!(failed.details, ["* died"]);
        let still = Outdated {
            owner: Owner::Service("nginx".to_owned()),
            processes: vec![super::super::answer::Process {
                pid: 4711,
                ..Default::default()
            }],
        };
        let failed = told(None, Some(&still));
        assert_eq!(failed.kind, FindingKind::ServiceRestartFailed);
        assert!(failed.text.contains("4711"), "{}", failed.text);
    }

    #[test]
    fn names_of_jobs_are_plain_and_tell_services_apart() {
        assert_ne!(plain("getty@tty1"), plain("getty-tty1"));
        assert!(plain("net.eth0").starts_with("net-eth0-"));
    }
}
