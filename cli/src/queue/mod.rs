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

use gentoo_updater_bus::topology::{self, Topology};
use gentoo_updater_bus::{Bus, QueueState};
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::inspect::{QueueWork, nearest, work_of_queues};
use gentoo_updater_fleet::state::Fleet;

use crate::WrongUsage;

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

/// The names of the queues: those of the configuration, and those that hold work all the same,
/// such as that of a guest which is no longer in the configuration.
fn names(settings: &Settings, work: &BTreeMap<String, QueueWork>) -> Vec<String> {
    let declared = Topology::of(settings).queues();
    let mut names: Vec<String> = declared.into_iter().map(|queue| queue.name).collect();
    for name in work.keys() {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// What the history says of the work of all queues.
fn work(fleet: &Fleet) -> BTreeMap<String, QueueWork> {
    work_of_queues(fleet, topology::queue_of)
}

/// # Errors
/// Wrong usage for a name of no queue that holds commands, with names that are like it.
fn check_name(settings: &Settings, fleet: &Fleet, name: &str) -> anyhow::Result<()> {
    let names = names(settings, &work(fleet));
    let holds_commands = |name: &&String| topology::role_of(name).is_some();
    let commands: Vec<&str> = names
        .iter()
        .filter(holds_commands)
        .map(String::as_str)
        .collect();
    if commands.contains(&name) {
        return Ok(());
    }
    let message = match name {
        topology::HISTORY => "the queue history holds what happened and no work; \
                              `gentoo-updater events` shows it"
            .to_owned(),
        topology::DEAD => "the queue dead holds what could not be used; `gentoo-updater dead \
                           list` shows it"
            .to_owned(),
        topology::PLAN => "the queue plan holds only what wakes the planner: the events that \
                           `gentoo-updater events` shows"
            .to_owned(),
        _ => match nearest(name, commands.iter().copied()).as_slice() {
            [] => format!(
                "there is no queue {name}; there are {}",
                commands.join(", ")
            ),
            near => format!(
                "there is no queue {name}; did you mean {}?",
                near.join(" or ")
            ),
        },
    };
    Err(WrongUsage(message).into())
}
