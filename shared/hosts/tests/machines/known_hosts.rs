//! Our reading of known_hosts beside that of OpenSSH's own tools.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use gentoo_updater_hosts::ssh::known_hosts::{HostNames, KnownHosts};
use proptest::prelude::*;

use crate::seed::for_each;
use crate::server::{KINDS, Server, generate_key, public_key, tool};

/// The numbers of the lines that `ssh-keygen -F` finds; with `-l` it reads the keys too.
fn found_by_ssh_keygen(file: &Path, name: &str) -> Vec<usize> {
    let output = Command::new("ssh-keygen")
        .args(["-l", "-F", name, "-f"])
        .arg(file)
        .output()
        .unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .filter_map(|line| line.strip_prefix("# Host ")?.split_once(" found: line "))
        .map(|(_, rest)| rest.split(' ').next().unwrap().parse().unwrap())
        .collect()
}

fn found_by_us(file: &Path, name: &str) -> Vec<usize> {
    let mut known = KnownHosts::default();
    known.add(file, &fs::read(file).unwrap());
    let found: Vec<usize> = known.entries_for(name).map(|entry| entry.line).collect();
    let of_one = KnownHosts::load_for(&HostNames::alias(name), &[file.to_owned()]).unwrap();
    let read: Vec<usize> = of_one.entries().iter().map(|entry| entry.line).collect();
    assert_eq!(read, found, "{name}, where its lines alone are read");
    found
}

/// Hashes the names in a file. `ssh-keygen` refuses files with lines that it cannot read, and leaves
/// them as they are.
pub(crate) fn hash_names(file: &Path) {
    Command::new("ssh-keygen")
        .args(["-q", "-H", "-f"])
        .arg(file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
}

/// One line of a known_hosts file, good or bad, from parts that trip readers up.
fn line(keys: Vec<String>) -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "web1",
        "WEB1",
        "web2",
        "web?",
        "*",
        "w*1",
        "[web1]:2222",
        "[web*]:2222",
        "[*]:*",
        "10.0.0.1",
        "10.0.0.*",
        "[10.0.0.1]:24",
        "!web1",
        "!web*",
        "![web1]:2222",
        "",
        "!",
    ]);
    let names = prop::collection::vec(name, 1..4).prop_map(|names| names.join(","));
    let marker = prop::sample::select(vec![
        "",
        "",
        "",
        "",
        "@revoked ",
        "@cert-authority ",
        "@strange ",
        "@revoked @cert-authority ",
        " ",
        "\t",
        "# ",
    ]);
    let between = || prop::sample::select(vec![" ", " ", "\t", "  ", " \t ", ""]);
    let mut keys = keys;
    let good = keys.clone();
    keys.extend(good.iter().flat_map(|key| {
        [
            key[..key.len() - 5].to_owned(),
            key.replacen("ssh-", "xsh-", 1),
            key.replacen("ssh-ed25519", "ssh-rsa", 1),
            key.split(' ').next().unwrap().to_owned(),
            String::new(),
        ]
    }));
    // Good keys are as frequent as all the spoilt ones together.
    keys.extend(std::iter::repeat_n(good, 5).flatten());
    let end = prop::sample::select(vec!["\n", "\n", "\r\n", " a comment\n", "\tx y\r\n", " \n"]);
    (marker, names, between(), prop::sample::select(keys), end).prop_map(
        |(marker, names, between, key, end)| format!("{marker}{names}{between}{key}{end}"),
    )
}

#[test]
fn we_find_the_lines_that_ssh_keygen_finds() {
    let folder = tempfile::tempdir().unwrap();
    let mut keys = Vec::new();
    for kind in KINDS {
        let path = folder.path().join(kind);
        generate_key(kind, &path);
        keys.push(public_key(&path));
    }
    let file = folder.path().join("known_hosts");
    let lines = prop::collection::vec(line(keys), 1..12);
    for_each(200, &(lines, any::<bool>()), |(lines, hashed)| {
        fs::write(&file, lines.concat()).unwrap();
        if hashed {
            hash_names(&file);
        }
        for name in ["web1", "[web1]:2222", "10.0.0.1", "[10.0.0.1]:24"] {
            prop_assert_eq!(
                found_by_us(&file, name),
                found_by_ssh_keygen(&file, name),
                "{} in {}",
                name,
                fs::read_to_string(&file).unwrap()
            );
        }
        Ok(())
    });
}

/// OpenSSH's client with a known_hosts file, and as strict as we are.
pub(crate) fn strict_ssh(known_hosts: &Path) -> Command {
    let mut command = Command::new("ssh");
    for option in [
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "GlobalKnownHostsFile=none",
        "UpdateHostKeys=no",
        &format!("UserKnownHostsFile={}", known_hosts.display()),
    ] {
        command.args(["-o", option]);
    }
    command.args(["-F", "none"]);
    command
}

/// Each file once through OpenSSH's client with `StrictHostKeyChecking=yes`, once through ours.
#[tokio::test]
async fn we_take_and_refuse_what_the_ssh_client_takes_and_refuses() {
    let server = Server::start();
    let known_hosts = server.path("known_hosts");
    let identity = server.path("identity");
    let other = server.path("other");
    generate_key("ed25519", &other);
    let other = public_key(&other);
    let name = server.known_hosts_name();
    let port = server.port;
    let [ed25519, ecdsa, rsa] = ["ed25519", "ecdsa", "rsa"].map(|kind| server.host_key(kind));
    let hashed = {
        let file = server.path("hashed");
        fs::write(&file, format!("{name} {ecdsa}\n")).unwrap();
        tool("ssh-keygen", &["-q", "-H", "-f", file.to_str().unwrap()]);
        fs::read_to_string(file).unwrap()
    };
    assert!(hashed.starts_with("|1|"), "{hashed}");
    let files = [
        (true, format!("{name} {ed25519}\n")),
        (true, format!("{name} {ecdsa}\n")),
        (true, format!("{name} {rsa}\n")),
        (true, hashed.clone()),
        (true, format!("foo,{name},bar {ed25519}\r\n")),
        (true, format!("# c\n\n{name} {ed25519} comment\n")),
        (true, format!("{name}\t{}\n", ed25519.replace(' ', "\t"))),
        (true, format!("{name}  {}\n", ed25519.replace(' ', "  "))),
        (true, format!("{name} {other}\n{name} {ed25519}\n")),
        (
            true,
            format!("{name} ssh-ed25519 garbage\n{name} {ed25519}\n"),
        ),
        (true, format!("[127.0.0.*]:{port} {ed25519}\n")),
        (true, format!("[127.0.0.?]:* {ed25519}\n")),
        (true, format!("127.0.0.1 {ed25519}\n")),
        (true, format!("@revoked {name} {other}\n{name} {ed25519}\n")),
        (true, format!("127.0.0.1 {other}\n{name} {ed25519}\n")),
        (false, String::new()),
        (false, format!("{name} {other}\n")),
        (false, format!("127.0.0.1 {other}\n")),
        (false, format!("{name} {other}\n127.0.0.1 {ed25519}\n")),
        (false, format!("[127.0.0.1]:1 {ed25519}\n")),
        (false, format!("[127.0.0.*]:{port},!{name} {ed25519}\n")),
        (
            false,
            format!("@revoked {name} {ed25519}\n{name} {ed25519}\n"),
        ),
        (false, format!("{name} {ed25519}\n@revoked * {ed25519}\n")),
        (false, format!("@revoked {name} {ecdsa}\n{hashed}")),
        (false, format!("@cert-authority {name} {ed25519}\n")),
        (false, format!("{name} ssh-ed25519 garbage\n")),
    ];
    for (expected, text) in files {
        fs::write(&known_hosts, &text).unwrap();
        let ssh = strict_ssh(&known_hosts)
            .args(["-p", &port.to_string(), "-i"])
            .arg(&identity)
            .arg(format!(
                "{}@127.0.0.1",
                server.ssh_address().user().unwrap()
            ))
            .arg("true")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert_eq!(ssh.status.success(), expected, "ssh: {text}\n{ssh:?}");
        match server.connect().await {
            Ok(_) => assert!(expected, "taken: {text}"),
            Err(error) => {
                assert!(!expected, "{error}: {text}");
                assert!(error.is_about_the_host_key(), "{error}: {text}");
            }
        }
    }
}
