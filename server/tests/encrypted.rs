//! The same over TLS, with certificates that change while it is served.

#![allow(clippy::unwrap_used, clippy::panic)]

#[allow(dead_code)]
mod support;

use std::fs::write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gentoo_updater_server::{CertificateFiles, Limits, Options, Server};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use support::{Served, status_of, store};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

fn certified() -> CertifiedKey<KeyPair> {
    generate_simple_self_signed(vec!["store.example.net".to_owned()]).unwrap()
}

fn written(own: &CertifiedKey<KeyPair>, folder: &Path) -> CertificateFiles {
    let files = CertificateFiles {
        certificate: folder.join("store.pem"),
        key: folder.join("store.key"),
    };
    write(&files.certificate, own.cert.pem()).unwrap();
    write(&files.key, own.signing_key.serialize_pem()).unwrap();
    files
}

/// What is said to who trusts this certificate alone.
async fn said_to(
    served: &Served,
    trusted: &CertificateDer<'static>,
    request: &str,
) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let name = "store.example.net".try_into().unwrap();
    let mut stream = connector.connect(name, served.connect().await).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

const REQUEST: &str =
    "GET /amd64/Packages HTTP/1.1\r\nHost: store.example.net\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn a_certificate_that_was_renewed_is_shown_without_a_restart_and_a_broken_one_is_not() {
    let folder = store();
    let (first, second) = (certified(), certified());
    let files = written(&first, folder.path());
    let served = Served::start(folder, Some(files.clone()), Limits::default()).await;
    let answer = said_to(&served, first.cert.der(), REQUEST).await.unwrap();
    assert_eq!(status_of(&answer), 200, "{answer}");
    assert!(answer.ends_with("PACKAGES: 0\n\n"), "{answer}");
    assert!(said_to(&served, second.cert.der(), REQUEST).await.is_err());

    written(&second, served.folder.path());
    assert!(
        said_to(&served, second.cert.der(), REQUEST).await.is_err(),
        "not told yet"
    );
    (served.renew)();
    assert!(said_to(&served, second.cert.der(), REQUEST).await.is_ok());
    assert!(said_to(&served, first.cert.der(), REQUEST).await.is_err());

    // A key of another certificate, as between the two steps of a renewal.
    write(&files.key, first.signing_key.serialize_pem()).unwrap();
    (served.renew)();
    assert!(
        said_to(&served, second.cert.der(), REQUEST).await.is_ok(),
        "it goes on"
    );
    served.end().await;
}

#[tokio::test]
async fn who_speaks_no_tls_or_nothing_at_all_is_let_go() {
    let folder = store();
    let own = certified();
    let files = written(&own, folder.path());
    let limits = Limits {
        connections: 1,
        head: Duration::from_millis(300),
        ..Limits::default()
    };
    let served = Served::start(folder, Some(files), limits).await;
    let answer = served.get("/amd64/Packages", "").await;
    assert!(!answer.contains("PACKAGES"), "{answer}");
    let silent = served.connect().await;
    let limit = Duration::from_secs(20);
    let asked = tokio::time::timeout(limit, said_to(&served, own.cert.der(), REQUEST)).await;
    assert!(asked.expect("the one place becomes free").is_ok());
    drop(silent);
    served.end().await;
}

#[tokio::test]
async fn a_port_that_is_taken_and_a_store_that_is_not_there_are_named() {
    let served = Served::plain().await;
    let options = |port, store: &Path| Options {
        listen: ([127, 0, 0, 1], port).into(),
        stores: [("amd64".to_owned(), store.to_owned())].into(),
        certificate: None,
        limits: Limits::default(),
    };
    let error = async |options| Server::open(options).await.err().unwrap().to_string();
    let taken = error(options(served.address.port(), &served.store())).await;
    assert!(
        taken.contains(&served.address.to_string()) && taken.contains("--listen"),
        "{taken}"
    );
    let missing = error(options(0, Path::new("/nowhere"))).await;
    assert!(
        missing.contains("the store of amd64, /nowhere, cannot be opened"),
        "{missing}"
    );
    served.end().await;
}
