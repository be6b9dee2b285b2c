//! One builder from its start to its end.

use std::sync::Arc;

use anyhow::Context as _;
use gentoo_updater_bus::topology;
use gentoo_updater_bus::worker::WorkerSpec;
use gentoo_updater_fleet::message::Role;
use gentoo_updater_fleet::name::BuilderName;
use gentoo_updater_runtime::{Context, worker_id};

use crate::handler::BuildHandler;

/// Builds until the context is stopped: as many jobs at a time as the configuration says, where the
/// machine has clean rooms, and one where it has none.
///
/// # Errors
/// When the configuration names no such builder, or the bus or the state directory cannot be
/// used.
pub async fn serve(context: &Context, name: &BuilderName) -> anyhow::Result<()> {
    let builder = context.settings.builder(name)?;
    let platform = context
        .settings
        .platforms
        .get(&builder.platform)
        .with_context(|| format!("the configuration names no platform {}", builder.platform))?;
    let id = worker_id("builder", name.as_str())?;
    let policy = &context.settings.policy;
    let spec = WorkerSpec {
        state_directory: context.state_of(&id),
        id,
        clock: context.clock.clone(),
        role: Role::Builder,
        queues: vec![topology::build_queue(&builder.platform)],
        slots: builder.slots,
        heartbeat: policy.heartbeat,
        grace: policy.grace,
        read_back: true,
        builder: Some(name.clone()),
        pulse: context.pulse.clone(),
    };
    let handler = BuildHandler::new(context.clone(), name.clone(), builder.clone(), platform);
    context.serve(spec, Arc::new(handler)).await?;
    Ok(())
}
