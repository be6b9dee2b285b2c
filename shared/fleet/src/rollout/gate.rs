//! Whose turn it is: what waves, windows, limits and operators say of one run at one time. Pure.

use std::cell::OnceCell;
use std::iter;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{Turn, Wave, turn};
use crate::message::{Failure, HoldTarget, Task};
use crate::name::{GuestName, WaveName};
use crate::state::{Fleet, Run, TaskOutcome, TaskState};

/// Why nothing may be begun on a guest yet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "for", content = "what", rename_all = "snake_case")]
pub enum Wait {
    /// The wave before its own one is not over.
    Wave(WaveName),
    /// The wave before its own one soaks until then.
    Soak(Timestamp),
    /// So many guests are being worked on as may be at once.
    Room(u32),
    /// All builds: something goes first, and what comes with it is not known before.
    Builds,
    /// Its maintenance window, which opens then; never, where that is absent.
    Window(Option<Timestamp>),
    /// An operator who approves it.
    Approval(HoldTarget),
    /// An operator, who holds it.
    Held(HoldTarget),
    /// Nothing: so many guests have failed as the rollout allows.
    Budget(u32),
}

/// Whether something may be begun on a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It may, before this time where there is one.
    Begin(Option<Timestamp>),
    /// Not yet, or not at all.
    Wait(Wait),
}

/// What may be begun on the guests of one run.
pub struct Gate<'a> {
    fleet: &'a Fleet,
    run: &'a Run,
    now: Timestamp,
    /// The place of the wave whose turn it is.
    wave: usize,
    /// Until when the wave before it soaks, if it does.
    soaks_until: Option<Timestamp>,
    /// Whether it is not known yet what goes first.
    awaits_barriers: bool,
    /// The guests that count as failed.
    failed: Vec<&'a GuestName>,
    /// On how many guests of each wave something goes on.
    under_way: Vec<u32>,
    /// What the windows say that hold for most guests of a wave, as far as it was asked.
    turns: Vec<OnceCell<Turn>>,
}

impl<'a> Gate<'a> {
    /// Of this run at this time.
    pub fn of(fleet: &'a Fleet, run: &'a Run, now: Timestamp) -> Self {
        let waves = run.rollout.waves.len().max(1);
        let wave = run.ended_waves.len().min(waves - 1);
        let mut gate = Self {
            fleet,
            run,
            now,
            wave,
            soaks_until: soaks_until(run).filter(|until| now < *until),
            awaits_barriers: run.awaits_barriers(fleet),
            failed: Vec::new(),
            under_way: vec![0; waves],
            turns: vec![OnceCell::new(); waves],
        };
        if run.rollout.is_plain() {
            return gate;
        }
        gate.failed = failed(fleet, run);
        for (guest, state) in installations(run) {
            if is_under_way(run, guest, state) {
                gate.begun(run.rollout.wave_of(guest));
            }
        }
        gate
    }

    /// The place of the wave whose turn it is.
    pub fn wave(&self) -> usize {
        self.wave
    }

    /// The guests that count as failed.
    pub fn failed(&self) -> &[&'a GuestName] {
        &self.failed
    }

    /// Whether so many guests have failed that nothing is begun any more.
    pub fn is_spent(&self) -> bool {
        is_reached(self.run, self.failed.len())
    }

    /// Something has been begun on a guest of this wave.
    pub fn begun(&mut self, wave: usize) {
        if let Some(under_way) = self.under_way.get_mut(wave) {
            *under_way += 1;
        }
    }

    /// Whether something may be begun on a guest of this wave.
    pub fn verdict(&self, guest: &GuestName, place: usize) -> Verdict {
        let rollout = &self.run.rollout;
        let wave = rollout.waves.get(place);
        let wait = self.held(HoldTarget::Guest(guest.clone()));
        let wait = wait.or_else(|| self.spent());
        let wait = wait.or_else(|| self.held(HoldTarget::Run(self.run.id)));
        let wait = wait.or_else(|| self.of_wave(place, wave?));
        let wait = wait.or_else(|| self.awaits_barriers.then_some(Wait::Builds));
        if let Some(wait) = wait {
            return Verdict::Wait(wait);
        }
        let until = match self.turn(guest, place) {
            Turn::Any => None,
            Turn::Before(closes) => Some(closes),
            Turn::From(opens) => return Verdict::Wait(Wait::Window(Some(opens))),
            Turn::Never => return Verdict::Wait(Wait::Window(None)),
        };
        match self.full(place, wave) {
            Some(most) => Verdict::Wait(Wait::Room(most)),
            None => Verdict::Begin(until),
        }
    }

    /// Since when nothing has happened that could let a guest's turn come, but for windows and operators.
    pub fn waits_since(&self) -> Timestamp {
        let progressed = self.run.progressed_at;
        soaks_until(self.run).map_or(progressed, |until| until.max(progressed))
    }

    /// Whether a guest has waited for a window or an operator for as long as it may.
    pub fn is_given_up(&self) -> bool {
        let waited = self.now.duration_since(self.waits_since());
        let patience = SignedDuration::try_from(self.run.rollout.patience());
        patience.is_ok_and(|patience| waited > patience)
    }

    /// What its windows say for a guest of this wave.
    pub fn turn(&self, guest: &GuestName, place: usize) -> Turn {
        let rollout = &self.run.rollout;
        if let Some(own) = rollout.windows.get(guest) {
            return turn(own, self.now);
        }
        let wave = rollout.waves.get(place).zip(self.turns.get(place));
        wave.map_or(Turn::Any, |(wave, known)| {
            *known.get_or_init(|| turn(&wave.windows, self.now))
        })
    }

    fn spent(&self) -> Option<Wait> {
        let budget = self.run.rollout.budget.filter(|_| self.is_spent());
        budget.map(Wait::Budget)
    }

    fn held(&self, target: HoldTarget) -> Option<Wait> {
        let is_held = self.fleet.holds.contains_key(&target);
        is_held.then_some(Wait::Held(target))
    }

    fn of_wave(&self, place: usize, wave: &Wave) -> Option<Wait> {
        // What is tried again in a wave that is over has had its turn.
        if place < self.wave {
            return None;
        }
        if place > self.wave {
            let now = self.run.rollout.waves.get(self.wave);
            return now.map(|wave| Wait::Wave(wave.name.clone()));
        }
        let soak = self.soaks_until.map(Wait::Soak);
        let held = || self.held(HoldTarget::Wave(wave.name.clone()));
        let is_missing = wave.needs_approval && !self.run.approved.contains(&wave.name);
        let approval = || is_missing.then(|| Wait::Approval(HoldTarget::Wave(wave.name.clone())));
        soak.or_else(held).or_else(approval)
    }

    /// How many guests may be worked on at once, if so many are.
    fn full(&self, place: usize, wave: Option<&Wave>) -> Option<u32> {
        let all: u32 = self.under_way.iter().sum();
        let of_wave = self.under_way.get(place).copied().unwrap_or_default();
        let limits = [
            (self.run.rollout.at_once, all),
            (wave.and_then(|wave| wave.at_once), of_wave),
        ];
        let full = limits
            .into_iter()
            .filter_map(|(most, there)| most.filter(|most| there >= *most));
        full.min()
    }
}

/// Until when the wave that ended last soaks; absent where there is none, or where nothing was
/// installed in it.
fn soaks_until(run: &Run) -> Option<Timestamp> {
    let (ended, wave) = run.ended_waves.iter().zip(&run.rollout.waves).next_back()?;
    let soak = SignedDuration::from_secs(i64::try_from(wave.soak_seconds).ok()?);
    let soaks = wave.guests.iter().any(|guest| run.is_begun_on(guest));
    soaks.then(|| ended.checked_add(soak).ok())?
}

/// Whether something goes on for a guest: a command to install something is out and has no result yet,
/// or an attempt has begun on it and another one follows. Between the two it is neither what it was nor
/// what it is to be.
pub(crate) fn is_under_way(run: &Run, guest: &GuestName, state: &TaskState) -> bool {
    let newest = state.newest();
    let is_out = newest.is_some_and(|(_, attempt)| {
        attempt.failure.is_none() && (attempt.issued.is_some() || attempt.claim.is_some())
    });
    state.outcome.is_none() && (is_out || run.is_begun_on(guest))
}

/// Whether so many guests of a run have failed that nothing is begun any more.
pub(crate) fn is_spent(fleet: &Fleet, run: &Run) -> bool {
    is_reached(run, failed(fleet, run).len())
}

fn is_reached(run: &Run, failed: usize) -> bool {
    let failed = u32::try_from(failed).unwrap_or(u32::MAX);
    run.rollout.budget.is_some_and(|budget| failed >= budget)
}

/// The guests that count as failed, in a run and in the rounds before it. Of each guest the newest round
/// counts that it is in.
fn failed<'a>(fleet: &'a Fleet, run: &'a Run) -> Vec<&'a GuestName> {
    let before = |round: &&'a Run| {
        let before = fleet.runs.get(&round.follows?)?;
        // Each is older than the one that follows it, so that this ends whatever the history says.
        (before.id < round.id).then_some(before.as_ref())
    };
    let (mut all, mut later) = (Vec::new(), Vec::<&Run>::new());
    for round in iter::successors(Some(run), before) {
        let failed = installations(round).filter(|(guest, state)| {
            counts_as_failed(round, guest, state)
                && !later.iter().any(|later| later.guests.contains_key(*guest))
        });
        all.extend(failed.map(|(guest, _)| guest));
        later.push(round);
    }
    all.sort();
    all
}

fn installations(run: &Run) -> impl Iterator<Item = (&GuestName, &TaskState)> {
    run.tasks.iter().filter_map(|(task, state)| match task {
        Task::Install(guest) => Some((guest, state)),
        _ => None,
    })
}

/// Whether a guest speaks against the update. One that could not be reached before anything was begun on
/// it does not: it blocks nobody.
fn counts_as_failed(run: &Run, guest: &GuestName, state: &TaskState) -> bool {
    let Some(TaskOutcome::Failed { failure, .. }) = &state.outcome else {
        return false;
    };
    run.is_begun_on(guest) || !was_not_there(failure)
}

fn was_not_there(failure: &Failure) -> bool {
    failure.is_of_machine() || failure.cause == crate::decide::NOBODY_SERVES
}
