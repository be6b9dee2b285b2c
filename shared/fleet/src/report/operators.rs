//! What operators have said that stands in the way: pauses and holds.

use jiff::Timestamp;
use serde::Serialize;

use crate::message::{HoldTarget, PauseTarget};
use crate::name::WorkerId;
use crate::state::Fleet;

/// Who takes no new work because an operator wants it so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PauseReport {
    /// A role or a worker.
    pub target: PauseTarget,
    /// Who wants it.
    pub by: WorkerId,
    /// Since when.
    pub since: Timestamp,
    /// Why, in the operator's words.
    pub reason: Option<String>,
}

impl PauseReport {
    /// What ends it.
    pub fn next_step(&self) -> String {
        let who = match &self.target {
            PauseTarget::Role(role) => role.to_string(),
            PauseTarget::Worker(worker) => worker.to_string(),
        };
        format!("`gentoo-updater resume {who}` ends that")
    }
}

/// What an operator holds, so that nothing of it is begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HoldReport {
    /// What.
    pub target: HoldTarget,
    /// Who wants it.
    pub by: WorkerId,
    /// Since when.
    pub since: Timestamp,
    /// Why, in the operator's words.
    pub reason: Option<String>,
}

/// Whom operators have paused, roles first.
pub fn paused(fleet: &Fleet) -> Vec<PauseReport> {
    let pauses = fleet.pauses.iter();
    pauses
        .map(|(target, pause)| PauseReport {
            target: target.clone(),
            by: pause.by.clone(),
            since: pause.since,
            reason: pause.reason.clone(),
        })
        .collect()
}

/// What operators hold.
pub(super) fn holds(fleet: &Fleet) -> Vec<HoldReport> {
    let holds = fleet.holds.iter();
    holds
        .map(|(target, hold)| HoldReport {
            target: target.clone(),
            by: hold.by.clone(),
            since: hold.since,
            reason: hold.reason.clone(),
        })
        .collect()
}
