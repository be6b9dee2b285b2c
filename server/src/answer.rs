//! The answer to a request.

use std::collections::BTreeMap;
use std::io::{self, Seek, SeekFrom};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use futures_util::TryStreamExt;
use headers::{AcceptRanges, ContentLength, ContentRange, ETag, HeaderMapExt, LastModified};
use rustix::io::Errno;
use tokio::io::AsyncReadExt;
use tokio_util::io::ReaderStream;

use crate::conditions::{Part, part};
use crate::shelf::{Opened, Shelf};
use crate::{meters, path};

/// How much of a file is read at once.
const CHUNK: usize = 128 * 1024;

/// The stores, by the platforms that they are for.
pub(crate) type Shelves = BTreeMap<String, Shelf>;

pub(crate) fn router(shelves: Shelves) -> Router {
    Router::new()
        .route("/health", any(health))
        .fallback(answer)
        .with_state(Arc::new(shelves))
}

async fn health(request: Request) -> Response {
    match *request.method() {
        Method::GET | Method::HEAD => "good\n".into_response(),
        _ => not_allowed(),
    }
}

async fn answer(State(shelves): State<Arc<Shelves>>, request: Request) -> Response {
    let begun = Instant::now();
    let response = answer_unmeasured(&shelves, request).await;
    meters::answered(response.status(), begun.elapsed());
    response
}

async fn answer_unmeasured(shelves: &Arc<Shelves>, request: Request) -> Response {
    let is_head = request.method() == Method::HEAD;
    if !is_head && request.method() != Method::GET {
        return not_allowed();
    }
    let Some(wanted) = path::wanted(request.uri().path()) else {
        return not_found();
    };
    // The network file system under a store may let its callers wait.
    let shelves = shelves.clone();
    let opened = tokio::task::spawn_blocking(move || match shelves.get(&wanted.platform) {
        Some(shelf) => shelf.find(&wanted),
        None => Err(io::ErrorKind::NotFound.into()),
    });
    let opened = match opened.await {
        Ok(opened) => opened,
        Err(error) => Err(io::Error::other(error)),
    };
    let path = request.uri().path();
    let sent = match opened {
        Ok(opened) => send(request.headers(), opened, is_head),
        Err(error) => Err(error),
    };
    sent.unwrap_or_else(|error| failed(path, &error))
}

/// Sends of a file what the request gets.
fn send(asked: &HeaderMap, opened: Opened, is_head: bool) -> io::Result<Response> {
    let Opened {
        mut file,
        length,
        modified,
        tag,
    } = opened;
    let tag: ETag = format!("\"{tag}\"").parse().map_err(io::Error::other)?;
    let part = part(asked, length, modified, &tag, SystemTime::now());
    let (status, sent) = match &part {
        Part::All => (StatusCode::OK, length),
        Part::Bytes(range) => (StatusCode::PARTIAL_CONTENT, range.end() - range.start() + 1),
        Part::Unsatisfiable => (StatusCode::RANGE_NOT_SATISFIABLE, 0),
        Part::NotModified => (StatusCode::NOT_MODIFIED, 0),
    };
    let start = match &part {
        Part::Bytes(range) => *range.start(),
        _ => 0,
    };
    let body = if is_head || sent == 0 {
        Body::empty()
    } else {
        file.seek(SeekFrom::Start(start))?;
        let file = tokio::fs::File::from_std(file).take(sent);
        let chunks = ReaderStream::with_capacity(file, CHUNK);
        Body::from_stream(chunks.inspect_ok(|chunk| meters::sent(chunk.len())))
    };
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.typed_insert(AcceptRanges::bytes());
    headers.typed_insert(LastModified::from(modified));
    headers.typed_insert(tag);
    // An index is another one in a moment: whoever keeps it asks again.
    headers.insert("cache-control", HeaderValue::from_static("no-cache"));
    if part != Part::NotModified {
        headers.typed_insert(ContentLength(sent));
        let binary = HeaderValue::from_static("application/octet-stream");
        headers.insert(CONTENT_TYPE, binary);
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    }
    match part {
        Part::Bytes(range) => headers.typed_insert(content_range(range, length)?),
        Part::Unsatisfiable => headers.typed_insert(ContentRange::unsatisfied_bytes(length)),
        Part::All | Part::NotModified => {}
    }
    Ok(response)
}

fn content_range(range: RangeInclusive<u64>, length: u64) -> io::Result<ContentRange> {
    ContentRange::bytes(range, length).map_err(io::Error::other)
}

fn not_allowed() -> Response {
    let allowed = [(ALLOW, "GET, HEAD")];
    let words = "this server gives and takes nothing\n";
    (StatusCode::METHOD_NOT_ALLOWED, allowed, words).into_response()
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "there is no such file\n").into_response()
}

/// What is not there, or is no file, is all the same to a client. The rest the operator is told.
fn failed(path: &str, error: &io::Error) -> Response {
    let errno = Errno::from_io_error(error);
    let is_no_file = matches!(
        errno,
        Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG | Errno::NXIO)
    );
    if is_no_file || error.kind() == io::ErrorKind::NotFound {
        return not_found();
    }
    tracing::warn!(path, %error, "a file of a store cannot be read");
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    (status, "this file cannot be read\n").into_response()
}
