//! What happens, as server-sent events.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt as _, stream};
use gentoo_updater_bus::Health;
use gentoo_updater_runtime::monitor::Check;
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::Shared;
use crate::live;

/// How often something is sent where nothing happens: whoever is gone is noticed by it, and a connection on
/// which nothing moves is closed by those in between.
const KEPT_UP: Duration = Duration::from_secs(10);
/// What a browser may do first: how long it waits before it comes again, in milliseconds.
const BEGIN: &[u8] = b"retry: 1000\n\n";
const NOTHING: &[u8] = b":\n\n";

#[derive(Debug, Default, Deserialize)]
pub(super) struct Since {
    /// The offset of the documents that a page has got.
    #[serde(default)]
    after: Option<u64>,
}

/// Tells how the bus is and what happens from now on, and before it what has happened since the offset that the
/// browser has got (`Last-Event-ID`, or `after` the first time).
pub(super) async fn events(
    State(shared): State<Arc<Shared>>,
    Query(since): Query<Since>,
    headers: HeaderMap,
) -> Response {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let last = last.and_then(|id| id.parse().ok()).or(since.after);
    let watching = shared.hub.watch(last);
    let mut watcher = Watcher {
        changes: watching.changes,
        health: Some(shared.health.clone()),
        stop: shared.stop.clone(),
    };
    let first = [Bytes::from_static(BEGIN)]
        .into_iter()
        .chain(watcher.bus())
        .chain(watching.missed);
    let coming = stream::unfold(watcher, |mut watcher| async move {
        let message = watcher.next().await?;
        Some((message, watcher))
    });
    let body = stream::iter(first).chain(coming).map(Ok::<_, Infallible>);
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, Body::from_stream(body)).into_response()
}

/// What a browser is told of.
struct Watcher {
    changes: broadcast::Receiver<Bytes>,
    /// None of a bus that is always the same.
    health: Option<watch::Receiver<Health>>,
    stop: CancellationToken,
}

impl Watcher {
    /// The next message. Nothing more for who is too far behind: a browser comes again, and then asks for what
    /// it has missed, or for all documents.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            tokio::select! {
                message = self.changes.recv() => return match message {
                    Ok(message) => Some(message),
                    Err(RecvError::Lagged(behind)) => {
                        tracing::debug!(behind, "a browser is too slow, and comes again");
                        None
                    }
                    Err(RecvError::Closed) => None,
                },
                () = changed(&mut self.health) => {
                    if let Some(message) = self.bus() {
                        return Some(message);
                    }
                }
                () = sleep(KEPT_UP) => return Some(Bytes::from_static(NOTHING)),
                () = self.stop.cancelled() => return None,
            }
        }
    }

    /// How the bus is now, in the words of `/health`.
    fn bus(&mut self) -> Option<Bytes> {
        let health = self.health.as_mut()?.borrow_and_update();
        Some(live::message("bus", None, &Check::of_bus(&health)))
    }
}

/// Waits until the bus is another one than it was; without end where it cannot become one.
async fn changed(health: &mut Option<watch::Receiver<Health>>) {
    if let Some(watched) = health
        && watched.changed().await.is_ok()
    {
        return;
    }
    *health = None;
    pending().await
}
