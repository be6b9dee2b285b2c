//! The order of steps before a run and after it.

use async_trait::async_trait;
use gentoo_updater_bus::worker::Handler;
use gentoo_updater_fleet::message::{
    BuilderCleaned, BuilderSynced, CleanBuilder, Command, Event, Failure, SyncBuilder,
};
use gentoo_updater_fleet::name::BuilderName;
use gentoo_updater_hosts::Host;
use gentoo_updater_runtime::{Context, brought, repositories, sweep, vdb, wrong_command};

use crate::cruft::{self, Cruft};
use crate::store::collection;
use crate::{depclean, distfiles, logs, unfinished};

/// Brings the ebuild repositories of builders up to date, cleans builders, and collects stores.
pub(crate) struct JanitorHandler {
    context: Context,
    /// Whom this worker is there for.
    builders: Vec<BuilderName>,
}

impl JanitorHandler {
    pub(crate) fn new(context: Context, builders: Vec<BuilderName>) -> Self {
        Self { context, builders }
    }

    async fn sync(&self, order: &SyncBuilder) -> Result<BuilderSynced, Failure> {
        let builder = &order.builder;
        let host = self.context.machines.builder(builder).await?;
        let policy = &self.context.settings.policy;
        let (machine, table) = (format!("builder {builder}"), format!("builders.{builder}"));
        let limit = policy.sync_timeout;
        repositories::sync(host.as_ref(), order.run, &machine, &table, limit).await?;
        Ok(BuilderSynced {
            run: order.run,
            builder: builder.clone(),
            attempt: order.attempt,
            repositories: repositories::revisions(host.as_ref(), policy.scan_timeout).await?,
        })
    }

    /// Removes what the run and dead builds have left, and logs that need not be kept any more.
    async fn sweep(&self, host: &dyn Host, order: &CleanBuilder) -> Result<(), Failure> {
        sweep::machine(host, Some(order.run)).await?;
        let Some(store) = self.context.settings.store_of(&order.builder) else {
            return Ok(());
        };
        unfinished::remove(host, store).await?;
        let policy = &self.context.settings.policy;
        let kept = logs::Kept {
            days: policy.keep_build_logs_days,
            megabytes: policy.keep_build_logs_megabytes,
        };
        logs::sweep(host, store, order.run, kept).await?;
        distfiles::sweep(&self.context, host, order).await;
        let now = self.context.clock.now();
        cruft::purge_old(host, &self.context.settings, &order.builder, now).await
    }

    async fn clean(&self, order: &CleanBuilder) -> Result<BuilderCleaned, Failure> {
        let host = self.context.machines.builder(&order.builder).await?;
        let host = host.as_ref();
        // First, as a build that nobody wants any more keeps the machine to itself.
        self.sweep(host, order).await?;
        let Some(brought) = brought::by_builds(host, order.run).await? else {
            // What clean rooms leave is gone with their folders.
            return Ok(BuilderCleaned {
                run: order.run,
                builder: order.builder.clone(),
                attempt: order.attempt,
                removed: Vec::new(),
                kept: Vec::new(),
                updated: Vec::new(),
                gone: Vec::new(),
                cruft: None,
            });
        };
        let policy = &self.context.settings.policy;
        let to_remove = brought.packages;
        let cruft = Cruft {
            host,
            settings: &self.context.settings,
            builder: &order.builder,
            run: order.run,
            runs: &brought.runs,
        };
        if !to_remove.is_empty() {
            cruft.note(&to_remove).await?;
            depclean::remove(host, order, &to_remove, policy.install_timeout).await?;
        }
        let after = vdb::installed(host).await?;
        let needed = depclean::left(&to_remove, &after);
        let kept = depclean::why_kept(host, order, &needed, policy.scan_timeout).await?;
        let left = cruft.carry_out(order).await?;
        // Where files could not be removed, the next run's cleaning tries that, too.
        if left.as_ref().is_none_or(|left| left.trouble.is_none()) {
            brought::note_cleaned(host, &brought.runs).await?;
        }
        Ok(BuilderCleaned {
            run: order.run,
            builder: order.builder.clone(),
            attempt: order.attempt,
            removed: depclean::removed(&to_remove, &after),
            kept,
            updated: depclean::updated(&brought.before, &after),
            gone: brought.gone,
            cruft: left.map(Box::new),
        })
    }
}

#[async_trait]
impl Handler for JanitorHandler {
    async fn handle(&self, command: &Command) -> Event {
        let done = match command {
            Command::SyncBuilder(order) => self.sync(order).await.map(Event::BuilderSynced),
            Command::CleanBuilder(order) => self.clean(order).await.map(Event::BuilderCleaned),
            Command::CollectStore(order) => {
                let done = collection::collect(&self.context, &self.builders, order).await;
                done.map(Event::StoreCollected)
            }
            _ => Err(wrong_command(command)),
        };
        done.unwrap_or_else(|failure| self.failed(command, failure))
    }

    fn failed(&self, command: &Command, failure: Failure) -> Event {
        command.failed(None, failure)
    }
}
