//! What the commands share that serve HTTP until they are told to stop.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use gentoo_updater_bus::{Doing, Pulse};
use gentoo_updater_runtime::stop_on_signals;
use gentoo_updater_server::CertificateFiles;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::WrongUsage;

/// Whether what is served is encrypted.
#[derive(Debug, Args)]
pub(crate) struct Encryption {
    /// The certificate in PEM, and behind it those that lead to its authority
    #[arg(
        long,
        value_name = "FILE",
        requires = "key",
        conflicts_with = "plain_http"
    )]
    pub(crate) certificate: Option<PathBuf>,

    /// Its private key in PEM
    #[arg(long, value_name = "FILE", requires = "certificate")]
    pub(crate) key: Option<PathBuf>,

    /// Serve without encryption to other machines, too
    #[arg(long)]
    pub(crate) plain_http: bool,
}

impl Encryption {
    /// The certificate; none only where everybody agrees to that.
    ///
    /// # Errors
    /// Wrong usage, where other machines could reach what is not encrypted.
    pub(crate) fn certificate(
        &self,
        listen: SocketAddr,
    ) -> Result<Option<CertificateFiles>, WrongUsage> {
        match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => Ok(Some(CertificateFiles {
                certificate: certificate.clone(),
                key: key.clone(),
            })),
            _ if self.plain_http || listen.ip().is_loopback() => Ok(None),
            _ => Err(WrongUsage(format!(
                "on {listen} other machines can reach it, so it needs a certificate: name it with \
                 --certificate and --key; or listen on 127.0.0.1 behind a proxy that has one; or \
                 serve without encryption with --plain-http"
            ))),
        }
    }
}

/// What a server listens to beside its clients.
pub(crate) struct Signals {
    renew: Signal,
    /// Cancelled by the signals that end a program.
    pub(crate) stop: CancellationToken,
}

impl Signals {
    /// From now on.
    ///
    /// # Errors
    /// When the system does not let this program have them.
    pub(crate) fn catch() -> anyhow::Result<Self> {
        let (renew, stop) = (signal(SignalKind::hangup())?, CancellationToken::new());
        stop_on_signals(stop.clone());
        Ok(Self { renew, stop })
    }

    /// Serves until that ends. At SIGHUP the certificate is read again by `renewal`, and whoever asks `pulse`
    /// hears whether the server turns: the answer is given on its thread, and so only while that comes round.
    ///
    /// # Errors
    /// Those of `serving`.
    pub(crate) async fn serve<E: Into<anyhow::Error>>(
        mut self,
        pulse: &Pulse,
        renewal: impl Fn(),
        serving: impl Future<Output = Result<(), E>>,
    ) -> anyhow::Result<()> {
        pulse.turn(Doing::Serves);
        tokio::select! {
            served = serving => served.map_err(Into::into)?,
            () = async {
                while self.renew.recv().await.is_some() {
                    renewal();
                }
                std::future::pending().await
            } => {}
            () = async {
                loop {
                    pulse.asked().await;
                    pulse.turn(Doing::Serves);
                }
            } => {}
        }
        Ok(())
    }
}
