//! Encrypted connections, and certificates that are not trusted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use gentoo_updater_bus::amqp::{Amqp, BrokerSettings, Examination, Unreached, examine};
use gentoo_updater_bus::{Bus, BusError, Position};
use tempfile::TempDir;

use crate::examine::examination;
use crate::support::messages::within;
use crate::support::*;

/// An authority with a certificate for a server that is called `localhost`.
struct Authority {
    directory: TempDir,
}

impl Authority {
    fn new(name: &str) -> Self {
        let authority = Self {
            directory: TempDir::new().unwrap(),
        };
        let subject = format!("/CN={name}");
        authority.openssl(&[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
            "-subj",
            &subject,
        ]);
        authority.openssl(&[
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            "server.key",
            "-out",
            "server.csr",
            "-subj",
            "/CN=localhost",
        ]);
        fs::write(authority.path("names"), "subjectAltName=DNS:localhost\n").unwrap();
        authority.openssl(&[
            "x509",
            "-req",
            "-in",
            "server.csr",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-days",
            "2",
            "-extfile",
            "names",
            "-out",
            "server.pem",
        ]);
        authority
    }

    fn openssl(&self, arguments: &[&str]) {
        let made = Command::new("openssl")
            .args(arguments)
            .current_dir(self.directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("openssl is needed");
        assert!(made.success(), "openssl {arguments:?}");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The lines of `rabbitmq.conf` for a listener with the server's certificate.
    fn listener(port: u16) -> String {
        format!(
            "listeners.ssl.1 = 127.0.0.1:{port}\n\
             ssl_options.cacertfile = {{folder}}/ca.pem\n\
             ssl_options.certfile = {{folder}}/server.pem\n\
             ssl_options.keyfile = {{folder}}/server.key\n\
             ssl_options.verify = verify_none\n"
        )
    }
}

fn encrypted(vhost: &Vhost, host: &str, port: u16, ca: Option<&Path>) -> BrokerSettings {
    BrokerSettings {
        ca: ca.map(Path::to_owned),
        ..settings(format!("amqps://guest:guest@{host}:{port}/{}", vhost.name))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_is_reached_over_tls_by_its_name_and_its_authority_and_by_no_other() {
    let (authority, stranger) = (Authority::new("fleet"), Authority::new("stranger"));
    let port = free_port();
    let files = ["ca.pem", "server.pem", "server.key"].map(|name| authority.path(name));
    let broker = Broker::start_with_files(&files, &Authority::listener(port));
    let vhost = broker.vhost();
    let ca = authority.path("ca.pem");
    let bus = within(Amqp::open(encrypted(&vhost, "localhost", port, Some(&ca))));
    let bus = Arc::new(bus.await.unwrap());
    let ids = published(&bus, 3).await;
    assert_eq!(history_of(&bus, Position::First, 3).await, ids);
    bus.close().await;

    let stranger = stranger.path("ca.pem");
    // The certificate is for another name, of another authority, and of none that is known.
    for (host, ca, why) in [
        ("127.0.0.1", Some(ca.as_path()), "not valid for name"),
        (
            "localhost",
            Some(stranger.as_path()),
            "invalid peer certificate",
        ),
        ("localhost", None, ""),
    ] {
        let refused = within(Amqp::open(encrypted(&vhost, host, port, ca))).await;
        let error = refused.err().unwrap();
        assert!(
            matches!(error, BusError::Untrusted { .. }),
            "{host} {ca:?}: {error}"
        );
        let told = error.to_string();
        assert!(told.contains(why) && told.contains("broker.ca"), "{told}");
    }

    // Until when it is valid is seen whoever has signed it: it was made for two days.
    let encrypted = encrypted(&vhost, "localhost", port, Some(&stranger));
    let examination = Examination {
        ca: encrypted.ca,
        ..examination(encrypted.url)
    };
    let examined = within(examine(&examination)).await.unwrap();
    let now = jiff::Timestamp::now().as_second();
    let left = examined.certificate_expires.unwrap() - now;
    assert!((24 * 3600..=2 * 24 * 3600).contains(&left), "{left} s");
    assert_eq!(examined.version, Some(broker.version()));
    assert!(
        matches!(
            examined.topology,
            Err(Unreached::Fatal(BusError::Untrusted { .. }))
        ),
        "{:?}",
        examined.topology
    );
}
