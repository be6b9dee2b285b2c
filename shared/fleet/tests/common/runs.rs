//! Runs of two guests, told apart by a number.

use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::name::*;
use uuid::Uuid;

use super::{guest, platform};

pub fn run_number(number: u128) -> RunId {
    RunId(Uuid::from_u128(
        0x0190_0000_0000_7000_8000_0000_0000_0000 + number,
    ))
}

pub fn requested(run: RunId) -> Event {
    Event::RunRequested(RunRequested {
        run,
        kind: RunKind::Update,
        more_rounds: 0,
        follows: None,
        retries: 0,
        guests: [(guest("g1"), platform()), (guest("g2"), platform())].into(),
        force: false,
        sync: Default::default(),
        rollout: Default::default(),
        schedule: None,
    })
}

pub fn finished(run: RunId) -> Event {
    Event::RunFinished(RunFinished {
        run,
        outcome: RunOutcome::Complete,
        retries: 0,
    })
}
