//! One janitor from its start to its end.

use std::collections::BTreeSet;
use std::sync::Arc;

use gentoo_updater_bus::topology;
use gentoo_updater_bus::worker::WorkerSpec;
use gentoo_updater_fleet::message::Role;
use gentoo_updater_fleet::name::BuilderName;
use gentoo_updater_runtime::{Context, worker_id};

use crate::handler::JanitorHandler;

/// Cleans these builders, and collects the stores of their platforms, until the context is stopped.
///
/// # Errors
/// When the configuration names no such builder, or the bus or the state directory cannot be
/// used.
pub async fn serve(
    context: &Context,
    instance: &str,
    builders: Vec<BuilderName>,
) -> anyhow::Result<()> {
    let mut platforms = BTreeSet::new();
    for builder in &builders {
        platforms.insert(&context.settings.builder(builder)?.platform);
    }
    let id = worker_id("janitor", instance)?;
    let cleanings = builders.iter().map(topology::clean_queue);
    let collections = platforms.into_iter().map(topology::collect_queue);
    let policy = &context.settings.policy;
    let spec = WorkerSpec {
        state_directory: context.state_of(&id),
        id,
        clock: context.clock.clone(),
        role: Role::Janitor,
        queues: cleanings.chain(collections).collect(),
        slots: policy.parallel_installs,
        heartbeat: policy.heartbeat,
        grace: policy.grace,
        read_back: true,
        builder: None,
        pulse: context.pulse.clone(),
    };
    let handler = Arc::new(JanitorHandler::new(context.clone(), builders));
    context.serve(spec, handler).await?;
    Ok(())
}
