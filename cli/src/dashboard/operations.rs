//! What the dashboard does that other commands do as well.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use gentoo_updater_bus::embedded;
use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_dashboard::Operations;
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::name::WorkerId;
use jiff::Timestamp;
use serde_json::Value;

use crate::dead;
use crate::open::{self, Opened};
use crate::queue;
use crate::workers;

/// The commands of this program, on the bus that the dashboard follows.
pub(super) struct Here {
    settings: Arc<Settings>,
    opened: Opened,
}

impl Here {
    pub(super) fn new(settings: Arc<Settings>, opened: Opened) -> Self {
        Self { settings, opened }
    }
}

#[async_trait]
impl Operations for Here {
    async fn queues(&self, view: &FleetView) -> anyhow::Result<Value> {
        let document = queue::look(&self.settings, &self.opened, view).await?;
        Ok(serde_json::to_value(document)?)
    }

    async fn dead_letters(&self) -> anyhow::Result<Value> {
        let document = dead::look(self.opened.inspect.as_ref()).await?;
        Ok(serde_json::to_value(document)?)
    }

    async fn retry_dead(&self, letters: Vec<String>) -> anyhow::Result<Value> {
        // A bus that may change something is opened for that alone: without a broker it keeps everybody
        // else from the journal for as long.
        let opened = open::to_change(&self.settings).await?;
        let inspect = opened.inspect.as_ref();
        let document = dead::put_back(inspect, letters, Timestamp::now()).await;
        opened.bus.close().await;
        Ok(serde_json::to_value(document?)?)
    }

    async fn process(&self, view: &FleetView) -> Option<BTreeSet<WorkerId>> {
        if self.settings.broker.is_some() {
            return None;
        }
        match embedded::is_held(open::journal(&self.settings)) {
            Ok(true) => Some(view.read(|fleet| workers::of_the_process(&self.settings, fleet))),
            Ok(false) => Some(BTreeSet::new()),
            Err(error) => {
                tracing::debug!(%error, "who holds the journal is not known");
                None
            }
        }
    }
}
