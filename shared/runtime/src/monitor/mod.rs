//! What a monitoring system asks a worker over HTTP: `/metrics` in the text format of Prometheus
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>) and `/health`.

mod bus;
mod health;

use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use gentoo_updater_bus::Health;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The bounds of histograms of durations, in seconds: from a look at a queue to a long build.
const SECONDS: [f64; 14] = [
    0.01, 0.05, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 21600.0, 43200.0,
];

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
}

impl Monitor {
    /// Listens on `address`, and collects from here on what this process says of itself.
    ///
    /// # Errors
    /// [`MonitorError`].
    pub async fn open(address: SocketAddr) -> Result<Self, MonitorError> {
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|source| MonitorError::Listen { address, source })?;
        let metrics = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
            .install_recorder()?;
        bus::describe();
        tracing::info!(%address, "metrics are served");
        Ok(Self { listener, metrics })
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
    pub async fn serve(
        self,
        mut bus: watch::Receiver<Health>,
        stop: CancellationToken,
    ) -> io::Result<()> {
        let asked = bus.clone();
        let metrics = self.metrics.clone();
        let router = Router::new()
            .route("/metrics", get(async move || text_of(&metrics)))
            .route("/health", get(async move || health::of(&asked.borrow())));
        let serving = axum::serve(self.listener, router)
            .with_graceful_shutdown(stop.clone().cancelled_owned());
        let serving = std::pin::pin!(serving.into_future());
        let watching = async {
            loop {
                bus::measure(&bus.borrow_and_update());
                if bus.changed().await.is_err() {
                    // The bus is gone, and the process will be soon.
                    return std::future::pending().await;
                }
            }
        };
        tokio::select! {
            served = serving => served,
            () = watching => Ok(()),
        }
    }
}

/// What a process serves of itself while it runs, if it serves anything.
#[derive(Default)]
pub struct Monitored {
    health: Option<watch::Sender<Health>>,
}

impl Monitored {
    /// Serves on `address` until `stop`. Until [`Self::watch`] is called there is no connection.
    ///
    /// # Errors
    /// [`MonitorError`].
    pub async fn start(
        address: SocketAddr,
        stop: &CancellationToken,
    ) -> Result<Self, MonitorError> {
        let monitor = Monitor::open(address).await?;
        let not_yet = Health::Disconnected("there was no connection yet".to_owned());
        let health = watch::Sender::new(not_yet);
        let serving = monitor.serve(health.subscribe(), stop.clone());
        tokio::spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(%error, "metrics are served no more");
            }
        });
        Ok(Self {
            health: Some(health),
        })
    }

    /// Tells from here on how this bus is.
    pub fn watch(self, mut bus: watch::Receiver<Health>) {
        let Some(health) = self.health else { return };
        tokio::spawn(async move {
            loop {
                health.send_replace(bus.borrow_and_update().clone());
                // The bus is gone with the process.
                if bus.changed().await.is_err() {
                    return;
                }
            }
        });
    }
}

/// `version` is what Prometheus wants to hear.
fn text_of(metrics: &PrometheusHandle) -> impl IntoResponse + use<> {
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    ([(CONTENT_TYPE, content_type)], metrics.render())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    async fn asked(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.0\r\nHost: test\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn until_it_says(address: SocketAddr, line: &str) {
        let said = async {
            while !asked(address, "/metrics").await.contains(line) {
                tokio::task::yield_now().await;
            }
        };
        let said = tokio::time::timeout(std::time::Duration::from_secs(30), said).await;
        assert!(said.is_ok(), "/metrics does not say {line}");
    }

    #[tokio::test]
    async fn a_blocked_bus_shows_in_the_metrics_and_in_the_health() {
        let monitor = Monitor::open(([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = monitor.address().unwrap();
        let (bus, stop) = (watch::Sender::new(Health::Good), CancellationToken::new());
        let serving = tokio::spawn(monitor.serve(bus.subscribe(), stop.clone()));

        until_it_says(address, "gentoo_updater_bus_blocked 0\n").await;
        until_it_says(address, "gentoo_updater_bus_connected 1\n").await;
        let health = asked(address, "/health").await;
        assert!(health.starts_with("HTTP/1.0 200"), "{health}");
        assert!(health.contains(r#""status":"good""#), "{health}");

        bus.send_replace(Health::Blocked("low on memory".to_owned()));
        until_it_says(address, "gentoo_updater_bus_blocked 1\n").await;
        let health = asked(address, "/health").await;
        assert!(health.starts_with("HTTP/1.0 503"), "{health}");
        assert!(health.contains("low on memory"), "{health}");

        bus.send_replace(Health::Disconnected("refused".to_owned()));
        until_it_says(address, "gentoo_updater_bus_connected 0\n").await;
        until_it_says(address, "gentoo_updater_bus_blocked 0\n").await;

        stop.cancel();
        serving.await.unwrap().unwrap();
        let again = Monitor::open(([127, 0, 0, 1], 0).into()).await;
        assert!(again.is_err(), "a process collects its metrics once");
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap();
        let error = Monitor::open(address).await.err().unwrap().to_string();
        assert!(error.contains(&address.to_string()), "{error}");
    }
}
