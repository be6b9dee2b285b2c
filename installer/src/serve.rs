//! One installer from its start to its end.

use std::sync::Arc;

use gentoo_updater_bus::topology;
use gentoo_updater_bus::worker::{self, WorkerSpec};
use gentoo_updater_fleet::message::Role;
use gentoo_updater_fleet::name::GuestName;
use gentoo_updater_runtime::{Context, worker_id};

use crate::handler::InstallHandler;

/// Installs on these guests until the context is stopped.
///
/// # Errors
/// When the configuration names no such guest, or the bus or the state directory cannot be used.
pub async fn serve(
    context: &Context,
    instance: &str,
    guests: Vec<GuestName>,
) -> anyhow::Result<()> {
    for guest in &guests {
        if !context.settings.guests.contains_key(guest) {
            anyhow::bail!("the configuration names no guest {guest}");
        }
    }
    let id = worker_id("installer", instance)?;
    let policy = &context.settings.policy;
    let spec = WorkerSpec {
        state_directory: context.state_of(&id),
        id,
        clock: context.clock.clone(),
        role: Role::Installer,
        queues: guests.iter().map(topology::install_queue).collect(),
        slots: policy.parallel_installs,
        heartbeat: policy.heartbeat,
        grace: policy.grace,
        read_back: true,
        builder: None,
    };
    let handler = Arc::new(InstallHandler::new(context.clone()));
    worker::serve(context.bus.clone(), spec, handler, context.stop.clone()).await?;
    Ok(())
}
