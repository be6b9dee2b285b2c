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

use common::*;
use gentoo_updater_fleet::batch::{Answer, merge};
use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::name::*;
use uuid::Uuid;

/// g1 wants openssl and curl, g2 wants curl only; the batch is planned.
pub(crate) fn planned() -> History {
    let mut history = History::requested(&["g1", "g2"]);
    let openssl = update("dev-libs/openssl-3.0").slot("0/3");
    let curl = update("net-misc/curl-8.0");
    let (first, second) = (vec![openssl, curl.clone()], vec![curl]);
    let (g1, g2, platform) = (guest("g1"), guest("g2"), platform());
    let answers = [
        Answer {
            guest: &g1,
            platform: &platform,
            updates: &rows(first.clone()),
        },
        Answer {
            guest: &g2,
            platform: &platform,
            updates: &rows(second.clone()),
        },
    ];
    let batch = merge(&answers, &Default::default());
    for (name, updates) in [("g1", first), ("g2", second)] {
        history.say(Event::GuestScanned(scanned(name, updates, Vec::new())));
    }
    history.say(Event::BatchPlanned(BatchPlanned {
        run: run_id(),
        batch,
    }));
    history
}

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
