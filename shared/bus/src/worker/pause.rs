//! An operator's pause: a worker takes no new commands while it lasts.

use std::sync::Arc;

use gentoo_updater_fleet::state::Pause;

use super::WorkerSpec;
use crate::follow::FleetView;
use crate::news::News;
use crate::seam::BusError;

/// Whether an operator wants this worker to take no new work, as it is now.
pub(super) fn look(view: Option<&FleetView>, spec: &WorkerSpec) -> Arc<News<bool>> {
    let pause = view.and_then(|view| pause_of(view, spec));
    if pause.is_some() {
        tell(spec, pause.as_ref());
    }
    Arc::new(News::new(pause.is_some()))
}

/// Tells `paused` whether an operator wants this worker to take no new work, and says so in the
/// log. Without a view of the history it tells nothing: the planner holds the commands back then.
pub(super) async fn obey(
    view: Option<FleetView>,
    spec: WorkerSpec,
    paused: Arc<News<bool>>,
) -> Result<(), BusError> {
    let Some(view) = view else {
        return std::future::pending().await;
    };
    loop {
        // Before the look, so that no change between the two is missed.
        let changed = view.changed();
        let pause = pause_of(&view, &spec);
        if paused.get() != pause.is_some() {
            paused.change(|paused| *paused = pause.is_some());
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
