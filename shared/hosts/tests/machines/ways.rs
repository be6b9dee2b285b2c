//! Agents, jump hosts and proxy commands on real servers.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use gentoo_updater_hosts::trust::{append, not_among, scan_host_keys};
use gentoo_updater_hosts::{
    Command as Remote, Host, HostAddress, HostError, SshConfiguration, SshSettings, connect,
};

use crate::server::{Server, tool};

/// An agent of our own, which ends with its guard.
pub(crate) struct Agent {
    child: Child,
    pub(crate) socket: PathBuf,
}

impl Agent {
    pub(crate) async fn start(socket: PathBuf) -> Self {
        let child = Command::new("ssh-agent")
            .args(["-D", "-a"])
            .arg(&socket)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // The socket is there a moment before anybody listens on it.
        while tokio::net::UnixStream::connect(&socket).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Self { child, socket }
    }

    pub(crate) fn add(&self, key: &std::path::Path) {
        let output = Command::new("ssh-add")
            .arg("-q")
            .arg(key)
            .env("SSH_AUTH_SOCK", &self.socket)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A machine called `guest` in a configuration of ssh, which this is.
pub(crate) fn configured(server: &Server, text: &str) -> SshSettings {
    let file = server.path("config");
    let port = server.port;
    let user = tool("id", &["-un"]);
    let text = format!("Host guest\nHostName 127.0.0.1\nPort {port}\nUser {user}\n{text}");
    fs::write(&file, text).unwrap();
    SshSettings {
        configuration: SshConfiguration::File(file),
        ..server.settings()
    }
}

pub(crate) async fn connect_to_guest(settings: &SshSettings) -> Result<Arc<dyn Host>, HostError> {
    connect(&"ssh://guest".parse().unwrap(), settings).await
}

pub(crate) fn encrypt(server: &Server) {
    let identity = server.path("identity");
    let identity = identity.to_str().unwrap();
    tool(
        "ssh-keygen",
        &["-q", "-p", "-P", "", "-N", "secret", "-f", identity],
    );
}

#[tokio::test]
async fn a_former_key_is_found_in_the_files_that_only_sshs_configuration_names() {
    let server = Server::start();
    let of_ssh = server.path("known_to_ssh");
    fs::rename(server.path("known_hosts"), &of_ssh).unwrap();
    let text = format!("UserKnownHostsFile {}\n", of_ssh.display());
    let settings = SshSettings {
        known_hosts_of_ssh: true,
        ..configured(&server, &text)
    };
    let HostAddress::Ssh(guest) = "ssh://guest".parse().unwrap() else {
        panic!("not ssh")
    };
    let offered = scan_host_keys(&guest, &settings).await.unwrap();
    let former = |keys| not_among(keys, &offered.names, &offered.known_hosts).unwrap();
    assert_eq!(former(&offered.keys[..]).len(), 0);
    let others = former(&offered.keys[1..]);
    assert_eq!(others.len(), 1);
    assert_eq!(
        (&*others[0].file, &others[0].key),
        (&*of_ssh, &offered.keys[0])
    );
}

#[tokio::test]
async fn the_family_of_addresses_and_the_own_address_are_those_of_the_configuration() {
    let server = Server::start();
    for text in ["AddressFamily inet\n", "BindAddress 127.0.0.9\n"] {
        let settings = configured(&server, text);
        let host = connect_to_guest(&settings).await.unwrap();
        let from = host
            .run(&Remote::new("sh").args(["-c", "echo $SSH_CLIENT"]))
            .await;
        let from = String::from_utf8(from.unwrap().stdout).unwrap();
        let is_bound = text.starts_with("Bind");
        assert_eq!(from.starts_with("127.0.0.9 "), is_bound, "{from}");
    }
    for (text, cause) in [
        (
            "AddressFamily inet6\n",
            "127.0.0.1 has no address for ssh's AddressFamily inet6",
        ),
        (
            "BindAddress ::1\n",
            "127.0.0.1 has no address for ssh's BindAddress ::1",
        ),
        ("BindAddress 192.0.2.1\n", "BindAddress 192.0.2.1: "),
        ("BindInterface lo\n", "BindInterface is not supported"),
    ] {
        let settings = configured(&server, text);
        let error = connect_to_guest(&settings).await.err().unwrap().to_string();
        assert!(error.contains(cause), "{error}");
    }
}

#[tokio::test]
async fn an_encrypted_key_is_used_through_the_agent_and_otherwise_named() {
    let server = Server::start();
    let agent = Agent::start(server.path("agent")).await;
    let settings = configured(
        &server,
        &format!("IdentityAgent {}\n", agent.socket.display()),
    );
    agent.add(&server.path("identity"));
    encrypt(&server);
    connect_to_guest(&settings).await.unwrap();

    let settings = configured(&server, "IdentityAgent none\n");
    let error = connect_to_guest(&settings).await.err().unwrap().to_string();
    for part in ["is encrypted", "ssh-add", "identity"] {
        assert!(error.contains(part), "{error}");
    }
}

#[tokio::test]
async fn keys_that_only_the_agent_has_are_offered_unless_only_files_are_wanted() {
    let server = Server::start();
    let agent = Agent::start(server.path("agent")).await;
    agent.add(&server.path("identity"));
    let socket = format!("IdentityAgent {}\n", agent.socket.display());
    let missing = format!(
        "{socket}IdentityFile {}\n",
        server.path("missing").display()
    );
    let of_ssh = |text: &str| SshSettings {
        identity_files: None,
        ..configured(&server, text)
    };
    connect_to_guest(&of_ssh(&missing)).await.unwrap();

    let error = connect_to_guest(&of_ssh(&format!("{missing}IdentitiesOnly yes\n"))).await;
    let error = error.err().unwrap();
    assert!(
        matches!(error, HostError::AuthenticationRefused { .. }),
        "{error}"
    );

    // The private half is the agent's alone, and the public half says which of its keys is meant.
    fs::remove_file(server.path("identity")).unwrap();
    let public = format!(
        "{socket}IdentitiesOnly yes\nIdentityFile {}\n",
        server.path("identity").display()
    );
    connect_to_guest(&of_ssh(&public)).await.unwrap();
}

#[tokio::test]
async fn a_key_that_is_known_by_its_alias_is_taken_and_trust_writes_that() {
    let server = Server::start();
    let settings = configured(&server, "HostKeyAlias Web-One\n");
    let error = connect_to_guest(&settings).await.err().unwrap();
    assert!(matches!(error, HostError::HostKeyUnknown { .. }), "{error}");
    let HostAddress::Ssh(address) = "ssh://guest".parse().unwrap() else {
        panic!("not ssh")
    };
    let offered = scan_host_keys(&address, &settings).await.unwrap();
    append(&server.path("known_hosts"), &offered.names, &offered.keys).unwrap();
    let text = fs::read_to_string(server.path("known_hosts")).unwrap();
    assert!(text.contains("\nweb-one ssh-ed25519 "), "{text}");
    connect_to_guest(&settings).await.unwrap();
}

#[tokio::test]
async fn a_jump_host_is_verified_like_every_machine_and_carries_much_at_once() {
    let jump = Server::start();
    let server = Server::start();
    let user = tool("id", &["-un"]);
    let (user, port) = (user.trim(), jump.port);
    let mut settings = configured(&server, &format!("ProxyJump {user}@127.0.0.1:{port}\n"));
    settings.identity_files = Some(vec![server.path("identity"), jump.path("identity")]);

    let error = connect_to_guest(&settings).await.err().unwrap();
    assert!(matches!(error, HostError::HostKeyUnknown { .. }), "{error}");
    assert!(
        error.to_string().contains(&format!("127.0.0.1:{port}")),
        "{error}"
    );
    assert!(!jump.log().contains("publickey") && !server.log().contains("Connection from"));

    settings.known_hosts.push(jump.path("known_hosts"));
    let host = connect_to_guest(&settings).await.unwrap();
    let script = "head -c 3000000 /dev/zero";
    let runs = (0..12).map(|_| {
        let host = host.clone();
        tokio::spawn(async move { host.run(&Remote::shell("test", script, [""; 0])).await })
    });
    for run in runs.collect::<Vec<_>>() {
        assert_eq!(run.await.unwrap().unwrap().stdout.len(), 3_000_000);
    }
    for server in [&jump, &server] {
        assert_eq!(server.log().matches("Accepted publickey").count(), 1);
    }

    // What is lost on the way is opened again, the jump host first.
    assert!(jump.cut_connections() > 0);
    let again = async || host.run(&Remote::new("true")).await;
    if let Err(error) = again().await {
        assert!(error.is_transient(), "{error}");
    }
    assert!(again().await.unwrap().status.success());

    // A machine behind it with another key is refused, too.
    fs::write(server.path("known_hosts"), "").unwrap();
    let error = connect_to_guest(&settings).await.err().unwrap();
    assert!(error.to_string().contains("ssh://guest"), "{error}");
    assert!(matches!(error, HostError::HostKeyUnknown { .. }), "{error}");
}

#[tokio::test]
async fn many_machines_behind_one_busy_jump_host_are_all_reached() {
    let jump = Server::start_with("MaxStartups 4:100:5");
    let server = Server::start();
    let user = tool("id", &["-un"]);
    let way = format!("ProxyJump {}@127.0.0.1:{}\n", user.trim(), jump.port);
    let mut settings = configured(&server, &way);
    settings.identity_files = Some(vec![server.path("identity"), jump.path("identity")]);
    settings.known_hosts.push(jump.path("known_hosts"));
    let connections = (0..12).map(|_| connect_to_guest(&settings));
    for connection in futures_util::future::join_all(connections).await {
        if let Err(error) = connection {
            panic!("{error}\n{}", jump.log());
        }
    }
}

#[tokio::test]
async fn a_proxy_command_is_a_way_and_ends_with_its_connection() {
    let server = Server::start();
    let mark = server.path("pid");
    // A shell has no socket; ssh has, with -W.
    let jump = Server::start();
    let user = tool("id", &["-un"]);
    let command = format!(
        "ProxyCommand sh -c 'echo $$ >{}; exec ssh -F none -i {} -o UserKnownHostsFile={} \
         -o BatchMode=yes -p {} -W %h:%p {}@127.0.0.1'\n",
        mark.display(),
        jump.path("identity").display(),
        jump.path("known_hosts").display(),
        jump.port,
        user.trim()
    );
    let settings = configured(&server, &command);
    let host = connect_to_guest(&settings).await.unwrap();
    assert!(
        host.run(&Remote::new("true"))
            .await
            .unwrap()
            .status
            .success()
    );
    let pid = fs::read_to_string(&mark).unwrap();
    assert!(crate::machine::lives(&pid));
    drop(host);
    while crate::machine::lives(&pid) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
