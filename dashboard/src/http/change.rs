//! Logging in, what only the bus can say, and what changes something.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{ConnectInfo, State};
use axum::http::header::{RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::access::{Access, Login};
use super::guard::cookie;
use super::{Shared, refusal};

type Here = State<Arc<Shared>>;

const READ_ONLY: &str =
    "this dashboard shows and changes nothing: it was started without --token-file";
const NOT_IN: &str = "log in with the token first";

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/api/session", get(session))
        .route("/api/login", post(log_in))
        .route("/api/logout", post(log_out))
        .route("/api/queues", get(queues))
        .route("/api/dead", get(dead_letters))
        .route("/api/dead/retry", post(retry_dead))
}

/// Who the browser is, and what it has to send along with what changes something.
async fn session(State(shared): Here, headers: HeaderMap) -> Response {
    let access = &shared.access;
    let known = cookie(&headers, access.cookie()).filter(|name| !name.is_empty());
    if let Some(name) = known {
        return Json(document(&shared, name, access.is_in(name, Instant::now()))).into_response();
    }
    match Access::visitor() {
        Ok(name) => {
            let set = [(SET_COOKIE, access.set_cookie(&name))];
            (set, Json(document(&shared, &name, false))).into_response()
        }
        Err(error) => refusal(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn document(shared: &Shared, name: &str, is_in: bool) -> Value {
    json!({
        "writable": shared.access.is_writable(),
        "logged_in": is_in,
        "csrf_token": shared.access.proof(name),
        "version": env!("CARGO_PKG_VERSION"),
    })
}

#[derive(Deserialize)]
struct Shown {
    token: String,
}

async fn log_in(
    State(shared): Here,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    Json(shown): Json<Shown>,
) -> Response {
    let access = &shared.access;
    if !access.is_writable() {
        return refusal(StatusCode::FORBIDDEN, READ_ONLY);
    }
    match access.log_in(&shown.token, client.ip(), Instant::now()) {
        Ok(Login::In(name)) => {
            tracing::info!(client = %client.ip(), "somebody has logged in");
            let set = [(SET_COOKIE, access.set_cookie(&name))];
            (set, Json(document(&shared, &name, true))).into_response()
        }
        Ok(Login::Wrong) => {
            tracing::warn!(client = %client.ip(), "a wrong token was shown");
            refusal(StatusCode::FORBIDDEN, "this is not the token")
        }
        Ok(Login::Wait(wait)) => {
            let seconds = wait.as_secs().max(1);
            let words =
                format!("this is not the token, and too many were wrong; try again in {seconds} s");
            let mut response = refusal(StatusCode::TOO_MANY_REQUESTS, &words);
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
            response
        }
        Err(error) => refusal(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

async fn log_out(State(shared): Here, headers: HeaderMap) -> Response {
    if let Some(name) = cookie(&headers, shared.access.cookie()) {
        shared.access.log_out(name);
        return Json(document(&shared, name, false)).into_response();
    }
    refusal(StatusCode::FORBIDDEN, NOT_IN)
}

async fn queues(State(shared): Here, headers: HeaderMap) -> Response {
    let queues = shared.operations.queues(&shared.view).await;
    shared.answer(&headers, "queues", queues)
}

async fn dead_letters(State(shared): Here, headers: HeaderMap) -> Response {
    let letters = shared.operations.dead_letters().await;
    shared.answer(&headers, "dead", letters)
}

#[derive(Deserialize)]
struct Letters {
    letters: Vec<String>,
}

async fn retry_dead(
    State(shared): Here,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Json(Letters { letters }): Json<Letters>,
) -> Response {
    if let Some(refused) = shared.refused(&headers) {
        return refused;
    }
    tracing::info!(client = %client.ip(), ?letters, "dead letters are put back");
    let done = shared.operations.retry_dead(letters).await;
    shared.answer(&headers, "retry", done)
}

impl Shared {
    /// Why this browser may change nothing, if it may not.
    fn refused(&self, headers: &HeaderMap) -> Option<Response> {
        if !self.access.is_writable() {
            return Some(refusal(StatusCode::FORBIDDEN, READ_ONLY));
        }
        let name = cookie(headers, self.access.cookie()).unwrap_or_default();
        let is_in = self.access.is_in(name, Instant::now());
        (!is_in).then(|| refusal(StatusCode::UNAUTHORIZED, NOT_IN))
    }

    fn answer(&self, headers: &HeaderMap, path: &str, told: anyhow::Result<Value>) -> Response {
        match told {
            Ok(document) => self.of_its_own(headers, path, &document),
            Err(error) => {
                let words = format!("{error:#}");
                tracing::warn!(path, error = words, "not answered");
                refusal(StatusCode::SERVICE_UNAVAILABLE, &words)
            }
        }
    }
}
