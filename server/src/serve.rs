//! The server from its start to its end.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::ServerError;
use crate::answer::{Shelves, router};
use crate::certificate::{Certificate, CertificateFiles};
use crate::connections::{Addresses, Limits};
use crate::idle::Idle;
use crate::meters;
use crate::shelf::Shelf;

/// The most that the head of a request may have, in bytes.
const LARGEST_HEAD: usize = 64 * 1024;

/// The pause when a connection cannot be accepted, because there are too many open files, say.
const PAUSE: Duration = Duration::from_millis(200);

/// What a client gets that has too many connections.
const REFUSED: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 0\r\n\
                         Connection: close\r\n\r\n";

/// How long such a client may take to hear that.
const REFUSAL: Duration = Duration::from_secs(1);

/// Which stores are served where.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where clients come to.
    pub listen: SocketAddr,
    /// The folders by the names of their platforms.
    pub stores: BTreeMap<String, PathBuf>,
    /// Without one nothing is encrypted.
    pub certificate: Option<CertificateFiles>,
    /// What clients may take.
    pub limits: Limits,
}

/// A server that listens.
pub struct Server {
    listener: TcpListener,
    router: Router,
    certificate: Option<Arc<Certificate>>,
    limits: Limits,
}

impl Server {
    /// Opens the stores, reads the certificate, and listens.
    ///
    /// # Errors
    /// [`ServerError`].
    pub async fn open(options: Options) -> Result<Self, ServerError> {
        let mut shelves = Shelves::new();
        for (platform, path) in options.stores {
            let shelf = Shelf::open(&path).map_err(|source| ServerError::Store {
                platform: platform.clone(),
                path,
                source,
            })?;
            shelves.insert(platform, shelf);
        }
        let Options {
            listen,
            certificate,
            limits,
            ..
        } = options;
        Self::listen(listen, router(shelves), certificate, limits).await
    }

    /// Listens, and will answer by `router`. A request has the address of its client with it, as
    /// [`ConnectInfo`].
    ///
    /// # Errors
    /// [`ServerError`].
    pub async fn listen(
        address: SocketAddr,
        router: Router,
        certificate: Option<CertificateFiles>,
        limits: Limits,
    ) -> Result<Self, ServerError> {
        let certificate = certificate.map(Certificate::read).transpose()?;
        let listener = TcpListener::bind(address).await;
        Ok(Self {
            listener: listener.map_err(|source| ServerError::Listen { address, source })?,
            router,
            certificate: certificate.map(Arc::new),
            limits,
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// What reads the certificate again when it is called.
    pub fn renewal(&self) -> impl Fn() + Send + Sync + 'static {
        let certificate = self.certificate.clone();
        move || match certificate.as_deref().map(Certificate::read_again) {
            None => tracing::info!("there is no certificate that could be read again"),
            Some(Ok(())) => tracing::info!("the certificate was read again"),
            Some(Err(error)) => tracing::error!(
                "{error}; what is served goes on with the certificate as it was read before"
            ),
        }
    }

    /// Answers until `stop`, and then as long as clients may take for what they have begun.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub async fn serve(self, stop: CancellationToken) -> Result<(), ServerError> {
        let acceptor = self.certificate.as_ref().map(Certificate::acceptor);
        let acceptor = acceptor.transpose()?;
        let (limits, addresses) = (self.limits, Addresses::default());
        let places = Arc::new(Semaphore::new(limits.connections));
        let (clients, left) = (TaskTracker::new(), CancellationToken::new());
        loop {
            let accepted = async {
                // Never closed, so there is a place some time.
                let place = places.clone().acquire_owned().await.ok()?;
                Some((place, self.listener.accept().await))
            };
            let accepted = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                accepted = accepted => accepted,
            };
            let (place, stream, address) = match accepted {
                Some((place, Ok((stream, address)))) => (place, stream, address),
                Some((_, Err(error))) => {
                    tracing::warn!(%error, "a connection cannot be accepted");
                    sleep(PAUSE).await;
                    continue;
                }
                None => break,
            };
            let most = limits.of(address.ip());
            let Some(counted) = addresses.one_more(address.ip(), most) else {
                meters::refused();
                tracing::warn!(
                    client = %address.ip(), most,
                    "refused: it has too many connections; --connections-per-address allows more"
                );
                // A handshake of TLS is more than such a client may cost.
                if acceptor.is_none() {
                    clients.spawn(async move {
                        let _held = place;
                        if let Ok(Err(error)) = timeout(REFUSAL, refuse(stream)).await {
                            tracing::debug!(client = %address.ip(), %error, "not told that it is refused");
                        }
                    });
                }
                continue;
            };
            let client = Client {
                router: self.router.clone(),
                address,
                limits: limits.clone(),
                stop: stop.clone(),
            };
            let (acceptor, left) = (acceptor.clone(), left.clone());
            clients.spawn(async move {
                let _held = (place, counted, meters::Connection::begin());
                tokio::select! {
                    told = client.attend(stream, acceptor) => if let Err(error) = told {
                        tracing::debug!(client = %address.ip(), %error, "a connection broke off");
                    },
                    () = left.cancelled() => {}
                }
            });
        }
        clients.close();
        if timeout(limits.grace, clients.wait()).await.is_err() {
            tracing::warn!(
                connections = clients.len(),
                "connections that go on are closed"
            );
            left.cancel();
            clients.wait().await;
        }
        Ok(())
    }
}

/// Says that there are too many connections, and reads what the client had to say: a socket that is closed
/// before that takes the answer back.
async fn refuse(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(REFUSED).await?;
    stream.shutdown().await?;
    tokio::io::copy(&mut stream, &mut tokio::io::sink())
        .await
        .map(drop)
}

/// What one connection gets.
struct Client {
    router: Router,
    address: SocketAddr,
    limits: Limits,
    stop: CancellationToken,
}

impl Client {
    async fn attend(self, stream: TcpStream, acceptor: Option<TlsAcceptor>) -> io::Result<()> {
        // Answers are written whole, and the last packet of each shall not wait for another.
        stream.set_nodelay(true)?;
        let stream = Idle::new(stream, self.limits.idle);
        match acceptor {
            None => self.answer(stream).await,
            Some(acceptor) => {
                let stream = timeout(self.limits.head, acceptor.accept(stream));
                self.answer(stream.await.map_err(io::Error::from)??).await
            }
        }
    }

    async fn answer(self, stream: impl AsyncRead + AsyncWrite + Unpin + 'static) -> io::Result<()> {
        let mut connection = http1::Builder::new();
        connection
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head)
            .max_buf_size(LARGEST_HEAD);
        let (router, address) = (TowerToHyperService::new(self.router), self.address);
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(address));
            router.call(request)
        });
        let mut connection =
            std::pin::pin!(connection.serve_connection(TokioIo::new(stream), service));
        tokio::select! {
            ended = connection.as_mut() => return ended.map_err(io::Error::other),
            () = self.stop.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        connection.await.map_err(io::Error::other)
    }
}
