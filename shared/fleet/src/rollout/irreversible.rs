//! What cannot be undone: a version after which the one before it does not work any more. Pure.

use gentoo_updater_portage::atom::Atom;
use serde::{Deserialize, Serialize};

use super::Rollout;
use crate::message::Update;
use crate::name::GuestName;
use crate::needs::speaks_of;

/// That another version of some packages cannot be undone, or can after all. Of several that speak of a
/// package the last one counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Irreversible {
    /// Which packages.
    pub atom: Atom,
    /// Whether it can, whatever was said before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub can_be_undone: bool,
}

impl Rollout {
    /// Whether a guest that is put back when a check fails could not be put back from this update. The
    /// same version built anew, and a package that was not there, can be undone.
    pub fn is_irreversible(&self, guest: &GuestName, update: &Update) -> bool {
        let speaking = |said: &&Irreversible| speaks_of(&said.atom, &update.key);
        update.change.is_of_version()
            && self.put_back.contains(guest)
            && self
                .irreversible
                .iter()
                .rev()
                .find(speaking)
                .is_some_and(|said| !said.can_be_undone)
    }
}
