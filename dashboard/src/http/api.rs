//! The documents, by their addresses.

use std::sync::{Arc, PoisonError};

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use axum::routing::get;
use gentoo_updater_fleet::inspect::RunName;
use gentoo_updater_fleet::name::GuestName;
use gentoo_updater_fleet::state::{Fleet, Run};
use gentoo_updater_portage::name::CategoryPackage;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Shared, documents, events, refusal};
use crate::logs::Wanted;
use crate::view::{
    BuildsDocument, GraphDocument, GuestDocument, JobDocument, PackageDocument, RunDocument,
};

type Here = State<Arc<Shared>>;

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/health", get(health))
        .route("/events", get(events::events))
        .route("/api/fleet", get(fleet))
        .route("/api/runs/{run}", get(run))
        .route("/api/runs/{run}/graph", get(graph))
        .route("/api/runs/{run}/jobs/{job}", get(job))
        .route("/api/runs/{run}/jobs/{job}/log", get(log))
        .route("/api/guests/{guest}", get(guest))
        .route("/api/packages/{category}/{package}", get(package))
        .route("/api/builds", get(builds))
        .route("/api/history", get(history))
}

/// How this process is, as workers say it of themselves.
async fn health(State(shared): Here) -> Response {
    shared.vitals.health().await
}

/// The fleet in a line for each guest and run.
async fn fleet(State(shared): Here, headers: HeaderMap) -> Response {
    let (overview, revision) = shared.hub.overview();
    let version = version(overview.offset, revision);
    shared
        .documents
        .answer(&headers, "fleet", &version, || Some(overview.as_ref()))
}

async fn run(
    State(shared): Here,
    uri: Uri,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let make = |fleet: &Fleet, run: &Run| Some(RunDocument::of(fleet, run, Timestamp::now()));
    shared.of_run(&headers, uri.path(), &name, make).await
}

async fn graph(
    State(shared): Here,
    uri: Uri,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let make = |fleet: &Fleet, run: &Run| Some(GraphDocument::of(fleet, run));
    shared.of_run(&headers, uri.path(), &name, make).await
}

async fn job(
    State(shared): Here,
    uri: Uri,
    Path((name, job)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let make = |_: &Fleet, run: &Run| JobDocument::of(run, &job);
    shared.of_run(&headers, uri.path(), &name, make).await
}

async fn guest(
    State(shared): Here,
    uri: Uri,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    shared.of_fleet(&headers, uri.path(), |fleet| {
        let name: GuestName = name.parse().ok()?;
        let configured = shared.configured.get(&name);
        GuestDocument::of(fleet, &name, configured, Timestamp::now())
    })
}

async fn package(
    State(shared): Here,
    uri: Uri,
    Path((category, package)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    // Two followers of the history make it, so it is told what has changed by the document itself.
    let document = shared.view.read(|fleet| {
        let package: CategoryPackage = format!("{category}/{package}").parse().ok()?;
        let past = shared.past.read().unwrap_or_else(PoisonError::into_inner);
        PackageDocument::of(fleet, &past, &package)
    });
    match document {
        Some(document) => shared.of_its_own(&headers, uri.path(), &document),
        None => documents::unknown(),
    }
}

/// Signs of life come without an offset, so it is told what has changed by the document itself.
async fn builds(State(shared): Here, headers: HeaderMap) -> Response {
    let signs = shared
        .signs
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let document = shared.view.read(|fleet| BuildsDocument::of(fleet, &signs));
    shared.of_its_own(&headers, "builds", &document)
}

async fn history(State(shared): Here, headers: HeaderMap) -> Response {
    let past = shared.past.read().unwrap_or_else(PoisonError::into_inner);
    let version = version(past.offset, 0);
    shared
        .documents
        .answer(&headers, "history", &version, || Some(&*past))
}

#[derive(Debug, Deserialize)]
struct Part {
    #[serde(default)]
    attempt: Option<u32>,
    /// The byte that is wanted first; the end of the log without one.
    #[serde(default)]
    from: Option<u64>,
}

/// A part of the log of a build.
async fn log(
    State(shared): Here,
    Path((name, job)): Path<(String, String)>,
    Query(part): Query<Part>,
    headers: HeaderMap,
) -> Response {
    let former = match shared.former(&name).await {
        Ok(former) => former,
        Err(refused) => return refused,
    };
    let look = |fleet: &Fleet| {
        let run = find(fleet, &name)?;
        Wanted::of(&shared.settings, run, &job, part.attempt)
    };
    let wanted = match former {
        Some(former) => look(&former),
        None => shared.view.read(look),
    };
    let Some(wanted) = wanted else {
        let words = "nobody has begun this build in a run that is known, so there is no log";
        return refusal(StatusCode::NOT_FOUND, words);
    };
    match wanted {
        Ok(wanted) => {
            let piece = shared.logs.read(wanted, part.from).await;
            shared.of_its_own(&headers, "log", &piece)
        }
        Err(words) => refusal(StatusCode::NOT_FOUND, &words),
    }
}

impl Shared {
    /// A document of the state.
    fn of_fleet<T: Serialize>(
        &self,
        headers: &HeaderMap,
        path: &str,
        make: impl FnOnce(&Fleet) -> Option<T>,
    ) -> Response {
        let (overview, revision) = self.hub.overview();
        // What has come since the overview was told is in the document, too; it has its own tag then.
        self.view.read(|fleet| {
            let offset = fleet.offset.unwrap_or_default().max(overview.offset);
            let version = version(offset, revision);
            self.documents
                .answer(headers, path, &version, || make(fleet))
        })
    }

    async fn of_run<T: Serialize>(
        &self,
        headers: &HeaderMap,
        path: &str,
        name: &str,
        make: impl FnOnce(&Fleet, &Run) -> Option<T>,
    ) -> Response {
        match self.former(name).await {
            Ok(None) => self.of_fleet(headers, path, |fleet| make(fleet, find(fleet, name)?)),
            // Nothing happens to it any more.
            Ok(Some(fleet)) => self.documents.answer(headers, path, "former", || {
                make(&fleet, find(&fleet, name)?)
            }),
            Err(refused) => refused,
        }
    }

    /// What the history says of a run that the state has forgotten; nothing of one that it knows, and of one
    /// that nobody has ever asked for.
    async fn former(&self, name: &str) -> Result<Option<Arc<Fleet>>, Response> {
        let Ok(name) = name.parse::<RunName>() else {
            return Ok(None);
        };
        let forgotten = self.view.read(|fleet| match name.find(fleet) {
            Some(_) => None,
            None => {
                let past = self.past.read().unwrap_or_else(PoisonError::into_inner);
                // One that goes on is only not known yet.
                let ended = past
                    .runs
                    .iter()
                    .filter(|(_, run)| run.finished_at.is_some());
                let known = fleet.over.iter().chain(ended.map(|(run, _)| run));
                known.copied().find(|run| name.is(*run))
            }
        });
        let Some(run) = forgotten else {
            return Ok(None);
        };
        match self.former.fleet(&self.view, run).await {
            Ok(fleet) => Ok(Some(fleet)),
            Err(error) => {
                tracing::warn!(%run, %error, "a former run cannot be read");
                let words = "the history cannot be read; the log of the dashboard says why";
                Err(refusal(StatusCode::SERVICE_UNAVAILABLE, words))
            }
        }
    }

    /// A document that has no offset: its tag is made of what it says.
    pub(super) fn of_its_own<T: Serialize>(
        &self,
        headers: &HeaderMap,
        path: &str,
        document: &T,
    ) -> Response {
        use sha2::{Digest as _, Sha256};
        let text = match serde_json::to_vec(document) {
            Ok(text) => text,
            Err(error) => {
                tracing::error!(path, %error, "a document cannot be written");
                let words = "this document cannot be written; the log of the dashboard says why";
                return refusal(StatusCode::INTERNAL_SERVER_ERROR, words);
            }
        };
        let digest = Sha256::digest(&text);
        let version = super::access::hexadecimal(&digest[..8]);
        self.documents
            .answer(headers, path, &version, || Some(document))
    }
}

fn version(offset: u64, revision: u64) -> String {
    format!("{offset}.{revision}")
}

fn find<'a>(fleet: &'a Fleet, name: &str) -> Option<&'a Run> {
    let name: RunName = name.parse().ok()?;
    name.find(fleet)
}
