//! Our verdict on servers, beside that of OpenSSH's client, on generated known_hosts files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;

use gentoo_updater_hosts::{HostAddress, HostError, SshSettings, connect};
use proptest::prelude::*;

use crate::certificates::certify;
use crate::known_hosts::{hash_names, strict_ssh};
use crate::seed::for_each;
use crate::server::{KINDS, Server, generate_key, public_key};

/// The certificates of the servers: by which authority, and how.
const CERTIFICATES: [Option<(&str, &[&str])>; 8] = [
    None,
    Some(("ca_ed25519", NAMELESS)),
    Some(("ca_ed25519", &["-n", "127.0.0.1", "-V", "-1h:+1h"])),
    Some(("ca_rsa", &["-n", "web1,127.0.0.1", "-V", "always:forever"])),
    Some(("ca_ecdsa521", &["-n", "127.0.0.1"])),
    Some((
        "ca_ed25519",
        &["-n", "127.0.0.1", "-V", "20200101:20210101"],
    )),
    Some(("ca_ed25519", &["-n", "127.0.0.1", "-V", "+1d:+2d"])),
    Some(("ca_ed25519", &["-n", "web1,127.0.0.*", "-V", "-1h:+1h"])),
];

/// A certificate that names no machine.
const NAMELESS: &[&str] = &["-V", "-1h:+1h"];

/// The authorities.
const AUTHORITIES: [&str; 4] = ["ed25519", "rsa", "ecdsa521", "ecdsa"];

#[derive(Debug, Clone)]
struct Line {
    marker: &'static str,
    names: Vec<&'static str>,
    between: &'static str,
    key: usize,
    spoilt: u8,
    end: &'static str,
}

fn line() -> impl Strategy<Value = Line> {
    let marker = prop::sample::select(vec![
        "",
        "",
        "",
        "",
        "",
        "@cert-authority ",
        "@cert-authority ",
        "@cert-authority ",
        "@revoked ",
        "@cert-authority  ",
        "@cert-authority\t",
        "@revoked\t",
        "@strange ",
        " ",
        "\t",
        "# ",
    ]);
    let name = prop::sample::select(vec![
        "[127.0.0.1]:PORT",
        "[127.0.0.1]:PORT",
        "[127.0.0.1]:PORT",
        "127.0.0.1",
        "127.0.0.1",
        "*",
        "127.0.0.*",
        "[127.0.0.*]:PORT",
        "[127.0.0.?]:*",
        "[*]:PORT",
        "![127.0.0.1]:PORT",
        "!*",
        "!127.0.0.1",
        "[127.0.0.1]:1",
        "web1",
        "!web1",
        "",
    ]);
    let names = prop::collection::vec(name, 1..3);
    let between = prop::sample::select(vec![" ", " ", " ", "\t", "  ", " \t "]);
    let end = prop::sample::select(vec!["\n", "\n", "\r\n", " a comment\n", "\tx y\r\n"]);
    // One key in ten is spoilt, in one of five ways.
    (
        marker,
        names,
        between,
        any::<prop::sample::Index>(),
        0..50_u8,
        end,
    )
        .prop_map(|(marker, names, between, key, spoilt, end)| Line {
            marker,
            names,
            between,
            key: key.index(KEYS),
            spoilt,
            end,
        })
}

/// The keys of the servers, four others, and those of the authorities.
const KEYS: usize = KINDS.len() + 4 + AUTHORITIES.len();

fn text(line: &Line, port: u16, keys: &[String]) -> String {
    let names = line.names.join(",").replace("PORT", &port.to_string());
    let key = &keys[line.key];
    let key = match line.spoilt {
        0 => key[..key.len() - 5].to_owned(),
        1 => key.replacen("ssh-", "xsh-", 1),
        2 => key.replacen("ecdsa-sha2-nistp256", "ssh-ed25519", 1),
        3 => key.split(' ').next().unwrap().to_owned(),
        4 => String::new(),
        _ => key.clone(),
    };
    let key = key.replacen(' ', line.between, 1);
    let Line {
        marker,
        between,
        end,
        ..
    } = line;
    format!("{marker}{names}{between}{key}{end}")
}

/// One set of host keys behind one server for each of [`CERTIFICATES`].
struct Servers {
    authorities: tempfile::TempDir,
    servers: Vec<Server>,
}

impl Servers {
    fn start() -> Self {
        let authorities = tempfile::tempdir().unwrap();
        for kind in AUTHORITIES {
            generate_key(kind, &authorities.path().join(format!("ca_{kind}")));
        }
        for kind in ["ed25519", "ecdsa", "ecdsa384", "rsa"] {
            generate_key(kind, &authorities.path().join(format!("other_{kind}")));
        }
        let mut servers: Vec<Server> = Vec::new();
        for certificates in CERTIFICATES {
            let server = Server::start_prepared(|folder| {
                if let Some(first) = servers.first() {
                    for kind in KINDS {
                        for name in [format!("host_{kind}"), format!("host_{kind}.pub")] {
                            fs::copy(first.path(&name), folder.join(name)).unwrap();
                        }
                    }
                }
                certificates.map_or_else(String::new, |(authority, options)| {
                    certify(folder, &authorities.path().join(authority), options)
                })
            });
            servers.push(server);
        }
        Self {
            authorities,
            servers,
        }
    }

    fn keys(&self) -> Vec<String> {
        let at = |prefix: &str, kind: &str| -> PathBuf {
            self.authorities.path().join(format!("{prefix}_{kind}"))
        };
        let own = KINDS.map(|kind| self.servers[0].host_key(kind));
        let others = ["ed25519", "ecdsa", "ecdsa384", "rsa"];
        let others = others.map(|kind| public_key(&at("other", kind)));
        let authorities = AUTHORITIES.map(|kind| public_key(&at("ca", kind)));
        own.into_iter().chain(others).chain(authorities).collect()
    }
}

/// Whether OpenSSH's client would log in: it is let go as far as that, and no farther.
fn taken_by_ssh(server: &Server, known_hosts: &Path) -> bool {
    let output = strict_ssh(known_hosts)
        .args(["-o", "PreferredAuthentications=none"])
        .args(["-p", &server.port.to_string(), "127.0.0.1", "true"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let taken = said.contains("Permission denied");
    let refused = said.contains("Host key verification failed")
        || said.contains("Host key has been revoked")
        || said.contains("is revoked");
    assert!(taken != refused, "{said}");
    taken
}

async fn taken_by_us(server: &Server, known_hosts: &Path) -> Result<bool, HostError> {
    let settings = SshSettings {
        known_hosts: vec![known_hosts.to_owned()],
        identity_files: Some(Vec::new()),
        ..server.settings()
    };
    match connect(&HostAddress::Ssh(server.ssh_address()), &settings).await {
        Err(HostError::AuthenticationRefused { .. }) => Ok(true),
        Err(error) if error.is_about_the_host_key() => Ok(false),
        Err(error) => Err(error),
        Ok(_) => panic!("logged in without a key"),
    }
}

#[test]
fn on_two_hundred_files_we_take_and_refuse_what_the_ssh_client_takes_and_refuses() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let servers = Servers::start();
    let keys = servers.keys();
    let folder = tempfile::tempdir().unwrap();
    let known_hosts = folder.path().join("known_hosts");
    let verdicts = Mutex::new(BTreeMap::new());
    let input = (
        prop::collection::vec(line(), 1..7),
        0..CERTIFICATES.len(),
        prop::bool::weighted(0.25),
    );
    for_each(200, &input, |(lines, number, hashed)| {
        let server = &servers.servers[number];
        let lines = lines.iter().map(|line| text(line, server.port, &keys));
        fs::write(&known_hosts, lines.collect::<String>()).unwrap();
        if hashed {
            hash_names(&known_hosts);
        }
        let text = fs::read_to_string(&known_hosts).unwrap();
        let theirs = taken_by_ssh(server, &known_hosts);
        let ours = runtime
            .block_on(taken_by_us(server, &known_hosts))
            .map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
        *verdicts
            .lock()
            .unwrap()
            .entry((number, theirs))
            .or_insert(0) += 1;
        // The two differences: a tab may end this marker, while OpenSSH does not see the line; and
        // a certificate without names is for no machine, while OpenSSH 9.2 takes it for all.
        let nameless = CERTIFICATES[number].is_some_and(|(_, options)| options == NAMELESS);
        let to_the_safe_side = theirs && !ours && (nameless || text.contains("@revoked\t"));
        prop_assert!(
            ours == theirs || to_the_safe_side,
            "ssh takes it: {theirs}, we: {ours}, with the certificates {:?}:\n{text}",
            CERTIFICATES[number]
        );
        Ok(())
    });
    // Both verdicts came up on every server, or the inputs say little.
    let verdicts = verdicts.into_inner().unwrap();
    assert_eq!(verdicts.len(), 2 * CERTIFICATES.len(), "{verdicts:?}");
}
