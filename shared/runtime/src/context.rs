//! What a worker works with.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Context as _;
use gentoo_updater_bus::amqp::{Amqp, BrokerSettings, QUIET};
use gentoo_updater_bus::blocking::quick;
use gentoo_updater_bus::topology::Topology;
use gentoo_updater_bus::worker::{
    self, Handler, KEPT, StateDirectory, WorkerError, WorkerSpec, remove_stale,
};
use gentoo_updater_bus::{Bus, Clock, Pulse, SystemClock};
use gentoo_updater_fleet::authority::Users;
use gentoo_updater_fleet::config::{Access, Settings};
use gentoo_updater_fleet::name::WorkerId;
use tokio_util::sync::CancellationToken;

use crate::machines::Machines;
use crate::monitor::{Vitals, describe};

/// What a worker works with.
#[derive(Clone)]
pub struct Context {
    /// The configuration.
    pub settings: Arc<Settings>,
    /// The bus.
    pub bus: Arc<dyn Bus>,
    /// What tells the time.
    pub clock: Arc<dyn Clock>,
    /// The way to the machines.
    pub machines: Arc<Machines>,
    /// Cancelled when the worker shall stop.
    pub stop: CancellationToken,
    /// What is looked at when somebody asks how this process is.
    pub vitals: Vitals,
    /// Where the worker's loop says that it turns, when it is asked.
    pub pulse: Pulse,
}

impl Context {
    /// On a bus that is open.
    pub fn new(settings: Arc<Settings>, bus: Arc<dyn Bus>, stop: CancellationToken) -> Self {
        let machines = Arc::new(Machines::new(settings.clone()));
        Self {
            settings,
            bus,
            clock: Arc::new(SystemClock),
            machines,
            stop,
            vitals: Vitals::default(),
            pulse: Pulse::default(),
        }
    }

    /// The same, whose process is looked at by these.
    #[must_use]
    pub fn with_vitals(self, vitals: Vitals) -> Self {
        vitals.bus(&self.bus);
        Self { vitals, ..self }
    }

    /// Serves as this worker until the context is stopped.
    ///
    /// # Errors
    /// As [`worker::serve`].
    pub async fn serve(
        &self,
        spec: WorkerSpec,
        handler: Arc<dyn Handler>,
    ) -> Result<(), WorkerError> {
        describe(worker::meters::METRICS);
        self.vitals.worker(&spec.id, spec.role);
        self.vitals.folder(&spec.id, self.folder_of(&spec.id));
        worker::serve(self.bus.clone(), spec, handler, self.stop.clone()).await
    }

    /// On the broker that the configuration names. `name` is what the broker shows of this
    /// process. While the broker is not there it is tried again, for as long as it takes.
    ///
    /// # Errors
    /// When no broker is named, or it refuses.
    pub async fn with_broker(
        settings: Arc<Settings>,
        name: &str,
        stop: CancellationToken,
    ) -> anyhow::Result<Self> {
        let bus = connect(&settings, name).await?;
        Ok(Self::new(settings, Arc::new(bus), stop))
    }

    /// Forgets the workers of this machine that are gone, with what they kept. That this cannot be
    /// done keeps nobody from working.
    pub async fn forget_dead_workers(&self) {
        let workers = self.workers();
        let removed = quick(move || remove_stale(&workers, KEPT, SystemTime::now())).await;
        match removed {
            Some(Ok(removed)) => {
                for folder in removed {
                    let folder = folder.display();
                    tracing::info!("{folder} is removed: its worker has been gone for a week");
                }
            }
            Some(Err(error)) => {
                let workers = self.workers();
                let workers = workers.display();
                tracing::warn!("what dead workers kept below {workers} stays: {error}");
            }
            None => {}
        }
    }

    fn workers(&self) -> PathBuf {
        self.settings.state_directory.join("workers")
    }

    /// Where this worker keeps its claims and results.
    pub fn state_of(&self, worker: &WorkerId) -> StateDirectory {
        self.folder_of(worker).into()
    }

    /// This worker's own folder, for what it keeps beside that.
    pub fn folder_of(&self, worker: &WorkerId) -> PathBuf {
        self.workers().join(worker.as_str())
    }
}

/// The broker that the configuration names, to work with or to look into. `name` is what the
/// broker shows of this process. While the broker is not there it is tried again, for as long as
/// it takes.
///
/// # Errors
/// When no broker is named, or it refuses.
pub async fn connect(settings: &Settings, name: &str) -> anyhow::Result<Amqp> {
    let broker = settings.broker.as_ref();
    let broker = broker.context("the configuration names no broker")?;
    let users = match broker.access {
        Access::Shared => None,
        Access::Separate => Some(Users::new(&broker.user_prefix)),
    };
    let bus = Amqp::open(BrokerSettings {
        url: broker.url.clone(),
        ca: broker.ca.clone(),
        name: name.to_owned(),
        topology: Topology::of(settings),
        users,
        quiet: QUIET,
    });
    Ok(bus.await?)
}

/// The name of this machine, as part of a worker's id.
pub fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String = name
        .trim()
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "-_.".contains(c) {
                c
            } else {
                '-'
            }
        })
        .take(40)
        .collect();
    if name.is_empty() {
        "localhost".to_owned()
    } else {
        name
    }
}

/// The id of a worker: its role, and what tells it from others in that role.
///
/// # Errors
/// When the text cannot be part of a name.
pub fn worker_id(role: &str, instance: &str) -> anyhow::Result<WorkerId> {
    format!("{role}@{instance}")
        .parse()
        .with_context(|| format!("{instance} cannot name a {role}; use --instance NAME"))
}
