//! `/health`: whether this worker can talk to the others.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use gentoo_updater_bus::Health;
use serde::Serialize;

/// The answer: `good`, `blocked` or `disconnected`, and why.
#[derive(Serialize)]
struct Answer<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'a str>,
}

/// 200 while messages go through, 503 while they do not.
pub(super) fn of(health: &Health) -> Response {
    let (code, status, cause) = match health {
        Health::Good => (StatusCode::OK, "good", None),
        Health::Blocked(cause) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "blocked",
            Some(cause.as_str()),
        ),
        Health::Disconnected(cause) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "disconnected",
            Some(cause.as_str()),
        ),
    };
    (code, Json(Answer { status, cause })).into_response()
}
