//! All roles in one process, for the embedded bus.

use std::collections::BTreeSet;

use anyhow::Context as _;
use gentoo_updater_bus::embedded::Said;
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::name::WorkerId;
use gentoo_updater_runtime::{Context, worker_id};
use tokio::task::JoinSet;

use crate::open;
use crate::schedule::is_served;

/// What the workers of this process are told apart by from others in their roles.
pub(crate) const INSTANCE: &str = "local";

/// The workers that run in one process, but for the planner, whose id is new each time.
pub(crate) fn worker_ids(settings: &Settings) -> BTreeSet<WorkerId> {
    let others = ["scanner", "installer", "janitor"];
    let served = is_served(settings);
    let scheduler = served.then_some("scheduler");
    let notifier = (served && !settings.notifications.is_empty()).then_some("notifier");
    let others = others
        .iter()
        .chain(&scheduler)
        .chain(&notifier)
        .filter_map(|role| worker_id(role, INSTANCE).ok());
    builder_ids(settings).chain(others).collect()
}

/// The workers of the builders of a configuration, wherever they run.
pub(crate) fn builder_ids(settings: &Settings) -> impl Iterator<Item = WorkerId> {
    let names = settings.builders.keys();
    names.filter_map(|name| worker_id("builder", name.as_str()).ok())
}

/// The roles at work.
pub(crate) struct Roles {
    tasks: JoinSet<anyhow::Result<()>>,
}

impl Roles {
    /// Starts every role of the fleet.
    pub(crate) fn start(context: &Context) -> Self {
        let mut tasks = JoinSet::new();
        let own = context.clone();
        tasks.spawn(async move {
            gentoo_updater_planner::serve(&own)
                .await
                .context("the planner stopped")
        });
        let own = context.clone();
        tasks.spawn(async move {
            gentoo_updater_scanner::serve(&own, INSTANCE)
                .await
                .context("the scanner stopped")
        });
        for builder in context.settings.builders.keys() {
            let (own, builder) = (context.clone(), builder.clone());
            tasks.spawn(async move {
                gentoo_updater_builder::serve(&own, &builder)
                    .await
                    .with_context(|| format!("builder {builder} stopped"))
            });
        }
        let own = context.clone();
        tasks.spawn(async move {
            let guests = own.settings.guests.keys().cloned().collect();
            gentoo_updater_installer::serve(&own, INSTANCE, guests)
                .await
                .context("the installer stopped")
        });
        let own = context.clone();
        tasks.spawn(async move {
            let builders = own.settings.builders.keys().cloned().collect();
            gentoo_updater_janitor::serve(&own, INSTANCE, builders)
                .await
                .context("the janitor stopped")
        });
        let own = context.clone();
        tasks.spawn(async move {
            let said = Said::beside(&open::journal(&own.settings));
            said.take(own.bus.as_ref(), &own.stop).await;
            Ok(())
        });
        Self { tasks }
    }

    /// Starts the scheduler beside them.
    pub(crate) fn start_scheduler(&mut self, context: &Context) {
        let own = context.clone();
        self.tasks.spawn(async move {
            gentoo_updater_scheduler::serve(&own, INSTANCE)
                .await
                .context("the scheduler stopped")
        });
    }

    /// Starts the notifier beside them, where somebody is to be told something.
    pub(crate) fn start_notifier(&mut self, context: &Context) {
        if context.settings.notifications.is_empty() {
            return;
        }
        let own = context.clone();
        self.tasks.spawn(async move {
            gentoo_updater_notifier::serve(&own, INSTANCE)
                .await
                .context("the notifier stopped")
        });
    }

    /// Waits for the first role that stops by itself, which none should.
    pub(crate) async fn first_stop(&mut self) -> anyhow::Result<()> {
        match self.tasks.join_next().await {
            Some(ended) => ended?,
            None => Ok(()),
        }
    }

    /// Waits for all roles, after they were told to stop.
    pub(crate) async fn join(mut self) -> anyhow::Result<()> {
        let mut result = Ok(());
        while let Some(ended) = self.tasks.join_next().await {
            let ended = ended.map_err(anyhow::Error::from).and_then(|ended| ended);
            if result.is_ok() {
                result = ended;
            } else if let Err(error) = ended {
                tracing::error!("{error:#}");
            }
        }
        result
    }
}
