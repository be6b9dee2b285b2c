//! `/health`: whether a process does what it is there for, and what to do where it does not.
//!
//! The words are those of <https://datatracker.ietf.org/doc/html/draft-inadarei-api-health-check-06>:
//! `pass`, `warn` and `fail`.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use gentoo_updater_bus::Health;
use serde::Serialize;

/// How something is; of several the worst counts, which is the last here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Pass,
    /// The process does what it should, and that is not all of its work: somebody has paused it, say.
    Warn,
    /// It cannot do its work.
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What: `bus`, `state_directory`, `paused`, `machine`, `store`.
    pub check: &'static str,
    /// Which of several: the worker or the platform.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// How it is.
    pub status: Status,
    /// What is known of it, where it is not as it should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What to do then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Check {
    /// It is as it should be.
    pub fn pass(check: &'static str, subject: Option<String>) -> Self {
        Self {
            check,
            subject,
            status: Status::Pass,
            detail: None,
            remedy: None,
        }
    }

    /// It is not: what is known of it, and what to do.
    #[must_use]
    pub fn but(self, status: Status, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            status,
            detail: Some(detail.into()),
            remedy: Some(remedy.into()),
            ..self
        }
    }

    /// How the bus is.
    pub fn of_bus(health: &Health) -> Self {
        let check = Self::pass("bus", None);
        match health {
            Health::Good => check,
            Health::Blocked(why) => check.but(
                Status::Fail,
                format!("the broker takes no messages: {why}"),
                "Give the broker more memory or disk; `rabbitmq-diagnostics alarms` on its machine says \
                 what is short. What is said meanwhile is kept and goes out then",
            ),
            Health::Disconnected(why) => check.but(
                Status::Fail,
                format!("there is no connection to the broker: {why}"),
                "Start the broker, or put `broker.url` right; this process tries again by itself",
            ),
        }
    }
}

/// The answer.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    status: Status,
    version: &'static str,
    checks: &'a [Check],
}

/// 200 while the process does its work, 503 while it cannot.
pub(super) fn answer(checks: &[Check]) -> Response {
    let worst = checks.iter().map(|check| check.status).max();
    let status = worst.unwrap_or(Status::Pass);
    let code = match status {
        Status::Pass | Status::Warn => StatusCode::OK,
        Status::Fail => StatusCode::SERVICE_UNAVAILABLE,
    };
    let version = env!("CARGO_PKG_VERSION");
    let answer = Answer {
        status,
        version,
        checks,
    };
    (code, [(CACHE_CONTROL, "no-store")], Json(answer)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_paused_does_its_work_and_what_has_no_broker_does_not() {
        let paused = Check::pass("paused", Some("scanner@a".to_owned()));
        let paused = paused.but(Status::Warn, "new disks", "resume it");
        let code = |checks: &[Check]| answer(checks).status().as_u16();
        assert_eq!(code(&[]), 200);
        assert_eq!(code(&[Check::of_bus(&Health::Good), paused.clone()]), 200);
        let gone = Check::of_bus(&Health::Disconnected("refused".to_owned()));
        assert_eq!(code(&[gone, paused]), 503);
    }
}
