//! `fetch.py` with the real server, on this machine.

use std::fs::{create_dir_all, read, read_dir, write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gentoo_updater_fleet::config;
use gentoo_updater_hosts::{HostAddress, SshSettings, connect};
use gentoo_updater_server::{CertificateFiles, Limits, Options, Server};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::proof::tests::{order, package};

const HELLO: &str = "app-misc/hello/hello-2.0-3.gpkg.tar";

/// A store that is served, a guest's folder, and an order of what is in the store.
struct Scene {
    folder: TempDir,
    address: SocketAddr,
    stop: CancellationToken,
    order: InstallPackages,
}

impl Scene {
    async fn start(sizes: &[(&str, usize)], certified: bool) -> Self {
        let folder = TempDir::new().unwrap();
        let store = folder.path().join("store");
        create_dir_all(&store).unwrap();
        write(store.join("Packages"), "PACKAGES: 0\n\n").unwrap();
        let packages = sizes.iter().map(|(name, size)| {
            let mut package = package(name, 3, &[]);
            let content: Vec<u8> = (0..*size).map(|place| (place * 7 % 251) as u8).collect();
            let path = package.binary.path.below(&store);
            create_dir_all(path.parent().unwrap()).unwrap();
            write(path, &content).unwrap();
            package.binary.size = *size as u64;
            let digest = Sha256::digest(&content);
            let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            package.binary.sha256 = digest.parse().unwrap();
            package
        });
        let order = order(packages.collect());
        let files = CertificateFiles {
            certificate: folder.path().join("store.pem"),
            key: folder.path().join("store.key"),
        };
        if certified {
            let names = vec!["localhost".to_owned()];
            let own = rcgen::generate_simple_self_signed(names).unwrap();
            write(&files.certificate, own.cert.pem()).unwrap();
            write(&files.key, own.signing_key.serialize_pem()).unwrap();
        }
        let options = Options {
            listen: ([127, 0, 0, 1], 0).into(),
            stores: [("p".to_owned(), store)].into(),
            certificate: certified.then_some(files),
            limits: Limits::default(),
        };
        let server = Server::open(options).await.unwrap();
        let (address, stop) = (server.address().unwrap(), CancellationToken::new());
        tokio::spawn(server.serve(stop.clone()));
        Self {
            folder,
            address,
            stop,
            order,
        }
    }

    fn remote(&self, url: &str, trusted: Option<PathBuf>) -> Remote {
        let file = self.folder.path().join("fleet.toml");
        let text = format!(
            "[platforms.p]\nurl = {url:?}\n[builders.b]\naddress = \"local\"\n[guests.g]\naddress = \"ssh://g\"\n"
        );
        write(&file, text).unwrap();
        let settings = config::load(&file).unwrap();
        let url = settings.platforms.values().next().unwrap().url.clone();
        let mut remote = Remote::new(url.unwrap(), None, LIMIT);
        remote.trusted = trusted;
        remote
    }

    async fn fetch(&self, remote: &Remote) -> Result<(), Failure> {
        let host = connect(&HostAddress::Local, &SshSettings::default())
            .await
            .unwrap();
        let folder = self.fetched("").display().to_string();
        remote.fetch_into(host.as_ref(), &self.order, &folder).await
    }

    async fn fetch_plainly(&self) -> Result<(), Failure> {
        self.fetch(&self.remote(&format!("http://{}/p", self.address), None))
            .await
    }

    fn store(&self, path: &str) -> PathBuf {
        self.folder.path().join("store").join(path)
    }

    fn fetched(&self, path: &str) -> PathBuf {
        self.folder.path().join("fetched").join(path)
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[tokio::test]
async fn exactly_the_ordered_files_are_fetched_and_what_was_there_from_before_goes() {
    let scene = Scene::start(
        &[("app-misc/hello-2.0", 3), ("app-misc/large-1", 700_000)],
        false,
    )
    .await;
    write(scene.store("other-1.xpak"), "other").unwrap();
    create_dir_all(scene.fetched("dev-libs")).unwrap();
    write(scene.fetched("dev-libs/old-1.xpak"), "old").unwrap();
    create_dir_all(scene.fetched("app-misc/hello")).unwrap();
    write(scene.fetched(HELLO), "bad").unwrap();
    scene.fetch_plainly().await.unwrap();
    for path in [HELLO, "app-misc/large/large-1-3.gpkg.tar", "Packages"] {
        assert_eq!(
            read(scene.fetched(path)).unwrap(),
            read(scene.store(path)).unwrap(),
            "{path}"
        );
    }
    let entries = read_dir(scene.fetched("")).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, [".lock", "Packages", "app-misc"]);

    // What is there is not fetched again: the server has it no more.
    std::fs::remove_file(scene.store(HELLO)).unwrap();
    write(scene.store("Packages"), "PACKAGES: 1\n\n").unwrap();
    scene.fetch_plainly().await.unwrap();
    assert_eq!(read(scene.fetched("Packages")).unwrap(), b"PACKAGES: 1\n\n");
}

#[tokio::test]
async fn a_connection_that_breaks_again_and_again_is_gone_on_with_where_it_broke() {
    const SIZE: usize = 1_000_000;
    let scene = Scene::start(&[("app-misc/hello-2.0", SIZE)], false).await;
    let (cutting, carried) = cutter(scene.address, 150_000).await;
    scene
        .fetch(&scene.remote(&format!("http://{cutting}/p"), None))
        .await
        .unwrap();
    assert_eq!(
        read(scene.fetched(HELLO)).unwrap(),
        read(scene.store(HELLO)).unwrap()
    );
    let carried = carried.load(Ordering::SeqCst);
    assert!(carried < SIZE * 3 / 2, "{carried} bytes came for {SIZE}");
}

/// Passes on what a server says, and closes each connection after so many bytes of it.
async fn cutter(server: SocketAddr, most: u64) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, carried) = (
        listener.local_addr().unwrap(),
        Arc::new(AtomicUsize::new(0)),
    );
    let count = carried.clone();
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let server = TcpStream::connect(server).await.unwrap();
            let (mut from_client, mut to_client) = client.into_split();
            let (from_server, mut to_server) = server.into_split();
            let asking = tokio::spawn(async move {
                // Until either of them is closed.
                let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
            });
            let mut answer = from_server.take(most);
            let bytes = tokio::io::copy(&mut answer, &mut to_client)
                .await
                .unwrap_or(0);
            count.fetch_add(bytes as usize, Ordering::SeqCst);
            let _ = to_client.shutdown().await;
            asking.abort();
        }
    });
    (address, carried)
}

#[tokio::test]
async fn what_is_left_of_an_earlier_try_is_used_only_where_it_belongs() {
    let scene = Scene::start(&[("app-misc/hello-2.0", 1000)], false).await;
    let whole = read(scene.store(HELLO)).unwrap();
    let sha256 = scene.order.packages[0].binary.sha256.to_string();
    let partial = scene.fetched(".partial").join(sha256);
    for left in [&whole[..400], &whole[..], &[1; 400], &[1; 1000], &[1; 5000]] {
        if scene.fetched(HELLO).exists() {
            std::fs::remove_file(scene.fetched(HELLO)).unwrap();
        }
        create_dir_all(scene.fetched(".partial")).unwrap();
        write(&partial, left).unwrap();
        scene.fetch_plainly().await.unwrap();
        assert_eq!(
            read(scene.fetched(HELLO)).unwrap(),
            whole,
            "{} bytes left",
            left.len()
        );
    }
}

#[tokio::test]
async fn what_the_server_has_otherwise_or_not_at_all_is_named() {
    let scene = Scene::start(&[("app-misc/hello-2.0", 1000)], false).await;
    let whole = read(scene.store(HELLO)).unwrap();
    for content in [vec![1; 1000], vec![1; 999], vec![1; 1001]] {
        write(scene.store(HELLO), content).unwrap();
        let failure = scene.fetch_plainly().await.unwrap_err();
        assert_eq!(failure.cause, "BinaryCorrupt", "{failure}");
        assert!(failure.message.contains(HELLO), "{failure}");
        assert!(
            !scene.fetched(HELLO).exists(),
            "nothing is there that was not ordered"
        );
    }
    std::fs::remove_file(scene.store(HELLO)).unwrap();
    let failure = scene.fetch_plainly().await.unwrap_err();
    assert_eq!(failure.cause, "StoreLacksBinary", "{failure}");
    assert!(
        failure.is_of_stored_binary() && failure.message.contains("404"),
        "{failure}"
    );
    write(scene.store(HELLO), whole).unwrap();
    std::fs::remove_file(scene.store("Packages")).unwrap();
    let failure = scene.fetch_plainly().await.unwrap_err();
    assert!(failure.message.contains("Packages"), "{failure}");

    let nobody = scene.remote("http://127.0.0.1:1/p", None);
    let failure = scene.fetch(&nobody).await.unwrap_err();
    assert_eq!(
        (failure.cause.as_str(), failure.class),
        ("StoreUnreachable", FailureClass::Machine)
    );
    assert!(failure.message.contains("store serve"), "{failure}");
}

#[tokio::test]
async fn a_certificate_counts_when_its_authority_and_its_name_do() {
    let scene = Scene::start(&[("app-misc/hello-2.0", 1000)], true).await;
    let port = scene.address.port();
    let own = Some(scene.folder.path().join("store.pem"));
    let url = format!("https://localhost:{port}/p");
    let other_name = format!("https://127.0.0.1:{port}/p");
    for (url, trusted) in [(&url, None), (&other_name, own.clone())] {
        let failure = scene.fetch(&scene.remote(url, trusted)).await.unwrap_err();
        let what = (failure.cause.as_str(), failure.class);
        assert_eq!(
            what,
            ("StoreNotTrusted", FailureClass::Permanent),
            "{failure}"
        );
        assert!(failure.message.contains("url_ca"), "{failure}");
    }
    scene.fetch(&scene.remote(&url, own)).await.unwrap();
    assert_eq!(
        read(scene.fetched(HELLO)).unwrap(),
        read(scene.store(HELLO)).unwrap()
    );
}

#[tokio::test]
async fn a_server_that_has_too_many_clients_is_asked_again_after_a_while() {
    let scene = Scene::start(&[("app-misc/hello-2.0", 1000)], false).await;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/p", listener.local_addr().unwrap());
    let server = scene.address;
    tokio::spawn(async move {
        for _ in 0..2 {
            let (mut client, _) = listener.accept().await.unwrap();
            let _ = client.read(&mut [0; 1024]).await.unwrap();
            let refusal = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
            client.write_all(refusal).await.unwrap();
        }
        let (mut client, _) = listener.accept().await.unwrap();
        let mut server = TcpStream::connect(server).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
    });
    let begun = std::time::Instant::now();
    scene.fetch(&scene.remote(&url, None)).await.unwrap();
    assert!(scene.fetched(HELLO).exists());
    // A second, and then two.
    assert!(begun.elapsed() >= Duration::from_secs(3));
}
