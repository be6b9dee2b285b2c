//! The waves of a run, and what its guests wait for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use super::{GuestOutcome, Report};
use crate::message::Task;
use crate::name::{GuestName, WaveName};
use crate::rollout::{Gate, Verdict, Wait, is_under_way};
use crate::state::{Fleet, Run};
use crate::words::{counted, guests_failed};

/// How far one wave is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WaveReport {
    /// Its name.
    pub name: WaveName,
    /// Its guests in this run.
    pub guests: BTreeSet<GuestName>,
    /// How many of them have what they get in this run.
    pub done: usize,
    /// How many of those have failed.
    pub failed: usize,
    /// How many of those got nothing although they could have.
    #[serde(skip_serializing_if = "is_zero")]
    pub left_out: usize,
    /// When it was over, where another wave follows.
    pub ended_at: Option<Timestamp>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// For what guests wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WaitReport {
    /// For what.
    #[serde(flatten)]
    pub wait: Wait,
    /// Who.
    pub guests: BTreeSet<GuestName>,
}

impl Report {
    /// The same report with what its guests wait for at this time, by what `run` and its further rounds
    /// are.
    #[must_use]
    pub fn at(mut self, fleet: &Fleet, now: Timestamp) -> Self {
        if let Some(run) = fleet.runs.get(&self.run) {
            self.waits = waits(fleet, run, now);
            for name in self.waits.iter().flat_map(|wait| &wait.guests) {
                if let Some(guest) = self.guests.get_mut(name) {
                    guest.outcome = GuestOutcome::Waiting;
                }
            }
        }
        self.further = self.further.map(|further| Box::new(further.at(fleet, now)));
        self
    }
}

/// How far the waves of a run are, whose guests stand as `outcome` says.
pub fn waves(run: &Run, outcome: impl Fn(&GuestName) -> Option<GuestOutcome>) -> Vec<WaveReport> {
    let last = run.rollout.waves.len().saturating_sub(1);
    let of = |(place, wave): (usize, &crate::rollout::Wave)| {
        let is_of = |name: &&GuestName| {
            wave.guests.contains(*name) || place == last && run.rollout.wave_of(name) == last
        };
        let guests: BTreeSet<GuestName> = run.guests.keys().filter(is_of).cloned().collect();
        let is_done = |name: &&GuestName| outcome(name).is_some_and(GuestOutcome::is_over);
        let has_failed = |name: &&GuestName| outcome(name) == Some(GuestOutcome::Failed);
        let is_left_out = |name: &&GuestName| outcome(name) == Some(GuestOutcome::LeftOut);
        WaveReport {
            name: wave.name.clone(),
            done: guests.iter().filter(is_done).count(),
            failed: guests.iter().filter(has_failed).count(),
            left_out: guests.iter().filter(is_left_out).count(),
            ended_at: run.ended_waves.get(place).copied(),
            guests,
        }
    };
    run.rollout.waves.iter().enumerate().map(of).collect()
}

/// What the guests of a run wait for whose binaries are all built.
pub fn waits(fleet: &Fleet, run: &Run, now: Timestamp) -> Vec<WaitReport> {
    if run.finished.is_some() || run.jobs.is_none() {
        return Vec::new();
    }
    let (gate, progress) = (Gate::of(fleet, run, now), run.progress());
    let closing = run.closing(fleet);
    let mut waits: BTreeMap<Wait, BTreeSet<GuestName>> = BTreeMap::new();
    for (name, guest) in &run.guests {
        let state = run.tasks.get(&Task::Install(name.clone()));
        let is_open =
            state.is_none_or(|state| state.outcome.is_none() && !is_under_way(run, name, state));
        let is_ready = |plan: &_| progress.is_over_for(plan);
        if is_open
            && guest.left_out.is_none()
            && guest.plan.as_deref().is_some_and(is_ready)
            && let Verdict::Wait(wait) = gate.verdict(name, run.rollout.wave_of(name))
            && !closing.gets_nothing(guest)
        {
            waits.entry(wait).or_default().insert(name.clone());
        }
    }
    let report = |(wait, guests)| WaitReport { wait, guests };
    waits.into_iter().map(report).collect()
}

impl fmt::Display for WaveReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.guests.len();
        write!(
            f,
            "{}: {} of {}",
            self.name,
            self.done,
            counted(all, "guest")
        )?;
        if self.failed > 0 {
            write!(f, ", {} FAILED", self.failed)?;
        }
        if self.left_out > 0 {
            write!(f, ", {} left out", self.left_out)?;
        }
        match self.ended_at {
            Some(at) => write!(f, ", over since {at:.0}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for WaitReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let guests = counted(self.guests.len(), "guest");
        match &self.wait {
            Wait::Wave(wave) => write!(f, "{guests}: when wave {wave} is over"),
            Wait::Soak(until) => write!(f, "{guests}: the wave before soaks until {until:.0}"),
            Wait::Room(most) => write!(f, "{guests}: not more than {most} at once"),
            Wait::Builds => write!(
                f,
                "{guests}: when all is built, since something goes first as a step of its own"
            ),
            Wait::Window(Some(opens)) => {
                write!(f, "{guests}: the maintenance window opens at {opens:.0}")
            }
            Wait::Window(None) => write!(f, "{guests}: no maintenance window ever opens"),
            Wait::Approval(target) => write!(
                f,
                "{guests}: {target} waits for an approval; `gentoo-updater approve {target}`"
            ),
            Wait::Held(target) => write!(
                f,
                "{guests}: {target} is held; `gentoo-updater approve {target}` ends that"
            ),
            Wait::Budget(budget) => write!(
                f,
                "{guests}: nothing more is begun once {}",
                guests_failed(*budget)
            ),
        }
    }
}
