//! One installer from its start to its end.

use std::sync::Arc;

use gentoo_updater_bus::topology;
use gentoo_updater_bus::worker::WorkerSpec;
use gentoo_updater_fleet::authority::agent_instance;
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
    serve_as(context, instance, guests, Reader::OfHistory).await
}

/// Installs on one guest, as its own agent: under the user of the guest, which reads its own
/// queue and nothing else. It installs only what the guest's own plan asks for at that moment,
/// whoever ordered it. Nobody else may serve that queue: without the history an agent takes
/// every command for its own.
///
/// # Errors
/// As [`serve`].
pub async fn serve_agent(context: &Context, guest: GuestName) -> anyhow::Result<()> {
    // The one id that readers believe of this guest's user.
    let instance = agent_instance(&guest);
    serve_as(context, &instance, vec![guest], Reader::OfItsQueue).await
}

/// What an installer reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// The history, as all workers of the fleet.
    OfHistory,
    /// The queue of its guest, as the guest's own agent. It trusts nobody beyond that.
    OfItsQueue,
}

async fn serve_as(
    context: &Context,
    instance: &str,
    guests: Vec<GuestName>,
    reader: Reader,
) -> anyhow::Result<()> {
    for guest in &guests {
        context.settings.guest(guest)?;
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
        read_back: reader == Reader::OfHistory,
        builder: None,
        pulse: context.pulse.clone(),
    };
    let handler = InstallHandler::new(context.clone(), reader == Reader::OfItsQueue);
    let handler = Arc::new(handler);
    context.serve(spec, handler).await?;
    Ok(())
}
