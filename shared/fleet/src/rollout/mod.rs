//! How updates reach a fleet: wave by wave, in maintenance windows, with a budget of failures. Pure.
//!
//! A run carries its [`Rollout`] from its beginning, so that whoever plans it goes by the same one.

mod barrier;
mod gate;
mod irreversible;
mod window;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::name::{GuestName, WaveName};

pub use barrier::{Barrier, FlagPattern, InvalidFlagPattern};
pub use gate::{Gate, Verdict, Wait};
pub(crate) use gate::{is_spent, is_under_way};
pub use irreversible::Irreversible;
pub use window::{InvalidWindow, Window};

/// How the updates of one run reach its guests.
///
/// One without waves, windows and limits is that of a fleet in which every guest gets its updates as
/// soon as they are built.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// The waves, in their order. Guests of the run that are in none have their turn with the last one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waves: Vec<Wave>,
    /// The windows of guests that have windows of their own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub windows: BTreeMap<GuestName, Vec<Window>>,
    /// On how many guests of the run something is installed at once, at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_once: Option<u32>,
    /// After so many failed guests nothing is begun any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<u32>,
    /// How long a guest waits for a window or an approval while nothing else goes on, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience_seconds: Option<u64>,
    /// The guests that are put back to what they had when a check fails after an update.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub put_back: BTreeSet<GuestName>,
    /// What cannot be undone on them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub irreversible: Vec<Irreversible>,
    /// What goes first, as a step of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub barriers: Vec<Barrier>,
}

/// The guests that get their updates together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wave {
    /// Its name.
    pub name: WaveName,
    /// Its guests.
    pub guests: BTreeSet<GuestName>,
    /// How long the next wave waits when all of it is installed, in seconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub soak_seconds: u64,
    /// On how many of its guests something is installed at once, at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_once: Option<u32>,
    /// When something may begin on those of its guests that have no windows of their own; at any time
    /// where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
    /// Whether it waits until an operator approves it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub needs_approval: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// How long a guest waits for a window or an approval where nobody has said it: long enough for windows
/// that open once a week.
const PATIENCE: Duration = Duration::from_secs(8 * 24 * 3600);

impl Rollout {
    /// Whether it is the one of a fleet of which nobody said anything.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// How long a guest waits for a window or an approval while nothing else goes on.
    pub fn patience(&self) -> Duration {
        self.patience_seconds.map_or(PATIENCE, Duration::from_secs)
    }

    /// The place of the wave of a guest.
    pub fn wave_of(&self, guest: &GuestName) -> usize {
        let place = self
            .waves
            .iter()
            .position(|wave| wave.guests.contains(guest));
        place.unwrap_or(self.waves.len().saturating_sub(1))
    }
}

/// Whether something may begin now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// At any time, as far as windows go.
    Any,
    /// Before this time.
    Before(Timestamp),
    /// From this time on.
    From(Timestamp),
    /// Never: there are windows, and none ever opens.
    Never,
}

/// What these windows say at this time.
pub fn turn(windows: &[Window], now: Timestamp) -> Turn {
    if windows.is_empty() {
        return Turn::Any;
    }
    if let Some(closes) = windows
        .iter()
        .filter_map(|window| window.open_until(now))
        .max()
    {
        return Turn::Before(closes);
    }
    let opens = windows
        .iter()
        .filter_map(|window| window.next_opening(now))
        .min();
    opens.map_or(Turn::Never, Turn::From)
}
