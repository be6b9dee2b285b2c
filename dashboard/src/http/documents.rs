//! Documents: written once for all who ask at one offset, and not sent to who has them.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::access::{hexadecimal, random};
use super::refusal;
use crate::DashboardError;

/// How many documents are kept, and how many bytes of them.
const KEPT: usize = 32;
const KEPT_BYTES: usize = 4 * 1024 * 1024;

/// The documents that were asked for last.
pub(super) struct Documents {
    /// Tells this process from another one, whose documents may have another form.
    process: String,
    written: Mutex<VecDeque<Written>>,
}

struct Written {
    path: String,
    tag: String,
    body: Bytes,
}

impl Documents {
    pub(super) fn new() -> Result<Self, DashboardError> {
        Ok(Self {
            process: hexadecimal(&random::<4>()?),
            written: Mutex::default(),
        })
    }

    /// The document of this path as it is at `version`, which `make` makes where nobody has asked for it
    /// yet. Nothing made is no such document.
    pub(super) fn answer<T: Serialize>(
        &self,
        asked: &HeaderMap,
        path: &str,
        version: &str,
        make: impl FnOnce() -> Option<T>,
    ) -> Response {
        let tag = format!("\"{}-{version}\"", self.process);
        if asked
            .get_all(IF_NONE_MATCH)
            .iter()
            .any(|known| names(known.as_bytes(), &tag))
        {
            return (StatusCode::NOT_MODIFIED, [(ETAG, tag)]).into_response();
        }
        let body = match self.find(path, &tag) {
            Some(body) => body,
            None => {
                let Some(document) = make() else {
                    return unknown();
                };
                match serde_json::to_vec(&document) {
                    Ok(body) => self.keep(path, &tag, body.into()),
                    Err(error) => {
                        tracing::error!(path, %error, "a document cannot be written");
                        let words =
                            "this document cannot be written; the log of the dashboard says why";
                        return refusal(StatusCode::INTERNAL_SERVER_ERROR, words);
                    }
                }
            }
        };
        let headers = [
            (CONTENT_TYPE, "application/json".to_owned()),
            (CACHE_CONTROL, "no-cache".to_owned()),
            (ETAG, tag),
        ];
        (headers, Body::from(body)).into_response()
    }

    fn find(&self, path: &str, tag: &str) -> Option<Bytes> {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let mut of_path = written.iter().filter(|it| it.path == path && it.tag == tag);
        of_path.next().map(|it| it.body.clone())
    }

    fn keep(&self, path: &str, tag: &str, body: Bytes) -> Bytes {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.retain(|it| it.path != path);
        written.push_back(Written {
            path: path.to_owned(),
            tag: tag.to_owned(),
            body: body.clone(),
        });
        let bytes =
            |written: &VecDeque<Written>| written.iter().map(|it| it.body.len()).sum::<usize>();
        while written.len() > KEPT || bytes(&written) > KEPT_BYTES {
            if written.pop_front().is_none() {
                break;
            }
        }
        body
    }
}

/// That there is no such document.
pub(super) fn unknown() -> Response {
    let words = "the history knows nothing of that, or not any more";
    refusal(StatusCode::NOT_FOUND, words)
}

/// Whether an `If-None-Match` names this tag.
fn names(known: &[u8], tag: &str) -> bool {
    let known = String::from_utf8_lossy(known);
    let mut tags = known.split(',').map(str::trim);
    tags.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}
