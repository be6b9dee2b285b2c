//! `store serve` as a process: what it says when it cannot serve, and what signals do to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::crypto::ring;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::CertificateDer;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_gentoo-updater");

/// A fleet with two platforms, the store of one of which is there, and a certificate.
fn fleet() -> TempDir {
    let folder = TempDir::new().unwrap();
    let path = folder.path();
    std::fs::create_dir(path.join("store")).unwrap();
    std::fs::write(path.join("store/Packages"), "PACKAGES: 0\n\n").unwrap();
    let text = format!(
        "[platforms.amd64]\nstore = {:?}\n[platforms.arm64]\nstore = {:?}\n\
         [builders.b1]\naddress = \"local\"\nplatform = \"amd64\"\n\
         [guests.g1]\naddress = \"ssh://g1\"\nplatform = \"amd64\"\n",
        path.join("store"),
        path.join("elsewhere"),
    );
    std::fs::write(path.join("fleet.toml"), text).unwrap();
    folder
}

fn certify(folder: &Path) -> CertifiedKey<KeyPair> {
    let own = generate_simple_self_signed(vec!["store".to_owned()]).unwrap();
    std::fs::write(folder.join("store.pem"), own.cert.pem()).unwrap();
    std::fs::write(folder.join("store.key"), own.signing_key.serialize_pem()).unwrap();
    own
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .args(["store", "serve", "--config", "fleet.toml"])
        .args(arguments)
        .current_dir(folder)
        .env_remove("RUST_LOG");
    command
}

fn ends(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let Output { status, stderr, .. } = command(folder, arguments).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stderr).unwrap())
}

/// A server that runs; killed when a test fails.
struct Serving {
    child: Child,
    log: BufReader<ChildStderr>,
    port: u16,
}

impl Serving {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        Self::of(command(folder, arguments))
    }

    fn of(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let line = until(&mut log, "served at ");
        let port = line.split("127.0.0.1:").nth(1).unwrap();
        let port = port.split('/').next().unwrap().parse().unwrap();
        Self { child, log, port }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", name, &pid])
                .status()
                .unwrap()
                .success()
        );
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended already, as it should.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn until(log: &mut impl BufRead, words: &str) -> String {
    let mut seen = String::new();
    loop {
        let mut line = String::new();
        assert!(
            log.read_line(&mut line).unwrap() > 0,
            "no {words:?} in {seen}"
        );
        if line.contains(words) {
            return line;
        }
        seen.push_str(&line);
    }
}

fn fetched(port: u16, trusted: &CertificateDer<'static>) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = ClientConnection::new(Arc::new(config), "store".try_into().unwrap()).unwrap();
    let mut stream = StreamOwned::new(client, TcpStream::connect(("127.0.0.1", port))?);
    stream
        .write_all(b"GET /amd64/Packages HTTP/1.1\r\nHost: store\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn a_renewed_certificate_is_shown_after_sighup_and_sigterm_ends_it_well() {
    let folder = fleet();
    let first = certify(folder.path());
    let files = ["--certificate", "store.pem", "--key", "store.key"];
    let listen = ["--listen", "127.0.0.1:0"];
    let mut serving = Serving::start(folder.path(), &[&listen[..], &files].concat());
    let answer = fetched(serving.port, first.cert.der()).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("PACKAGES: 0\n\n"),
        "{answer}"
    );

    let second = certify(folder.path());
    serving.signal("HUP");
    until(&mut serving.log, "the certificate was read again");
    assert!(fetched(serving.port, second.cert.der()).is_ok());
    assert!(fetched(serving.port, first.cert.der()).is_err());
    std::fs::write(folder.path().join("store.pem"), "nonsense").unwrap();
    serving.signal("HUP");
    until(
        &mut serving.log,
        "goes on with the certificate as it was read before",
    );
    assert!(fetched(serving.port, second.cert.der()).is_ok());

    serving.signal("TERM");
    assert_eq!(serving.child.wait().unwrap().code(), Some(0));
}

/// A service manager is a socket that takes datagrams.
#[test]
fn a_service_manager_is_told_when_it_serves_that_it_lives_and_when_it_stops() {
    let folder = fleet();
    let socket = folder.path().join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let heard = || {
        let mut datagram = [0; 4096];
        let length = manager.recv(&mut datagram).unwrap();
        String::from_utf8(datagram[..length].to_vec()).unwrap()
    };
    let mut command = command(folder.path(), &["--listen", "127.0.0.1:0"]);
    command
        .env("NOTIFY_SOCKET", &socket)
        .env("WATCHDOG_USEC", "200000");
    let serving = Serving::of(command);

    let first = heard();
    assert_eq!(first, "READY=1\nWATCHDOG=1\nSTATUS=serves\n");
    for _ in 0..3 {
        assert_eq!(heard(), "WATCHDOG=1\n");
    }
    serving.signal("TERM");
    let mut last = heard();
    while last == "WATCHDOG=1\n" {
        last = heard();
    }
    assert!(last.starts_with("STOPPING=1\nSTATUS=stops"), "{last}");
}

#[test]
fn what_keeps_it_from_serving_is_named_with_the_remedy() {
    let folder = fleet();
    let path = folder.path();
    certify(path);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let files = ["--certificate", "store.pem", "--key"];
    let with_key = |key| [&files[..], &[key]].concat();
    let at_taken = ["--listen", taken.as_str()];
    for (arguments, code, words) in [
        (
            &[][..],
            64,
            "--certificate and --key; or listen on 127.0.0.1",
        ),
        (&at_taken, 2, "cannot be listened on"),
        (&["--platform", "x86"], 64, "there is no platform x86"),
        (
            &with_key("none.key"),
            2,
            "none.key cannot be used: No such file",
        ),
        (&with_key("store.pem"), 2, "store.pem cannot be used"),
        (
            &["--platform", "arm64", "--plain-http"],
            2,
            "the store of arm64",
        ),
        (
            &["--plain-http", "--certificate", "a", "--key", "b"],
            64,
            "cannot be used with",
        ),
    ] {
        let (said_code, said) = ends(path, arguments);
        assert!(said.contains(words), "{arguments:?}: {said}");
        assert_eq!(said_code, code, "{arguments:?}: {said}");
    }
    std::fs::remove_dir_all(path.join("store")).unwrap();
    let (code, said) = ends(path, &["--listen", "127.0.0.1:0"]);
    assert!(
        said.contains("none of the stores lies on this machine"),
        "{said}"
    );
    assert_eq!(code, 2);
}

#[test]
fn without_a_certificate_it_warns_and_serves_what_is_there() {
    let folder = fleet();
    let mut serving = Serving::start(folder.path(), &["--listen", "127.0.0.1:0"]);
    until(&mut serving.log, "not encrypted");
    let mut stream = TcpStream::connect(("127.0.0.1", serving.port)).unwrap();
    stream
        .write_all(b"GET /arm64/Packages HTTP/1.0\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.0 404"), "{answer}");
}
