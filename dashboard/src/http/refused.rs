//! What axum itself refuses, in the form of all other refusals.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{ALLOW, CONTENT_TYPE};
use axum::middleware::Next;
use axum::response::Response;

use super::{LARGEST_BODY, refusal};

/// How many bytes of what is said are read: it is a sentence.
const SENTENCE: usize = 4096;

/// Makes JSON of an answer that refuses something in plain words or without any: who asks is a program.
pub(super) async fn in_json(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    let is_refusal = status.is_client_error() || status.is_server_error();
    let kind = response.headers().get(CONTENT_TYPE);
    if !is_refusal || kind.is_some_and(|kind| kind == "application/json") {
        return response;
    }
    let (head, body) = response.into_parts();
    let allowed = head.headers.get(ALLOW);
    let words = match (status, allowed.and_then(|allowed| allowed.to_str().ok())) {
        (StatusCode::METHOD_NOT_ALLOWED, Some(allowed)) => format!("this takes {allowed} alone"),
        (StatusCode::PAYLOAD_TOO_LARGE, _) => format!("this takes {LARGEST_BODY} bytes at most"),
        _ => words(status, body).await,
    };
    let mut response = refusal(status, &words);
    if let Some(allowed) = allowed {
        response.headers_mut().insert(ALLOW, allowed.clone());
    }
    response
}

/// What axum says, or what the status means.
async fn words(status: StatusCode, body: Body) -> String {
    let said = to_bytes(body, SENTENCE).await.unwrap_or_default();
    match String::from_utf8_lossy(&said).trim() {
        "" => status.canonical_reason().unwrap_or("refused").to_owned(),
        said => said.to_owned(),
    }
}
