//! The dashboard: the fleet as pages in a browser.
//!
//! | room | what is in it |
//! |---|---|
//! | [`view`] | what is shown, as documents; pure |
//! | `live` | the follower of the history, and what it tells to browsers that watch |
//! | `past` | what came of runs that the state has forgotten |
//! | `former` | one run that the state has forgotten, with its jobs |
//! | `logs` | the logs of builds, read on their builders |
//! | `http` | addresses, sessions, headers and the files that a browser gets |
//!
//! **Invariant:** it shows what the history says, and changes nothing but through [`Operations`], for who
//! has shown the token.
//! **Invariant:** a browser asks this server for everything and no other one for anything.

mod former;
mod http;
mod live;
mod logs;
mod past;
mod signs;
pub mod view;

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use gentoo_updater_bus::Bus;
use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::name::WorkerId;
use gentoo_updater_fleet::state::Fleet;
use gentoo_updater_runtime::monitor::Vitals;
use gentoo_updater_server::{CertificateFiles, Limits, Server, ServerError};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::http::Shared;

pub use crate::http::{Token, TokenError};

/// What is served where.
pub struct Options {
    /// Where browsers come to.
    pub listen: SocketAddr,
    /// Without one nothing is encrypted.
    pub certificate: Option<CertificateFiles>,
    /// What clients may take.
    pub limits: Limits,
    /// The names by which browsers may call this server, beside `localhost` and the addresses.
    pub names: BTreeSet<String>,
    /// Who shows it may change something. Nobody may without one.
    pub token: Option<Token>,
    /// How this process is, which `/health` tells.
    pub vitals: Vitals,
}

/// What operators do with other commands, and can do here as well. Documents are those of the commands'
/// `--json`.
#[async_trait]
pub trait Operations: Send + Sync {
    /// What `queue list` shows.
    ///
    /// # Errors
    /// When the bus cannot be asked.
    async fn queues(&self, view: &FleetView) -> anyhow::Result<Value>;

    /// What `dead list` shows.
    ///
    /// # Errors
    /// When the dead letters cannot be read.
    async fn dead_letters(&self) -> anyhow::Result<Value>;

    /// What `dead retry` does with these letters.
    ///
    /// # Errors
    /// When nothing can be changed, with the cause and what to do.
    async fn retry_dead(&self, letters: Vec<String>) -> anyhow::Result<Value>;

    /// The workers that live in the process that holds the journal, of a fleet without a broker; nothing
    /// where signs of life tell who lives.
    async fn process(&self, fleet: &FleetView) -> Option<BTreeSet<WorkerId>>;
}

/// Why there is no dashboard.
#[derive(Debug, thiserror::Error)]
pub enum DashboardError {
    /// It cannot listen, or what it needs for that is not there.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The history cannot be followed.
    #[error(transparent)]
    Bus(#[from] gentoo_updater_bus::BusError),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers, without which no session is safe: {0}")]
    Random(String),
}

/// A dashboard that listens.
pub struct Dashboard {
    server: Server,
    stop: CancellationToken,
    tasks: Vec<AbortOnDropHandle<()>>,
    view: FleetView,
}

impl Dashboard {
    /// Follows the history until everything is known that was in it, and listens.
    ///
    /// # Errors
    /// [`DashboardError`].
    pub async fn open(
        settings: Arc<Settings>,
        bus: Arc<dyn Bus>,
        operations: Arc<dyn Operations>,
        options: Options,
        stop: CancellationToken,
    ) -> Result<Self, DashboardError> {
        let view = FleetView::follow(bus.clone(), stop.clone()).await?;
        let shared = Shared::new(
            settings,
            &bus,
            view.clone(),
            operations,
            &options,
            stop.clone(),
        )?;
        let shared = Arc::new(shared);
        let router = http::router(shared.clone());
        let server = Server::listen(options.listen, router, options.certificate, options.limits);
        let server = server.await?;
        let tasks = [
            tokio::spawn(live::follow(shared.clone())),
            tokio::spawn(past::follow(shared.clone(), bus.clone())),
            tokio::spawn(signs::listen(shared, bus)),
        ];
        Ok(Self {
            server,
            stop,
            tasks: tasks.map(AbortOnDropHandle::new).into(),
            view,
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.server.address()
    }

    /// What reads the certificate again when it is called.
    pub fn renewal(&self) -> impl Fn() + Send + Sync + 'static {
        self.server.renewal()
    }

    /// The state that it shows.
    pub fn read<T>(&self, look: impl FnOnce(&Fleet) -> T) -> T {
        self.view.read(look)
    }

    /// Answers until it is told to stop.
    ///
    /// # Errors
    /// When TLS cannot be set up, or the history cannot be followed any further.
    pub async fn serve(self) -> Result<(), DashboardError> {
        let Self {
            server,
            stop,
            tasks,
            view,
        } = self;
        let serving = server.serve(stop.clone());
        tokio::pin!(serving);
        let served = tokio::select! {
            served = &mut serving => served.map_err(DashboardError::from),
            error = view.ended() => {
                stop.cancel();
                let served = serving.await;
                served.map_err(DashboardError::from).and(Err(error.into()))
            }
        };
        drop(tasks);
        served
    }
}
