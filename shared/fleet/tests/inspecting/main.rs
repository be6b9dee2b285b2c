//! What an operator is shown of the fleet at work.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../common/mod.rs"]
mod common;
mod events;
mod failures;
mod queues;
mod status;
mod why;
mod workers;

use std::collections::BTreeSet;

use common::*;
use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::name::*;
use uuid::Uuid;

pub(crate) use common::failing::planned;

pub(crate) fn work(task: Task, attempt: u32) -> WorkKey {
    WorkKey {
        run: run_id(),
        task,
        attempt,
    }
}

pub(crate) fn build(history: &History, name: &str) -> Task {
    Task::Build(history.job(name).id)
}

pub(crate) fn issue(history: &mut History, task: &Task, attempt: u32, queue: &str) {
    history.seconds += 60;
    history.say(Event::CommandIssued(CommandIssued {
        command: CommandId(Uuid::nil()),
        work: work(task.clone(), attempt),
        queue: queue.to_owned(),
    }));
}

/// The guests of the configuration.
fn guests() -> BTreeSet<GuestName> {
    ["g1", "g2", "g3"].map(common::guest).into()
}
