//! What becomes of machines, as the seed wants it.

use std::collections::BTreeMap;
use std::time::Duration;

use gentoo_updater_fleet::name::{BuilderName, GuestName};
use gentoo_updater_fleet::needs::Capacity;
use tokio::time::Instant;

use crate::random::Dice;

/// What becomes of a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuestFate {
    /// It answers and can be updated.
    Good,
    /// It answers at the third time.
    AnswersLate,
    /// Its answer is not understood.
    AnswersNonsense,
    /// It is gone before it was asked.
    Vanished,
    /// It is gone when it shall be updated.
    VanishesLater,
}

/// A guest.
#[derive(Debug, Clone)]
pub struct GuestMachine {
    /// What becomes of it.
    pub fate: GuestFate,
    /// After how many of its installations it wants more.
    pub insatiable: usize,
}

/// What becomes of a job, on every builder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobFate {
    /// It compiles.
    Good,
    /// It fails each time.
    Broken,
    /// It kills its worker each time.
    Deadly,
    /// It fails this often, for a reason that passes, and compiles then.
    FailsFirst(u32),
}

/// A builder.
#[derive(Debug, Clone)]
pub struct BuilderMachine {
    /// When its machine cannot be worked on.
    pub unfit: Option<(Instant, Instant)>,
    /// How much longer than others it needs, in hundredths.
    pub slowness: u64,
    /// Its memory, in megabytes.
    pub memory: u64,
}

impl BuilderMachine {
    /// What it has for builds.
    pub fn capacity(&self) -> Capacity {
        Capacity {
            memory_megabytes: self.memory,
            disk_megabytes: 100_000,
        }
    }

    /// Whether it can be worked on now.
    pub fn is_fit(&self) -> bool {
        let now = Instant::now();
        !self
            .unfit
            .is_some_and(|(begin, end)| begin <= now && now < end)
    }
}

pub(super) fn guests(dice: &Dice) -> BTreeMap<GuestName, GuestMachine> {
    let count = dice.between(3, 5);
    let guest = |number| {
        let fate = match dice.between(0, 19) {
            0 => GuestFate::AnswersNonsense,
            1 => GuestFate::Vanished,
            2 => GuestFate::VanishesLater,
            3 | 4 => GuestFate::AnswersLate,
            _ => GuestFate::Good,
        };
        // One of them is well, so that there is always something to do.
        let fate = if number == 1 { GuestFate::Good } else { fate };
        let name = format!("g{number}").parse().expect("a name of a guest");
        let insatiable = match dice.per_mille(40) {
            true => usize::try_from(dice.between(1, 4)).unwrap_or(1),
            false => 0,
        };
        (name, GuestMachine { fate, insatiable })
    };
    (1..=count).map(guest).collect()
}

pub(super) fn builders(dice: &Dice, begun: Instant) -> BTreeMap<BuilderName, BuilderMachine> {
    let builder = |number: u64| {
        let unfit = dice.per_mille(150).then(|| {
            let from = begun + dice.millis(0, 40_000);
            (from, from + dice.millis(1_000, 60_000))
        });
        let name = format!("b{number}").parse().expect("a name of a builder");
        let slowness = dice.between(100, 300);
        let memory = 4000 << (number - 1);
        let machine = BuilderMachine {
            unfit,
            slowness,
            memory,
        };
        (name, machine)
    };
    (1..=dice.between(2, 3)).map(builder).collect()
}

/// How long a compilation takes.
pub(super) fn duration(dice: &Dice, slowness: u64) -> Duration {
    let longest = [2_000, 8_000, 40_000][dice.between(0, 2) as usize];
    dice.millis(100, longest) * u32::try_from(slowness).unwrap_or(100) / 100
}
