//! What happens, as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt as _, stream};
use serde::Deserialize;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::Shared;

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

/// Tells what happens from now on, and before it what has happened since the offset that the browser has got
/// (`Last-Event-ID`, or `after` the first time).
pub(super) async fn events(
    State(shared): State<Arc<Shared>>,
    Query(since): Query<Since>,
    headers: HeaderMap,
) -> Response {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let last = last.and_then(|id| id.parse().ok()).or(since.after);
    let watching = shared.hub.watch(last);
    let first = [Bytes::from_static(BEGIN)]
        .into_iter()
        .chain(watching.missed);
    let coming = stream::unfold((watching.changes, shared.stop.clone()), next);
    let body = stream::iter(first).chain(coming).map(Ok::<_, Infallible>);
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, Body::from_stream(body)).into_response()
}

type Watcher = (broadcast::Receiver<Bytes>, CancellationToken);

/// The next message. Nothing more for who is too far behind: a browser comes again, and then asks for what it
/// has missed, or for all documents.
async fn next((mut changes, stop): Watcher) -> Option<(Bytes, Watcher)> {
    let message = tokio::select! {
        message = timeout(KEPT_UP, changes.recv()) => message,
        () = stop.cancelled() => return None,
    };
    let message = match message {
        Ok(Ok(message)) => message,
        Ok(Err(RecvError::Lagged(behind))) => {
            tracing::debug!(behind, "a browser is too slow, and comes again");
            return None;
        }
        Ok(Err(RecvError::Closed)) => return None,
        Err(_) => Bytes::from_static(NOTHING),
    };
    Some((message, (changes, stop)))
}
