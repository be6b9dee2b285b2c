//! What the workers work on: guests, builders, a store, and what becomes of each.

mod building;
mod handlers;
mod machines;
mod packages;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use gentoo_updater_fleet::message::{Binary, WorkKey};
use gentoo_updater_fleet::name::{BuilderName, GuestName, JobId, RunId, WorkerId};
use tokio::time::Instant;

pub use self::handlers::Hands;
pub use self::machines::{BuilderMachine, GuestFate, GuestMachine, JobFate};
pub use self::packages::{Packages, installed, platform};

use crate::random::Dice;

/// The machines of a fleet. They outlive every process of gentoo-updater.
#[derive(Debug)]
pub struct World {
    /// What there is to update.
    pub packages: Packages,
    /// The guests.
    pub guests: BTreeMap<GuestName, GuestMachine>,
    /// The builders.
    pub builders: BTreeMap<BuilderName, BuilderMachine>,
    state: Mutex<State>,
}

/// What changes in the world.
#[derive(Debug, Default)]
pub struct State {
    /// The binaries of the store.
    pub store: BTreeMap<JobId, Binary>,
    /// When each of them came there.
    pub stored_at: BTreeMap<JobId, Instant>,
    /// Every compilation that was ever begun, in this order.
    pub compilations: Vec<Compilation>,
    /// Every installation that was ever begun, in this order.
    pub installations: Vec<(GuestName, RunId, Instant)>,
    /// What is installed by which run.
    pub installed: BTreeMap<(GuestName, RunId), Vec<Binary>>,
    /// How often work has killed its worker.
    pub deaths: BTreeMap<WorkKey, usize>,
    /// Who works on what now.
    pub at_work: BTreeMap<WorkKey, WorkerId>,
    /// What must not happen and did, seen while it happened.
    pub violations: Vec<String>,
    failed_builds: BTreeMap<JobId, u32>,
    failed_scans: BTreeMap<(GuestName, RunId), u32>,
}

/// One compilation.
#[derive(Debug, Clone, PartialEq)]
pub struct Compilation {
    /// For which run.
    pub run: RunId,
    /// Of which job.
    pub job: JobId,
    /// By which attempt it was begun.
    pub attempt: u32,
    /// By which worker.
    pub worker: WorkerId,
    /// When it began.
    pub begun: Instant,
    /// When it ends, whoever looks.
    pub ends: Instant,
    /// How it ends.
    pub is_good: bool,
    /// Whether its failure was seen by a worker.
    pub is_forgotten: bool,
}

impl World {
    /// Draws a fleet.
    pub fn draw(dice: &Dice, begun: Instant) -> Self {
        let guests = machines::guests(dice);
        let packages = Packages::draw(dice, guests.keys());
        Self {
            packages,
            guests,
            builders: machines::builders(dice, begun),
            state: Mutex::default(),
        }
    }

    /// What changes. Nobody waits while it is looked at.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
