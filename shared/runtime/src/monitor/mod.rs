//! What a monitoring system asks a process over HTTP: `/metrics` in the text format of Prometheus
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>) and `/health`.

mod health;
pub mod meters;
mod process;
mod vitals;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use gentoo_updater_telemetry::exposition;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

use crate::arguments::MonitorArguments;

pub use health::{Check, Status};
pub use vitals::{Vitals, describe};

/// The bounds of histograms of durations, in seconds: from a look at a queue to a long build.
const SECONDS: [f64; 14] = [
    0.01, 0.05, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 21600.0, 43200.0,
];

/// How often what was observed is put into its histograms. Until then each observation takes room, also
/// where nobody ever asks.
const UPKEEP: Duration = Duration::from_secs(5);

/// Why nothing can be monitored.
#[derive(Debug, thiserror::Error)]
pub enum MonitorError {
    /// The address cannot be listened on.
    #[error("{address} cannot be listened on for --metrics: {source}; choose another port")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Metrics are collected already, or cannot be.
    #[error("metrics cannot be collected: {0}")]
    Collect(#[from] metrics_exporter_prometheus::BuildError),
}

/// Collects metrics and listens; answers when it is served.
pub struct Monitor {
    listener: TcpListener,
    metrics: PrometheusHandle,
    vitals: Vitals,
}

impl Monitor {
    /// Listens on `address`, and collects from here on what this process says of itself. `program` is
    /// its name.
    ///
    /// # Errors
    /// [`MonitorError`].
    pub async fn open(
        address: SocketAddr,
        program: &str,
        vitals: Vitals,
    ) -> Result<Self, MonitorError> {
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|source| MonitorError::Listen { address, source })?;
        let metrics = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
            .install_recorder()?;
        meters::tell_build(program);
        vitals.serve();
        tracing::info!(%address, "metrics are served");
        Ok(Self {
            listener,
            metrics,
            vitals,
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `stop`.
    ///
    /// # Errors
    /// When connections cannot be accepted any more.
    pub async fn serve(self, stop: CancellationToken) -> io::Result<()> {
        let (metrics, measured) = (self.metrics.clone(), self.vitals.clone());
        let looked_at = self.vitals;
        let router = Router::new()
            .route("/metrics", get(async move || text_of(&metrics, &measured)))
            .route("/health", get(async move || looked_at.health().await));
        let serving = axum::serve(self.listener, router)
            .with_graceful_shutdown(stop.clone().cancelled_owned());
        let upkeep = async {
            let mut ticks = interval(UPKEEP);
            loop {
                ticks.tick().await;
                self.metrics.run_upkeep();
            }
        };
        tokio::select! {
            served = serving.into_future() => served,
            () = upkeep => Ok(()),
        }
    }
}

/// Serves where these arguments say, if they say so, until `stop`.
///
/// # Errors
/// [`MonitorError`].
pub async fn monitor(
    arguments: &MonitorArguments,
    program: &str,
    vitals: &Vitals,
    stop: &CancellationToken,
) -> Result<(), MonitorError> {
    let Some(address) = arguments.metrics else {
        return Ok(());
    };
    let monitor = Monitor::open(address, program, vitals.clone()).await?;
    let serving = monitor.serve(stop.clone());
    tokio::spawn(async move {
        if let Err(error) = serving.await {
            tracing::error!(%error, "metrics are served no more");
        }
    });
    Ok(())
}

/// `version` is what Prometheus wants to hear.
fn text_of(metrics: &PrometheusHandle, vitals: &Vitals) -> impl IntoResponse + use<> {
    vitals.measure_all();
    let mut text = metrics.render();
    text.push_str(&exposition(&process::samples()));
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    ([(CONTENT_TYPE, content_type)], text)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gentoo_updater_bus::embedded::Embedded;
    use gentoo_updater_bus::{Bus, Health};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::watch;

    use super::*;

    async fn asked(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.0\r\nHost: test\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn a_blocked_bus_shows_in_the_metrics_and_in_the_health() {
        let vitals = Vitals::default();
        let monitor = Monitor::open(([127, 0, 0, 1], 0).into(), "scanner", vitals.clone());
        let monitor = monitor.await.unwrap();
        let (address, stop) = (monitor.address().unwrap(), CancellationToken::new());
        vitals.await_bus();
        let serving = tokio::spawn(monitor.serve(stop.clone()));
        let says = async |line: &str| {
            let metrics = asked(address, "/metrics").await;
            assert!(
                metrics.contains(line),
                "/metrics does not say {line}: {metrics}"
            );
        };

        says("gentoo_updater_bus_connected 0\n").await;
        says("# HELP gentoo_updater_bus_connected 1 while").await;
        says("gentoo_updater_bus_dead_letters_total 0\n").await;
        says("process_resident_memory_bytes ").await;
        let metrics = asked(address, "/metrics").await;
        let mut described: Vec<&str> = metrics
            .lines()
            .filter_map(|line| line.strip_prefix("# HELP ")?.split(' ').next())
            .collect();
        let all = described.len();
        described.sort_unstable();
        described.dedup();
        assert_eq!(
            described.len(),
            all,
            "a metric is described twice: {metrics}"
        );
        let version = env!("CARGO_PKG_VERSION");
        says(&format!(
            "gentoo_updater_build_info{{program=\"scanner\",version=\"{version}\"}} 1\n"
        ))
        .await;
        let health = asked(address, "/health").await;
        assert!(health.starts_with("HTTP/1.0 503"), "{health}");

        let bus = watch::Sender::new(Health::Good);
        let by: Arc<dyn Bus> = Arc::new(Embedded::in_memory());
        vitals.bus_as(&by, bus.subscribe());
        says("gentoo_updater_bus_blocked 0\n").await;
        says("gentoo_updater_bus_connected 1\n").await;
        let health = asked(address, "/health").await;
        assert!(health.starts_with("HTTP/1.0 200"), "{health}");
        assert!(health.contains(r#""status":"pass""#), "{health}");

        bus.send_replace(Health::Blocked("low on memory".to_owned()));
        says("gentoo_updater_bus_blocked 1\n").await;
        let health = asked(address, "/health").await;
        assert!(health.starts_with("HTTP/1.0 503"), "{health}");
        assert!(health.contains("low on memory"), "{health}");

        bus.send_replace(Health::Disconnected("refused".to_owned()));
        says("gentoo_updater_bus_connected 0\n").await;
        says("gentoo_updater_bus_blocked 0\n").await;

        stop.cancel();
        serving.await.unwrap().unwrap();
        let again = Monitor::open(([127, 0, 0, 1], 0).into(), "scanner", vitals).await;
        assert!(again.is_err(), "a process collects its metrics once");
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap();
        let opened = Monitor::open(address, "scanner", Vitals::default()).await;
        let error = opened.err().unwrap().to_string();
        assert!(error.contains(&address.to_string()), "{error}");
    }
}
