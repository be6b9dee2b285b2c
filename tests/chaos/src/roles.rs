//! Which queues each role serves, and how: as the real workers do.

use std::sync::Arc;

use anyhow::Context as _;
use clap::Subcommand;
use gentoo_updater_bus::topology;
use gentoo_updater_bus::worker::{self, WorkerSpec};
use gentoo_updater_fleet::message;
use gentoo_updater_fleet::name::BuilderName;
use gentoo_updater_runtime::{Context, worker_id};

use crate::handlers::SceneHandler;
use crate::scene::Scene;

/// What a process of the fleet is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Subcommand)]
pub enum Role {
    /// The real planner
    Planner,
    /// Answers for all guests
    Scanner,
    /// Builds on one builder
    Builder {
        /// Its name
        name: BuilderName,
    },
    /// Installs on all guests
    Installer,
    /// Cleans all builders
    Janitor,
}

impl Role {
    /// What the broker and the logs call it.
    pub fn name(&self) -> String {
        match self {
            Self::Planner => "planner".to_owned(),
            Self::Scanner => "scanner".to_owned(),
            Self::Builder { name } => format!("builder-{name}"),
            Self::Installer => "installer".to_owned(),
            Self::Janitor => "janitor".to_owned(),
        }
    }

    /// The arguments that choose it.
    pub fn arguments(&self) -> Vec<String> {
        match self {
            Self::Builder { name } => vec!["builder".to_owned(), name.to_string()],
            other => vec![other.name()],
        }
    }
}

/// Serves until the context is stopped.
///
/// # Errors
/// As the real workers.
pub async fn serve(role: &Role, context: &Context, scene: Scene) -> anyhow::Result<()> {
    if *role == Role::Planner {
        return gentoo_updater_planner::serve(context).await;
    }
    let spec = spec_of(role, context)?;
    let handler = Arc::new(SceneHandler {
        scene: Arc::new(scene),
        builder: spec.builder.clone(),
    });
    worker::serve(context.bus.clone(), spec, handler, context.stop.clone()).await?;
    Ok(())
}

/// Who a worker is that takes commands. Builders have one slot.
///
/// # Errors
/// For the planner, which takes none, and for a builder that the configuration does not know.
pub fn spec_of(role: &Role, context: &Context) -> anyhow::Result<WorkerSpec> {
    let settings = &context.settings;
    let policy = &settings.policy;
    let (role, instance, queues, slots, builder) = match role {
        Role::Planner => anyhow::bail!("a planner takes no commands"),
        Role::Scanner => {
            let queues = vec![topology::SCAN.to_owned()];
            let slots = policy.parallel_scans;
            (message::Role::Scanner, "all", queues, slots, None)
        }
        Role::Builder { name } => {
            let builder = settings.builders.get(name);
            let builder = builder.with_context(|| format!("there is no builder {name}"))?;
            let queues = vec![topology::build_queue(&builder.platform)];
            let own = Some(name.clone());
            (message::Role::Builder, name.as_str(), queues, 1, own)
        }
        Role::Installer => {
            let queues = settings.guests.keys().map(topology::install_queue);
            let (queues, slots) = (queues.collect(), policy.parallel_installs);
            (message::Role::Installer, "all", queues, slots, None)
        }
        Role::Janitor => {
            let queues = settings.builders.keys().map(topology::clean_queue);
            let stores = settings.platforms.keys().map(topology::collect_queue);
            let (queues, slots) = (queues.chain(stores).collect(), policy.parallel_installs);
            (message::Role::Janitor, "all", queues, slots, None)
        }
    };
    let id = worker_id(&role.to_string(), instance)?;
    Ok(WorkerSpec {
        state_directory: context.state_of(&id),
        id,
        clock: context.clock.clone(),
        role,
        queues,
        slots,
        heartbeat: policy.heartbeat,
        grace: policy.grace,
        read_back: true,
        builder,
        pulse: context.pulse.clone(),
    })
}
