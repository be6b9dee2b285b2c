//! Whom an operator can pause and resume.

use std::collections::BTreeSet;

use super::near::nearest;
use crate::message::{PauseTarget, Role};
use crate::name::WorkerId;
use crate::state::Fleet;

/// The roles that begin something by themselves or take work from queues, so that a pause means something
/// to them.
const PAUSABLE: [Role; 5] = [
    Role::Scanner,
    Role::Builder,
    Role::Installer,
    Role::Janitor,
    Role::Scheduler,
];

/// Why nobody is paused or resumed by this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownTarget {
    /// It takes no work from a queue.
    #[error(
        "a {role} cannot be paused: it takes no work of its own. Pause who does the work: \
         scanner, builder, installer, janitor or scheduler"
    )]
    NotPausable {
        /// Its role.
        role: Role,
    },
    /// Nobody is known by this name.
    #[error(
        "{text} is no role (scanner, builder, installer, janitor, scheduler) and no worker that is known; {}",
        hint(near)
    )]
    Unknown {
        /// The name.
        text: String,
        /// Who may be meant.
        near: Vec<String>,
    },
}

fn hint(near: &[String]) -> String {
    match near {
        [] => "`gentoo-updater workers` shows who there is".to_owned(),
        near => format!("did you mean {}?", near.join(" or ")),
    }
}

/// The role or worker of this name. Known are the workers that have come up once, and `configured`,
/// which will.
///
/// # Errors
/// [`UnknownTarget`], with names that are like it.
pub fn target_named(
    text: &str,
    fleet: &Fleet,
    configured: impl IntoIterator<Item = WorkerId>,
) -> Result<PauseTarget, UnknownTarget> {
    for role in [Role::Planner, Role::Notifier, Role::Operator] {
        if text == role.to_string() {
            return Err(UnknownTarget::NotPausable { role });
        }
    }
    if let Some(role) = PAUSABLE.into_iter().find(|role| text == role.to_string()) {
        return Ok(PauseTarget::Role(role));
    }
    let registered = fleet.workers.iter();
    let mut workers: BTreeSet<WorkerId> = configured.into_iter().collect();
    for (worker, registration) in registered {
        if PAUSABLE.contains(&registration.role) {
            workers.insert(worker.clone());
        } else if worker.as_str() == text {
            let role = registration.role;
            return Err(UnknownTarget::NotPausable { role });
        }
    }
    if let Some(worker) = workers.iter().find(|worker| worker.as_str() == text) {
        return Ok(PauseTarget::Worker(worker.clone()));
    }
    let roles: Vec<String> = PAUSABLE.iter().map(Role::to_string).collect();
    let names = roles.iter().map(String::as_str);
    let names = names.chain(workers.iter().map(WorkerId::as_str));
    Err(UnknownTarget::Unknown {
        text: text.to_owned(),
        near: nearest(text, names)
            .into_iter()
            .map(str::to_owned)
            .collect(),
    })
}
