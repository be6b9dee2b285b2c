//! A server on a port of its own, with a store that holds what may be given and what may not.

use std::fs::{create_dir_all, write};
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use gentoo_updater_server::{CertificateFiles, Limits, Options, Server, ServerError};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A server that serves. `end` stops it, and fails where it does not end well.
pub(crate) struct Served {
    pub(crate) folder: TempDir,
    pub(crate) address: SocketAddr,
    pub(crate) renew: Box<dyn Fn() + Send + Sync>,
    stop: CancellationToken,
    serving: JoinHandle<Result<(), ServerError>>,
}

impl Served {
    pub(crate) async fn plain() -> Self {
        Self::with(Limits::default()).await
    }

    pub(crate) async fn with(limits: Limits) -> Self {
        Self::start(store(), None, limits).await
    }

    pub(crate) async fn start(
        folder: TempDir,
        certificate: Option<CertificateFiles>,
        limits: Limits,
    ) -> Self {
        let options = Options {
            listen: ([127, 0, 0, 1], 0).into(),
            stores: [("amd64".to_owned(), folder.path().join("store"))].into(),
            certificate,
            limits,
        };
        let server = Server::open(options).await.unwrap();
        let (address, stop) = (server.address().unwrap(), CancellationToken::new());
        Self {
            folder,
            address,
            renew: Box::new(server.renewal()),
            stop: stop.clone(),
            serving: tokio::spawn(server.serve(stop)),
        }
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    pub(crate) async fn end(self) {
        self.stop.cancel();
        self.serving.await.unwrap().unwrap();
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str, headers: &str) -> String {
        self.ask("GET", path, headers).await
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &str) -> String {
        let close = "Host: store\r\nConnection: close\r\n";
        let request = format!("{method} {path} HTTP/1.1\r\n{close}{headers}\r\n");
        self.raw(request.as_bytes()).await
    }

    /// Sends these bytes, and gives all that comes back.
    pub(crate) async fn raw(&self, request: &[u8]) -> String {
        let mut stream = self.connect().await;
        let mut answer = Vec::new();
        // Who is closed while it writes or reads has got what there is.
        let _ = stream.write_all(request).await;
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }
}

pub(crate) fn status_of(answer: &str) -> u16 {
    let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok());
    status.unwrap_or_else(|| panic!("no status: {answer:?}"))
}

pub(crate) fn head_of(answer: &str) -> &str {
    answer.split("\r\n\r\n").next().unwrap_or_default()
}

/// A store, and beside it what must never be seen.
pub(crate) fn store() -> TempDir {
    let folder = TempDir::new().unwrap();
    let store = folder.path().join("store");
    for below in [
        "app-misc/hello",
        ".gentoo-updater/keys",
        ".gentoo-updater/incoming",
    ] {
        create_dir_all(store.join(below)).unwrap();
    }
    let binary = "app-misc/hello/hello-2.0-3.gpkg.tar";
    write(store.join(binary), "0123456789").unwrap();
    write(
        store.join(format!("{binary}._checksum_failure_.x")),
        "secret",
    )
    .unwrap();
    write(store.join("Packages"), "PACKAGES: 0\n\n").unwrap();
    write(store.join(".gentoo-updater/keys/key.json"), "secret").unwrap();
    write(store.join(".gentoo-updater/incoming/half.xpak"), "secret").unwrap();
    write(store.join(".hidden.xpak"), "secret").unwrap();
    let outside = folder.path().join("outside");
    create_dir_all(&outside).unwrap();
    write(outside.join("secret.xpak"), "secret").unwrap();
    write(folder.path().join("secret.xpak"), "secret").unwrap();
    symlink("../secret.xpak", store.join("linked.xpak")).unwrap();
    symlink(&outside, store.join("out")).unwrap();
    folder
}
