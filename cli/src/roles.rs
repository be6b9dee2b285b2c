//! All roles in one process, for the embedded bus.

use anyhow::Context as _;
use gentoo_updater_runtime::Context;
use tokio::task::JoinSet;

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
            gentoo_updater_scanner::serve(&own, "local")
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
            gentoo_updater_installer::serve(&own, "local", guests)
                .await
                .context("the installer stopped")
        });
        let own = context.clone();
        tasks.spawn(async move {
            let builders = own.settings.builders.keys().cloned().collect();
            gentoo_updater_janitor::serve(&own, "local", builders)
                .await
                .context("the janitor stopped")
        });
        Self { tasks }
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
