//! What a run is asked to do: the same whether an operator asks or a schedule.

use std::collections::BTreeMap;

use crate::config::{NotNamed, Settings};
use crate::message::{RunKind, RunRequested, ToSync};
use crate::name::{GuestName, PlatformName, RunId};
use crate::rollout::Rollout;
use crate::schedule::Occurrence;
use crate::state::Run;

/// How many further rounds may follow for what an update brings up: Portage needs one, seldom two,
/// and what comes up after that is for a person to look at.
pub const MORE_ROUNDS: u32 = 2;

/// What somebody wishes of a run; by default all guests, and the rest as the policy says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wishes {
    /// These guests; all where none is named.
    pub guests: Vec<GuestName>,
    /// Whether guests are asked anew on which nothing has changed.
    pub force: bool,
    /// Whether ebuild repositories are brought up to date first; as `policy.sync` says where nobody has
    /// said it.
    pub sync: Option<bool>,
}

/// A run that can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// How far it goes.
    pub kind: RunKind,
    /// Its guests, each with the platform that it is of.
    pub guests: BTreeMap<GuestName, PlatformName>,
    /// Whether guests are asked anew on which nothing has changed.
    pub force: bool,
    /// Whose ebuild repositories are brought up to date first.
    pub sync: ToSync,
    /// How its guests get their updates.
    pub rollout: Rollout,
}

impl Request {
    /// What these wishes come to in a fleet.
    ///
    /// # Errors
    /// [`NotNamed`] where they name a guest that is not there.
    pub fn of(settings: &Settings, kind: RunKind, wishes: &Wishes) -> Result<Self, NotNamed> {
        let guests = chosen(settings, &wishes.guests)?;
        let rollout = settings.rollout(guests.keys());
        Ok(Self {
            kind,
            sync: to_sync(settings, wishes, kind),
            guests,
            force: wishes.force,
            rollout,
        })
    }

    /// Whether this run does what is asked for.
    pub fn is_covered_by(&self, run: &Run) -> bool {
        run.kind == self.kind
            && (run.force || !self.force)
            && self.sync.guests.is_subset(&run.sync.guests)
            && self.sync.builders.is_subset(&run.sync.builders)
            && self
                .guests
                .keys()
                .all(|guest| run.guests.contains_key(guest))
    }

    /// What asks for it, for a time of a schedule where it belongs to one.
    pub fn requested(&self, run: RunId, schedule: Option<Occurrence>) -> RunRequested {
        RunRequested {
            run,
            kind: self.kind,
            guests: self.guests.clone(),
            force: self.force,
            sync: self.sync.clone(),
            more_rounds: MORE_ROUNDS,
            follows: None,
            retries: 0,
            rollout: self.rollout.clone(),
            schedule,
        }
    }
}

fn chosen(
    settings: &Settings,
    names: &[GuestName],
) -> Result<BTreeMap<GuestName, PlatformName>, NotNamed> {
    let mut guests = BTreeMap::new();
    if names.is_empty() {
        let all = settings.guests.iter();
        guests.extend(all.map(|(name, guest)| (name.clone(), guest.platform.clone())));
    }
    for name in names {
        guests.insert(name.clone(), settings.guest(name)?.platform.clone());
    }
    Ok(guests)
}

/// Whose repositories are brought up to date first. A scan shows what there is unless it is told to
/// sync, and needs no builders.
fn to_sync(settings: &Settings, wishes: &Wishes, kind: RunKind) -> ToSync {
    let is_update = kind == RunKind::Update;
    let by_policy = settings.policy.sync && is_update;
    if !wishes.sync.unwrap_or(by_policy) {
        return ToSync::default();
    }
    let builders = settings.builders.iter().filter(|(_, builder)| builder.sync);
    let guests = settings.guests.iter().filter(|(name, guest)| {
        guest.sync && (wishes.guests.is_empty() || wishes.guests.contains(name))
    });
    ToSync {
        builders: builders
            .filter(|_| is_update)
            .map(|(name, _)| name.clone())
            .collect(),
        guests: guests.map(|(name, _)| name.clone()).collect(),
    }
}
