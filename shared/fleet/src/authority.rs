//! Who may say what: the users of a broker, one for each role and each guest, and their authority.
//!
//! A broker checks that a message comes from the user that it names (`user_id`), and lets nobody
//! publish where he has no business. What it cannot check is the message itself: whether this
//! guest speaks of this guest. That is checked here, by every reader in the same way, so that all
//! of them make the same state out of one history.

use std::fmt;

use crate::message::{Command, Envelope, Event, Role, Task, WorkStarted};
use crate::name::{GuestName, WorkerId};

/// A user of the broker.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum User {
    /// All workers of a role share one; an operator has one, too.
    Role(Role),
    /// A guest whose installer runs on the guest itself.
    Guest(GuestName),
}

/// What tells the installer that runs on a guest itself from all others. No machine's name may
/// begin like that where an installer for several guests runs, or one could speak as the other.
#[must_use]
pub fn agent_instance(guest: &GuestName) -> String {
    format!("{AGENT}{guest}")
}

/// What the instance of a guest's own installer begins with.
pub const AGENT: &str = "agent.";

fn is_agent(role: Role, instance: &str) -> bool {
    role == Role::Installer && instance.starts_with(AGENT)
}

impl User {
    /// The id of the one worker of a guest, and the begin of the ids of all workers of a role.
    fn may_be(&self, worker: &WorkerId) -> bool {
        match self {
            Self::Role(role) => {
                let instance = worker.as_str().strip_prefix(&role.to_string());
                let instance = instance.and_then(|instance| instance.strip_prefix('@'));
                instance.is_some_and(|instance| !is_agent(*role, instance))
            }
            Self::Guest(guest) => {
                let instance = agent_instance(guest);
                worker.as_str() == format!("{}@{instance}", Role::Installer)
            }
        }
    }

    /// The role that its workers say they have.
    pub fn role(&self) -> Role {
        match self {
            Self::Role(role) => *role,
            Self::Guest(_) => Role::Installer,
        }
    }

    /// Whether it installs on this guest.
    fn installs_on(&self, name: &GuestName) -> bool {
        match self {
            Self::Role(role) => *role == Role::Installer,
            Self::Guest(guest) => guest == name,
        }
    }

    /// Whether it may claim this task.
    fn works_on(&self, task: &Task) -> bool {
        match task {
            Task::Scan(_) => self.is(Role::Scanner),
            Task::Search(_) | Task::Build(_) => self.is(Role::Builder),
            Task::Install(guest) => self.installs_on(guest),
            Task::Sync(_) | Task::Clean(_) | Task::Collect(_) => self.is(Role::Janitor),
        }
    }

    fn is(&self, role: Role) -> bool {
        *self == Self::Role(role)
    }
}

/// Without the prefix of its fleet.
impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(role) => role.fmt(f),
            Self::Guest(guest) => write!(f, "guest.{guest}"),
        }
    }
}

/// How a message goes beyond what its user may say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Overstep {
    /// It may say nothing of this kind.
    #[error("may not say {0}")]
    Kind(&'static str),
    /// It may say such things, but not of this guest, task or worker.
    #[error("may not say {0} of another")]
    Subject(&'static str),
    /// It speaks under an id that is not its own.
    #[error("may not speak as {0}")]
    Sender(WorkerId),
}

/// Whether a user may say this event.
///
/// # Errors
/// [`Overstep`].
pub fn may_say(user: &User, envelope: &Envelope<Event>) -> Result<(), Overstep> {
    let event = &envelope.message;
    if !says_such(user, event) {
        return Err(Overstep::Kind(event.kind()));
    }
    if !user.may_be(&envelope.sender) {
        return Err(Overstep::Sender(envelope.sender.clone()));
    }
    if !is_its_own(user, &envelope.sender, event) {
        return Err(Overstep::Subject(event.kind()));
    }
    Ok(())
}

/// Whether a user may order this: the planner, and an operator who puts a dead letter back, as
/// the planner wrote it.
///
/// # Errors
/// [`Overstep`].
pub fn may_order(user: &User, envelope: &Envelope<Command>) -> Result<(), Overstep> {
    if !may_issue(user) {
        return Err(Overstep::Kind(envelope.message.kind()));
    }
    if !User::Role(Role::Planner).may_be(&envelope.sender) {
        return Err(Overstep::Sender(envelope.sender.clone()));
    }
    Ok(())
}

/// Whether commands are a user's to send.
pub fn may_issue(user: &User) -> bool {
    user.is(Role::Planner) || user.is(Role::Operator)
}

/// Whether a user may keep the snapshots that others begin with: the planner alone.
///
/// # Errors
/// [`Overstep`].
pub fn may_keep_snapshots(user: &User) -> Result<(), Overstep> {
    match user.is(Role::Planner) {
        true => Ok(()),
        false => Err(Overstep::Kind("Snapshot")),
    }
}

/// Whether events of this kind are ever its to say, of whomever.
pub fn says_such(user: &User, event: &Event) -> bool {
    match event {
        Event::RunRequested(_) => {
            user.is(Role::Operator) || user.is(Role::Planner) || user.is(Role::Scheduler)
        }
        Event::ScheduleAdopted(_) | Event::OccurrencesMissed(_) => user.is(Role::Scheduler),
        Event::RetryRequested(_)
        | Event::PauseRequested(_)
        | Event::ResumeRequested(_)
        | Event::HoldRequested(_)
        | Event::ApprovalGiven(_)
        | Event::GuestRolledBack(_) => user.is(Role::Operator),
        Event::CommandIssued(_)
        | Event::BatchPlanned(_)
        | Event::TaskAbandoned(_)
        | Event::WaveEnded(_)
        | Event::GuestsLeftOut(_)
        | Event::RunFinished(_)
        | Event::PlannerAlive(_) => user.is(Role::Planner),
        Event::GuestScanned(_) | Event::ScanFailed(_) => user.is(Role::Scanner),
        Event::StoreSearched(_)
        | Event::SearchFailed(_)
        | Event::PackageBuilt(_)
        | Event::BuildFailed(_)
        | Event::DurationsLearned(_) => user.is(Role::Builder),
        Event::GuestUpdated(_) | Event::InstallFailed(_) => user.role() == Role::Installer,
        Event::BuilderSynced(_)
        | Event::SyncFailed(_)
        | Event::BuilderCleaned(_)
        | Event::CleanFailed(_)
        | Event::StoreCollected(_)
        | Event::CollectFailed(_) => user.is(Role::Janitor),
        Event::WorkerRegistered(_) => !user.is(Role::Operator),
        Event::WorkStarted(_) | Event::WorkerPaused(_) => works(user),
        Event::WorkerAlive(_) => works(user) || user.is(Role::Scheduler) || user.is(Role::Notifier),
    }
}

/// Whether it takes commands.
fn works(user: &User) -> bool {
    let others = [
        Role::Operator,
        Role::Planner,
        Role::Scheduler,
        Role::Notifier,
    ];
    !others.contains(&user.role())
}

/// Whether an event of a kind that is its to say is about what is its business. `sender` is one of
/// its own workers.
fn is_its_own(user: &User, sender: &WorkerId, event: &Event) -> bool {
    match event {
        Event::GuestUpdated(event) => user.installs_on(&event.guest),
        Event::InstallFailed(event) => user.installs_on(&event.guest),
        Event::WorkStarted(event) => event.worker == *sender && claims_its_own(user, event),
        // Guests are measured by the machines of builders.
        Event::WorkerRegistered(event) => {
            event.worker == *sender
                && event.role == user.role()
                && (event.machine.is_none() || user.is(Role::Builder))
        }
        // Where a builder is named it is held for unfit, and gets no work.
        Event::WorkerPaused(event) => {
            event.worker == *sender && (event.builder.is_none() || user.is(Role::Builder))
        }
        // A builder's one worker has the builder's name.
        Event::DurationsLearned(event) => {
            sender.as_str() == format!("{}@{}", Role::Builder, event.builder)
        }
        Event::WorkerAlive(event) => {
            let mut tasks = event.working_on.iter().map(|ongoing| &ongoing.work.task);
            event.worker == *sender
                && event.role == user.role()
                && tasks.all(|task| user.works_on(task))
        }
        Event::PlannerAlive(event) => event.worker == *sender,
        // A planner asks for further rounds, a scheduler for what is due, and both for nothing else.
        Event::RunRequested(event) => {
            user.is(Role::Planner) == event.follows.is_some()
                && user.is(Role::Scheduler) == event.schedule.is_some()
        }
        // Whoever may say these may say them of all: one user stands for all workers of a role.
        Event::RetryRequested(_)
        | Event::PauseRequested(_)
        | Event::ResumeRequested(_)
        | Event::HoldRequested(_)
        | Event::ApprovalGiven(_)
        | Event::GuestRolledBack(_)
        | Event::ScheduleAdopted(_)
        | Event::OccurrencesMissed(_)
        | Event::CommandIssued(_)
        | Event::BatchPlanned(_)
        | Event::TaskAbandoned(_)
        | Event::WaveEnded(_)
        | Event::GuestsLeftOut(_)
        | Event::RunFinished(_)
        | Event::BuilderSynced(_)
        | Event::SyncFailed(_)
        | Event::GuestScanned(_)
        | Event::ScanFailed(_)
        | Event::StoreSearched(_)
        | Event::SearchFailed(_)
        | Event::PackageBuilt(_)
        | Event::BuildFailed(_)
        | Event::BuilderCleaned(_)
        | Event::CleanFailed(_)
        | Event::StoreCollected(_)
        | Event::CollectFailed(_) => true,
    }
}

/// A claim that names a builder has that builder cleaned when the run is over.
fn claims_its_own(user: &User, event: &WorkStarted) -> bool {
    user.works_on(event.task()) && (event.builder.is_none() || user.is(Role::Builder))
}

/// The names of the users of one fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Users {
    prefix: String,
}

impl Users {
    /// Those whose names begin with this and a dot.
    pub fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
        }
    }

    /// What the broker calls a user.
    pub fn name_of(&self, user: &User) -> String {
        format!("{}.{user}", self.prefix)
    }

    /// Whose name this is, if it is one of this fleet.
    pub fn find(&self, name: &str) -> Option<User> {
        let own = name.strip_prefix(&self.prefix)?.strip_prefix('.')?;
        if let Some(guest) = own.strip_prefix("guest.") {
            return guest.parse().ok().map(User::Guest);
        }
        let mut roles = ROLES.into_iter();
        roles.find(|role| own == role.to_string()).map(User::Role)
    }
}

/// Every role, in the order of the work.
pub const ROLES: [Role; 8] = [
    Role::Planner,
    Role::Scanner,
    Role::Builder,
    Role::Installer,
    Role::Janitor,
    Role::Scheduler,
    Role::Notifier,
    Role::Operator,
];
