//! One scanner from its start to its end.

use std::sync::Arc;

use gentoo_updater_bus::topology;
use gentoo_updater_bus::worker::WorkerSpec;
use gentoo_updater_fleet::message::Role;
use gentoo_updater_runtime::{Context, worker_id};

use crate::former::FormerAnswers;
use crate::handler::ScanHandler;

/// Scans until the context is stopped.
///
/// # Errors
/// When the bus or the state directory cannot be used.
pub async fn serve(context: &Context, instance: &str) -> anyhow::Result<()> {
    let id = worker_id("scanner", instance)?;
    let policy = &context.settings.policy;
    let spec = WorkerSpec {
        state_directory: context.state_of(&id),
        id,
        clock: context.clock.clone(),
        role: Role::Scanner,
        queues: vec![topology::SCAN.to_owned()],
        slots: policy.parallel_scans,
        heartbeat: policy.heartbeat,
        grace: policy.grace,
        read_back: true,
        builder: None,
        pulse: context.pulse.clone(),
    };
    let answers = FormerAnswers::new(context.folder_of(&spec.id).join("answers"));
    let settings = context.settings.clone();
    answers
        .keep_only(move |name| settings.guests.keys().any(|guest| guest.as_str() == name))
        .await;
    let handler = Arc::new(ScanHandler::new(context.clone(), answers));
    context.serve(spec, handler).await?;
    Ok(())
}
