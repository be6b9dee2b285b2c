//! An operator's pause: a worker takes no new commands while it lasts.

use gentoo_updater_fleet::state::Pause;
use tokio::sync::watch;

use super::WorkerSpec;
use crate::follow::FleetView;
use crate::seam::BusError;

/// Whether an operator wants this worker to take no new work, as it is now.
pub(super) fn look(view: Option<&FleetView>, spec: &WorkerSpec) -> watch::Sender<bool> {
    let pause = view.and_then(|view| pause_of(view, spec));
    if pause.is_some() {
        tell(spec, pause.as_ref());
    }
    watch::Sender::new(pause.is_some())
}

/// Tells `paused` whether an operator wants this worker to take no new work, and says so in the
/// log. Without a view of the history it tells nothing: the planner holds the commands back then.
pub(super) async fn obey(
    view: Option<FleetView>,
    spec: WorkerSpec,
    paused: watch::Sender<bool>,
) -> Result<(), BusError> {
    let Some(view) = view else {
        return std::future::pending().await;
    };
    loop {
        // Before the look, so that no change between the two is missed.
        let changed = view.changed();
        let pause = pause_of(&view, &spec);
        if paused.send_if_modified(|told| std::mem::replace(told, pause.is_some()) != *told) {
            tell(&spec, pause.as_ref());
        }
        changed.await?;
    }
}

fn pause_of(view: &FleetView, spec: &WorkerSpec) -> Option<Pause> {
    view.read(|fleet| fleet.pause_of(&spec.id, spec.role).cloned())
}

fn tell(spec: &WorkerSpec, pause: Option<&Pause>) {
    let worker = &spec.id;
    match pause {
        Some(Pause { by, reason, .. }) => {
            let reason = reason.as_deref().unwrap_or("no reason given");
            tracing::info!(%worker, %by, reason, "paused: no new commands are taken");
        }
        None => tracing::info!(%worker, "resumed: commands are taken again"),
    }
}
