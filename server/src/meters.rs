//! What the server counts and measures.

use std::path::PathBuf;

use axum::http::StatusCode;
use gentoo_updater_telemetry::{Label, Metric};
use rustix::fs::statvfs;

/// The metrics of a server of stores.
pub const METRICS: &[&Metric] = &[
    &REQUESTS,
    &REQUEST_SECONDS,
    &SENT_BYTES,
    &CONNECTIONS,
    &REFUSED,
    &SIZE_BYTES,
    &FREE_BYTES,
];

const STATUS: Label = Label::new(
    "status",
    &["200", "206", "304", "404", "405", "416", "500", "other"],
);
const PLATFORM: Label = Label::named("platform", "the platforms that are served");

const REQUESTS: Metric = Metric::counter(
    "gentoo_updater_store_requests_total",
    &[STATUS],
    "Requests that were answered, by the status of the answer",
);
const REQUEST_SECONDS: Metric = Metric::histogram(
    "gentoo_updater_store_request_duration_seconds",
    &[],
    "Time from the head of a request to the head of its answer",
);
const SENT_BYTES: Metric = Metric::counter(
    "gentoo_updater_store_sent_bytes_total",
    &[],
    "Bytes of indexes and binaries that clients have taken",
);
const CONNECTIONS: Metric = Metric::gauge(
    "gentoo_updater_store_connections",
    &[],
    "Connections of clients",
);
const REFUSED: Metric = Metric::counter(
    "gentoo_updater_store_refused_connections_total",
    &[],
    "Connections refused because their address had as many as it may",
);
const SIZE_BYTES: Metric = Metric::gauge(
    "gentoo_updater_store_filesystem_size_bytes",
    &[PLATFORM],
    "Size of the file system that a store lies on",
);
const FREE_BYTES: Metric = Metric::gauge(
    "gentoo_updater_store_filesystem_free_bytes",
    &[PLATFORM],
    "What is free on the file system that a store lies on, without what is reserved for root",
);

/// A request has its answer.
pub(crate) fn answered(status: StatusCode, took: std::time::Duration) {
    let label = match status {
        StatusCode::OK => "200",
        StatusCode::PARTIAL_CONTENT => "206",
        StatusCode::NOT_MODIFIED => "304",
        StatusCode::NOT_FOUND => "404",
        StatusCode::METHOD_NOT_ALLOWED => "405",
        StatusCode::RANGE_NOT_SATISFIABLE => "416",
        StatusCode::INTERNAL_SERVER_ERROR => "500",
        _ => "other",
    };
    REQUESTS.count([label]);
    REQUEST_SECONDS.observe([], took);
}

/// A client has taken so much.
pub(crate) fn sent(bytes: usize) {
    SENT_BYTES.add([], bytes as u64);
}

/// An address has too many connections.
pub(crate) fn refused() {
    REFUSED.count([]);
}

/// One connection, for as long as this lives.
pub(crate) struct Connection(());

impl Connection {
    pub(crate) fn begin() -> Self {
        CONNECTIONS.change([], 1.0);
        Self(())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        CONNECTIONS.change([], -1.0);
    }
}

/// Measures the file systems of these stores, by the platforms. What cannot be measured is left out.
pub fn measure<'a>(stores: impl IntoIterator<Item = (&'a String, &'a PathBuf)>) {
    for (platform, path) in stores {
        let Ok(found) = statvfs(path.as_path()) else {
            continue;
        };
        #[expect(
            clippy::cast_precision_loss,
            reason = "a byte more or less is no matter"
        )]
        let bytes = |blocks: u64| blocks as f64 * found.f_frsize as f64;
        SIZE_BYTES.set([platform.clone()], bytes(found.f_blocks));
        FREE_BYTES.set([platform.clone()], bytes(found.f_bavail));
    }
}
