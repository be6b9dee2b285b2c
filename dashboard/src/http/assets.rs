//! The files of the pages. They are part of the program: there is nothing to install beside it.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use sha2::{Digest as _, Sha256};

use super::access::hexadecimal;
use super::refusal;

struct Asset {
    name: &'static str,
    kind: &'static str,
    body: &'static [u8],
}

macro_rules! assets {
    ($($name:literal $kind:literal,)*) => {
        [$(Asset {
            name: $name,
            kind: $kind,
            body: include_bytes!(concat!("../../assets/", $name)),
        },)*]
    };
}

const PAGE: &str = "text/html; charset=utf-8";
/// What stands for every page: its script makes the page of its address.
const INDEX: &[u8] = include_bytes!("../../assets/index.html");

const ASSETS: [Asset; 27] = assets! {
    "theme.css" "text/css; charset=utf-8",
    "parts.css" "text/css; charset=utf-8",
    "drawings.css" "text/css; charset=utf-8",
    "style.css" "text/css; charset=utf-8",
    "icon.svg" "image/svg+xml",
    "main.js" "text/javascript; charset=utf-8",
    "dom.js" "text/javascript; charset=utf-8",
    "words.js" "text/javascript; charset=utf-8",
    "store.js" "text/javascript; charset=utf-8",
    "table.js" "text/javascript; charset=utf-8",
    "keys.js" "text/javascript; charset=utf-8",
    "session.js" "text/javascript; charset=utf-8",
    "failure.js" "text/javascript; charset=utf-8",
    "graph.js" "text/javascript; charset=utf-8",
    "plot.js" "text/javascript; charset=utf-8",
    "log.js" "text/javascript; charset=utf-8",
    "terminal.js" "text/javascript; charset=utf-8",
    "page-fleet.js" "text/javascript; charset=utf-8",
    "page-runs.js" "text/javascript; charset=utf-8",
    "page-run.js" "text/javascript; charset=utf-8",
    "page-job.js" "text/javascript; charset=utf-8",
    "page-guest.js" "text/javascript; charset=utf-8",
    "page-package.js" "text/javascript; charset=utf-8",
    "page-builders.js" "text/javascript; charset=utf-8",
    "page-queues.js" "text/javascript; charset=utf-8",
    "page-dead.js" "text/javascript; charset=utf-8",
    "theme.js" "text/javascript; charset=utf-8",
};

/// The first part of the address of a page.
const PAGES: [&str; 8] = [
    "", "runs", "guests", "packages", "builders", "queues", "dead", "history",
];

/// A file, or a page.
pub(super) async fn answer(request: Request) -> Response {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return refusal(StatusCode::METHOD_NOT_ALLOWED, "nothing is taken here");
    }
    let path = request.uri().path();
    let (kind, body) = match path.strip_prefix("/assets/") {
        Some(name) => match ASSETS.iter().find(|asset| asset.name == name) {
            Some(asset) => (asset.kind, asset.body),
            None => return refusal(StatusCode::NOT_FOUND, "there is no such file"),
        },
        None => {
            let first = path
                .trim_start_matches('/')
                .split('/')
                .next()
                .unwrap_or_default();
            if first == "api" {
                return refusal(StatusCode::NOT_FOUND, "there is no such document");
            }
            if !PAGES.contains(&first) {
                return refusal(StatusCode::NOT_FOUND, "there is no such page");
            }
            (PAGE, INDEX)
        }
    };
    let tag = format!("\"{}\"", hexadecimal(&Sha256::digest(body)[..8]));
    let known = request.headers().get(IF_NONE_MATCH);
    if known.is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, [(ETAG, tag)]).into_response();
    }
    let headers = [
        (CONTENT_TYPE, kind.to_owned()),
        // Whoever keeps it asks again: the next version of the program has another one.
        (CACHE_CONTROL, "no-cache".to_owned()),
        (ETAG, tag),
    ];
    (headers, Body::from(body)).into_response()
}
