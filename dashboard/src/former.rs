//! Reads the history for one run that the state has forgotten.

use std::collections::VecDeque;
use std::sync::Arc;

use gentoo_updater_bus::BusError;
use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_fleet::name::RunId;
use gentoo_updater_fleet::state::Fleet;
use tokio::sync::Mutex;

/// How many of them are kept, so that the pages of a run and its jobs read the history once. Each may have
/// thousands of jobs.
const KEPT: usize = 2;

/// Former runs that were asked for last, each as a fleet that had no other.
#[derive(Default)]
pub(crate) struct Former {
    /// One history is read at a time, whoever asks.
    read: Mutex<VecDeque<(RunId, Arc<Fleet>)>>,
}

impl Former {
    /// What the history says of a run that is over; without that run where it does not know it any more.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub(crate) async fn fleet(&self, view: &FleetView, run: RunId) -> Result<Arc<Fleet>, BusError> {
        let mut read = self.read.lock().await;
        if let Some((_, fleet)) = read.iter().find(|(of, _)| *of == run) {
            return Ok(fleet.clone());
        }
        let fleet = Arc::new(view.one_run(run).await?);
        if read.len() == KEPT {
            read.pop_front();
        }
        read.push_back((run, fleet.clone()));
        Ok(fleet)
    }
}
