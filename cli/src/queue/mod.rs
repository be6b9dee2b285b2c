//! `queue`: what waits, and who works on what.

mod arguments;
mod list;
mod peek;
mod purge;
#[cfg(test)]
mod tests;
mod view;

use std::collections::BTreeMap;
use std::sync::Arc;

use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_bus::topology::{self, Topology};
use gentoo_updater_bus::{Bus, QueueState};
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::inspect::{QueueWork, nearest, work_of_queues};
use gentoo_updater_fleet::state::Fleet;
use serde::Serialize;

use crate::WrongUsage;
use crate::open::Opened;

pub(crate) use arguments::QueueCommand;
pub(crate) use view::{HealthView, health_words};

/// Carries out one of the commands.
pub(crate) async fn queue(settings: &Arc<Settings>, command: QueueCommand) -> anyhow::Result<u8> {
    match command {
        QueueCommand::List(options) => list::list(settings, &options).await,
        QueueCommand::Peek(options) => peek::peek(settings, &options).await,
        QueueCommand::Purge(options) => purge::purge(settings, &options).await,
    }
}

/// What `queue list` shows, as a document.
///
/// # Errors
/// When the bus cannot be asked.
pub(crate) async fn look(
    settings: &Settings,
    opened: &Opened,
    view: &FleetView,
) -> anyhow::Result<impl Serialize + use<>> {
    let health = opened.inspect.probe().await?;
    list::look(settings, opened, view, &health).await
}

/// What the broker says of each of these queues; absent where it has none of that name.
async fn states(
    bus: &dyn Bus,
    names: &[String],
) -> anyhow::Result<BTreeMap<String, Option<QueueState>>> {
    let mut states = BTreeMap::new();
    for name in names {
        states.insert(name.clone(), bus.queue(name).await?);
    }
    Ok(states)
}

/// The names of the queues of the configuration.
pub(crate) fn declared(settings: &Settings) -> Vec<String> {
    let declared = Topology::of(settings).queues();
    declared.into_iter().map(|queue| queue.name).collect()
}

/// Says that there is no queue of this name, and which one may be meant, or which there are.
pub(crate) fn no_such_queue(name: &str, known: &[String]) -> String {
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    match nearest(name, known.iter().copied()).as_slice() {
        [] => format!("there is no queue {name}; there are {}", known.join(", ")),
        near => format!(
            "there is no queue {name}; did you mean {}?",
            near.join(" or ")
        ),
    }
}

/// The names of the queues: those of the configuration, and those that hold work all the same,
/// such as that of a guest which is no longer in the configuration.
fn names(settings: &Settings, work: &BTreeMap<String, QueueWork>) -> Vec<String> {
    let mut names = declared(settings);
    for name in work.keys() {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// What the history says of the work of all queues.
pub(crate) fn work(fleet: &Fleet) -> BTreeMap<String, QueueWork> {
    work_of_queues(fleet, topology::queue_of)
}

/// Why a queue of another kind has no place in these commands.
fn no_work(name: &str, holds: &str, instead: &str) -> String {
    format!(
        "the queue {name} holds {holds} and no work that waits, which is what `queue peek` shows and \
         `queue purge` takes away; `{instead}` shows what is in it"
    )
}

/// # Errors
/// Wrong usage for a name of no queue that holds commands, with names that are like it.
fn check_name(settings: &Settings, fleet: &Fleet, name: &str) -> anyhow::Result<()> {
    let names = names(settings, &work(fleet));
    let mut commands = names;
    commands.retain(|name| topology::is_command_queue(name));
    if commands.iter().any(|known| known == name) {
        return Ok(());
    }
    let message = match name {
        topology::HISTORY => no_work(name, "what happened", "gentoo-updater events"),
        topology::DEAD => no_work(name, "what could not be used", "gentoo-updater dead list"),
        topology::PLAN => no_work(
            name,
            "copies of the events that wake the planner, and signs of life",
            "gentoo-updater events",
        ),
        topology::SNAPSHOTS => no_work(name, "states of the fleet", "gentoo-updater status"),
        _ => no_such_queue(name, &commands),
    };
    Err(WrongUsage(message).into())
}
