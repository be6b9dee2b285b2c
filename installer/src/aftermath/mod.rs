//! What an administrator has to know after an update: configuration files that wait, services on
//! deleted libraries, preserved libraries, unread news, a newer kernel. One look at the machine,
//! and where services are restarted, one more behind that.

mod answer;
mod findings;
mod kept;
mod kernel;
mod restart;
mod services;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use gentoo_updater_fleet::message::{Failure, FailureClass, Finding};
use gentoo_updater_fleet::name::{GuestName, RunId};
use gentoo_updater_hosts::{Command, ExitStatus, Host};
use gentoo_updater_portage::command;
use gentoo_updater_runtime::emerge::in_own_environment;
use gentoo_updater_runtime::{ask, portage_settings};

use self::answer::Answer;
use self::restart::{Phase, Restarted};
use self::services::{Manager, Outdated, Owner};

const LOOK: &str = include_str!("look.sh");

/// How long a look may take.
const LIMIT: Duration = Duration::from_secs(300);
/// How many lines of the difference of one configuration file are told.
const LINES: usize = 60;
/// How many configuration files, and how many processes on deleted files, are looked at.
const FILES: usize = 100;
const PROCESSES: usize = 500;

/// What becomes of services that run on what was replaced.
pub(crate) struct Restarts<'a> {
    /// Whether they are restarted.
    pub(crate) wanted: bool,
    /// Those that are restarted, too, although a connection may live on them.
    pub(crate) also: &'a BTreeSet<String>,
    /// The file of the machine that names what was restarted for this run, where the way back needs it.
    pub(crate) kept_in: Option<PathBuf>,
    /// Whether this is the way back, on which what it names is started where it does not run: it may not
    /// have come up with the update.
    pub(crate) once_more: bool,
}

/// Looks at a guest, and restarts what is to be restarted.
///
/// # Errors
/// When the machine cannot be asked, or its answer is not understood.
pub(crate) async fn of(
    host: &dyn Host,
    guest: &GuestName,
    run: RunId,
    restarts: &Restarts<'_>,
) -> Result<Vec<Finding>, Failure> {
    let places = Places::ask(host, guest).await?;
    let mut answer = look(host, &places).await?;
    let mut told = findings::of(&answer);
    let manager = Manager::of(&answer);
    let mut restarted = Vec::new();
    if let Some(manager) = manager.filter(|_| restarts.wanted) {
        let names = to_restart(host, &answer, restarts, manager).await?;
        told.extend(kept::note(host, restarts, &names).await?);
        for name in &names {
            let phase = match restarts.once_more {
                true => Phase::Back,
                false => Phase::Update,
            };
            restarted.push(restart::service(host, guest, run, phase, manager, name).await?);
        }
        let came_up = restarted.iter().filter(|done| done.came_up());
        kept::note_up(host, restarts, came_up.map(Restarted::name)).await?;
        if !restarted.is_empty() {
            answer = look(host, &places).await?;
        }
    }
    let outdated = services::outdated(&answer);
    for done in &restarted {
        let still = outdated.iter().find(|outdated| done.is(&outdated.owner));
        told.push(done.finding(still));
    }
    let rest = outdated
        .iter()
        .filter(|outdated| !restarted.iter().any(|done| done.is(&outdated.owner)));
    told.extend(rest.map(|outdated| {
        let left = match &outdated.owner {
            Owner::Service(name) if restarts.wanted => {
                services::left_alone(outdated, name, &answer.asking, restarts.also)
            }
            _ => None,
        };
        findings::outdated(outdated, manager, &answer.first, left)
    }));
    if answer.more_processes {
        told.push(findings::more_processes());
    }
    Ok(told)
}

/// The services that are restarted, in their order.
async fn to_restart(
    host: &dyn Host,
    answer: &Answer,
    restarts: &Restarts<'_>,
    manager: Manager,
) -> Result<Vec<String>, Failure> {
    let (asking, also) = (&answer.asking, restarts.also);
    let outdated = services::outdated(answer);
    let of_service = |outdated: &Outdated| match &outdated.owner {
        Owner::Service(name) => Some(name.clone()),
        _ => None,
    };
    let left_alone =
        |outdated: &Outdated, name: &str| services::left_alone(outdated, name, asking, also);
    let known: Vec<String> = outdated.iter().filter_map(of_service).collect();
    let mut names: Vec<String> = outdated
        .iter()
        .filter_map(|outdated| Some((of_service(outdated)?, outdated)))
        .filter(|(name, outdated)| left_alone(outdated, name).is_none())
        .map(|(name, _)| name)
        .collect();
    for (name, came_up) in kept::of(host, restarts).await? {
        let gone = Outdated {
            owner: Owner::Service(name.clone()),
            processes: Vec::new(),
        };
        if !known.contains(&name)
            && left_alone(&gone, &name).is_none()
            && restart::is_missed(host, manager, &name, came_up).await?
        {
            names.push(name);
        }
    }
    Ok(names)
}

/// Where the machine keeps what is looked at.
struct Places {
    protected: String,
    repositories: String,
}

impl Places {
    /// As Portage sees the machine after the update, which may have brought settings.
    async fn ask(host: &dyn Host, guest: &GuestName) -> Result<Self, Failure> {
        const PROTECTED: &str = "CONFIG_PROTECT";
        let guest = format!("guest {guest}");
        let settings = portage_settings(host, &guest, &[PROTECTED], LIMIT).await?;
        let question = in_own_environment(command::portageq_repositories(), &[]).timeout(LIMIT);
        let repositories = ask(host, &question).await?;
        Ok(Self {
            // What Portage's own make.globals says where nobody says otherwise.
            protected: settings.get(PROTECTED).unwrap_or("/etc").to_owned(),
            repositories: locations(&repositories.stdout_text()),
        })
    }
}

/// The folders of the repositories in the form of `repos.conf`, as words. One whose name holds a
/// space has no news that could be found.
fn locations(text: &str) -> String {
    let locations = text.lines().filter_map(|line| {
        let (name, value) = line.split_once('=')?;
        let value = value.trim();
        (name.trim() == "location" && !value.contains(' ')).then_some(value)
    });
    locations.collect::<Vec<_>>().join(" ")
}

async fn look(host: &dyn Host, places: &Places) -> Result<Answer, Failure> {
    // One line more than is told, so that it is known when there are more.
    let numbers = [LINES + 1, FILES, PROCESSES].map(|number| number.to_string());
    let parameters = [places.protected.clone(), places.repositories.clone()];
    let parameters = parameters.into_iter().chain(numbers);
    let command = Command::shell("look.sh", LOOK, parameters).timeout(LIMIT);
    let output = ask(host, &command).await?;
    if output.status != ExitStatus::Code(0) {
        return Err(unclear(output.stderr_text().trim()));
    }
    answer::parse(&output.stdout_text()).map_err(|error| unclear(&error.to_string()))
}

fn unclear(what: &str) -> Failure {
    let message = format!("what is to be done afterwards cannot be told: {what}");
    Failure::new(FailureClass::Permanent, "AfterwardsNotUnderstood", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folders_of_repositories_are_read_from_their_configuration() {
        let text = "[DEFAULT]\nmain-repo = gentoo\n\n[gentoo]\nauto-sync = no\n\
                    location = /var/db/repos/gentoo\n\n[own]\nlocation = /srv/own\n";
        assert_eq!(locations(text), "/var/db/repos/gentoo /srv/own");
        assert_eq!(locations(""), "");
    }
}
