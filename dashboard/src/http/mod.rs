//! Addresses, sessions, headers and the files that a browser gets.

mod access;
mod api;
mod assets;
mod change;
mod documents;
mod events;
mod guard;
mod host;
mod refused;
mod sessions;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, RwLock};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_bus::{Bus, Health};
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::inspect::Signs;
use gentoo_updater_fleet::name::{GuestName, PlatformName};
use gentoo_updater_runtime::monitor::Vitals;
use gentoo_updater_runtime::{Machines, host_name};
use jiff::Timestamp;
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::access::Access;
use self::documents::Documents;
use crate::former::Former;
use crate::live::Hub;
use crate::logs::Logs;
use crate::view::{Overview, Past};
use crate::{DashboardError, Operations, Options};

pub use self::access::{Token, TokenError};

/// How many bytes a request may have behind its head.
const LARGEST_BODY: usize = 64 * 1024;

/// What all answers are made of.
pub(crate) struct Shared {
    pub(crate) settings: Arc<Settings>,
    pub(crate) view: FleetView,
    pub(crate) operations: Arc<dyn Operations>,
    pub(crate) hub: Hub,
    pub(crate) past: RwLock<Past>,
    pub(crate) former: Former,
    pub(crate) signs: RwLock<Signs>,
    pub(crate) stop: CancellationToken,
    health: watch::Receiver<Health>,
    vitals: Vitals,
    configured: BTreeMap<GuestName, PlatformName>,
    documents: Documents,
    logs: Logs,
    access: Access,
    names: BTreeSet<String>,
}

impl Shared {
    pub(crate) fn new(
        settings: Arc<Settings>,
        bus: &Arc<dyn Bus>,
        view: FleetView,
        operations: Arc<dyn Operations>,
        options: &Options,
        stop: CancellationToken,
    ) -> Result<Self, DashboardError> {
        let guests = settings.guests.iter();
        let configured = guests.map(|(name, guest)| (name.clone(), guest.platform.clone()));
        let configured: BTreeMap<GuestName, PlatformName> = configured.collect();
        let own = [host_name()];
        let names = options.names.iter().chain(&own);
        options.vitals.bus(bus);
        let overview = view.read(|fleet| Overview::of(fleet, &configured, Timestamp::now()));
        let signs = match settings.broker {
            Some(_) => Signs::nobody_heard(),
            None => Signs::Process(BTreeSet::new()),
        };
        Ok(Self {
            logs: Logs::new(Machines::new(settings.clone())),
            documents: Documents::new()?,
            access: Access::new(options.token.clone(), options.certificate.is_some())?,
            hub: Hub::new(overview),
            past: RwLock::default(),
            former: Former::default(),
            signs: RwLock::new(signs),
            settings,
            view,
            operations,
            stop,
            health: bus.health(),
            vitals: options.vitals.clone(),
            configured,
            names: names.map(|name| name.to_lowercase()).collect(),
        })
    }

    /// The fleet as it stands.
    pub(crate) fn look(&self, now: Timestamp) -> Overview {
        let look = |fleet: &_| Overview::of(fleet, &self.configured, now);
        self.view.read(look)
    }
}

/// Answers everything that a browser asks.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    api::routes()
        .merge(change::routes())
        .fallback(assets::answer)
        .layer(from_fn(refused::in_json))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(from_fn_with_state(shared.clone(), guard::guard))
        .with_state(shared)
}

/// Why something is not answered, in words for people.
fn refusal(status: StatusCode, words: &str) -> Response {
    let body = json!({ "error": words }).to_string();
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}
