//! What goes wrong, and how often it did.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::random::Dice;

/// The kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A process was killed.
    Killed,
    /// A worker or a second planner was killed and never came back.
    WorkerVanished,
    /// A process was stopped in good order and started again.
    Stopped,
    /// A message was stored, and its sender was not told, so it sent it again.
    Doubled,
    /// A message was lost on its way, and was sent again some time later.
    SentLate,
    /// A message was refused for good, or its sender was told so, and ended.
    Refused,
    /// A delivery was lost on its way, and came again.
    LostDelivery,
    /// An acknowledgement was lost, and its message came again.
    LostAck,
    /// A reader was slow.
    Delayed,
    /// A sign of life was lost.
    LostAlive,
    /// The broker was away for everybody.
    Outage,
    /// One process was cut off.
    CutOff,
    /// A clock jumped.
    ClockJumped,
    /// A guest vanished.
    GuestVanished,
    /// A machine of a builder was unfit for a while.
    Unfit,
    /// A machine of a builder was too small for what it was told to build.
    TooSmall,
    /// Work failed for a reason that passes.
    Transient,
    /// Work killed its worker.
    Deadly,
    /// An operator took everything off a queue in which something was.
    Purged,
    /// An operator paused a worker or a role.
    Paused,
    /// An operator wanted further attempts at something that had failed for good.
    Retried,
    /// A process began with a snapshot and not with the first event.
    BegunInTheMiddle,
    /// A snapshot was kept that this version cannot read.
    UnreadableSnapshot,
}

/// How often each fault happens, in a thousand chances, and how long it lasts.
#[derive(Debug, Clone)]
pub struct Rates {
    /// A message is doubled.
    pub doubled: u32,
    /// A message is late.
    pub late: u32,
    /// A message is refused.
    pub refused: u32,
    /// A delivery is lost.
    pub lost_delivery: u32,
    /// An acknowledgement is lost.
    pub lost_ack: u32,
    /// A reader is slow.
    pub delayed: u32,
    /// A sign of life is lost.
    pub lost_alive: u32,
    /// A planner is cut off while it works.
    pub cut_off: u32,
    /// The longest pause of a message or reader, in milliseconds.
    pub longest_pause: u64,
}

impl Rates {
    /// Some schedules are calm in one way and wild in another.
    pub fn draw(dice: &Dice) -> Self {
        let rate = |most: u64| {
            let most = [0, most / 8, most][dice.between(0, 2) as usize];
            u32::try_from(most).unwrap_or(0)
        };
        Self {
            doubled: rate(150),
            late: rate(100),
            refused: rate(8),
            lost_delivery: rate(150),
            lost_ack: rate(150),
            delayed: rate(200),
            lost_alive: rate(300),
            cut_off: rate(100),
            longest_pause: [20, 500, 4000][dice.between(0, 2) as usize],
        }
    }
}

/// The state of what everybody depends on.
#[derive(Debug)]
pub struct Weather {
    /// How often faults happen.
    pub rates: Rates,
    /// From here on nothing goes wrong any more, so that the end can be demanded.
    pub calm: Instant,
    outages: Vec<(Instant, Instant)>,
    counts: Mutex<BTreeMap<Fault, u64>>,
}

impl Weather {
    /// With the times at which the broker is away.
    pub fn new(rates: Rates, calm: Instant, outages: Vec<(Instant, Instant)>) -> Self {
        let weather = Self {
            rates,
            calm,
            outages,
            counts: Mutex::default(),
        };
        for _ in &weather.outages {
            weather.count(Fault::Outage);
        }
        weather
    }

    /// Whether faults still happen.
    pub fn is_rough(&self) -> bool {
        Instant::now() < self.calm
    }

    /// Notes a fault.
    pub fn count(&self, fault: Fault) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(fault).or_default() += 1;
    }

    /// How often each fault happened.
    pub fn counts(&self) -> BTreeMap<Fault, u64> {
        self.counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Throws for a fault, and notes it where it happens.
    pub fn strikes(&self, dice: &Dice, fault: Fault, chance: u32) -> bool {
        let strikes = self.is_rough() && dice.per_mille(chance);
        if strikes {
            self.count(fault);
        }
        strikes
    }

    /// How long the broker was away in this time, at most in one piece.
    pub fn longest_outage(&self, from: Instant, to: Instant) -> Duration {
        let overlap = |(begin, end): &(Instant, Instant)| {
            (*end).min(to).saturating_duration_since((*begin).max(from))
        };
        self.outages.iter().map(overlap).max().unwrap_or_default()
    }

    /// Waits while the broker is away.
    pub async fn broker(&self) {
        let away = |now: Instant| {
            let mut outages = self.outages.iter();
            outages.find(|(begin, end)| *begin <= now && now < *end)
        };
        while let Some((_, end)) = away(Instant::now()) {
            sleep_until(*end).await;
        }
    }
}
