//! Logging in with certificates of users, on a real server that knows an authority and no key.

use std::fs;
use std::path::Path;

use gentoo_updater_hosts::{HostAddress, SshSettings, connect};

use crate::server::{Server, generate_key, tool};
use crate::ways::{Agent, configured, connect_to_guest, encrypt};

/// A server that lets in whoever shows a certificate of the authority `user_ca`.
fn server() -> Server {
    let server = Server::start_prepared(|folder| {
        generate_key("ed25519", &folder.join("user_ca"));
        format!("TrustedUserCAKeys {}", folder.join("user_ca.pub").display())
    });
    fs::write(server.path("authorized_keys"), "").unwrap();
    server
}

/// Signs a key for a user; the certificate lies beside the key afterwards.
fn certify(server: &Server, key: &Path, user: &str) {
    let (authority, public) = (server.path("user_ca"), key.with_extension("pub"));
    let (authority, public) = (authority.to_str().unwrap(), public.to_str().unwrap());
    let arguments = ["-q", "-s", authority, "-I", "test", "-n", user, public];
    tool("ssh-keygen", &arguments);
}

fn user() -> String {
    tool("id", &["-un"]).trim().to_owned()
}

async fn refusal(server: &Server) -> String {
    server.connect().await.err().unwrap().to_string()
}

#[tokio::test]
async fn a_certificate_beside_its_key_logs_in_and_one_for_another_user_does_not() {
    let server = server();
    assert!(refusal(&server).await.contains("identity is not accepted"));
    for kind in ["ed25519", "ecdsa", "ecdsa521"] {
        let identity = server.path(&format!("identity_{kind}"));
        generate_key(kind, &identity);
        certify(&server, &identity, &user());
        let settings = SshSettings {
            identity_files: Some(vec![identity]),
            ..server.settings()
        };
        let address = HostAddress::Ssh(server.ssh_address());
        if let Err(error) = connect(&address, &settings).await {
            panic!("{kind}: {error}");
        }
    }
    certify(&server, &server.path("identity"), "nobody-else");
    let refused = refusal(&server).await;
    assert!(
        refused.contains("identity-cert.pub is not accepted"),
        "{refused}"
    );
    let (authority, public) = (server.path("user_ca"), server.path("identity.pub"));
    let (authority, public) = (authority.to_str().unwrap(), public.to_str().unwrap());
    let of_a_machine = ["-q", "-h", "-s", authority, "-I", "x", "-n", "x", public];
    tool("ssh-keygen", &of_a_machine);
    let refused = refusal(&server).await;
    assert!(
        refused.contains("identity-cert.pub is a certificate of a machine"),
        "{refused}"
    );
    fs::write(server.path("identity-cert.pub"), "no certificate").unwrap();
    let refused = refusal(&server).await;
    assert!(
        refused.contains("identity-cert.pub is no certificate"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_certificate_that_the_configuration_names_is_used_with_its_key() {
    let server = server();
    certify(&server, &server.path("identity"), &user());
    let elsewhere = server.path("elsewhere.pub");
    fs::rename(server.path("identity-cert.pub"), &elsewhere).unwrap();
    let text = |certificate: &Path| {
        format!(
            "IdentityFile {}\nCertificateFile {}\nIdentityAgent none\nIdentitiesOnly yes\n",
            server.path("identity").display(),
            certificate.display()
        )
    };
    let settings = |certificate: &Path| SshSettings {
        identity_files: None,
        ..configured(&server, &text(certificate))
    };
    connect_to_guest(&settings(&elsewhere)).await.unwrap();
    let missing = settings(&server.path("missing.pub"));
    let refused = connect_to_guest(&missing).await.err().unwrap().to_string();
    assert!(
        refused.contains("there is no") && refused.contains("missing.pub"),
        "{refused}"
    );
}

#[tokio::test]
async fn an_agent_signs_for_the_certificates_that_it_holds_and_others_are_named() {
    let server = server();
    for kind in ["ed25519", "rsa"] {
        let agent = Agent::start(server.path(&format!("agent_{kind}"))).await;
        let held = server.path(&format!("held_{kind}"));
        generate_key(kind, &held);
        certify(&server, &held, &user());
        agent.add(&held);
        let socket = format!("IdentityAgent {}\n", agent.socket.display());
        // Of a key in a file, of one that is a file with its public half alone, and of none.
        let identities = [Some(vec![held.clone()]), Some(vec![held.clone()]), None];
        for (number, identity_files) in identities.into_iter().enumerate() {
            if number == 1 {
                fs::remove_file(&held).unwrap();
            }
            let text = format!("{socket}IdentityFile {}\n", server.path("none").display());
            let settings = SshSettings {
                identity_files,
                ..configured(&server, &text)
            };
            if let Err(error) = connect_to_guest(&settings).await {
                panic!("{kind}: {error}");
            }
        }
    }
    let agent = Agent::start(server.path("agent")).await;
    agent.add(&server.path("identity"));
    certify(&server, &server.path("identity"), &user());
    encrypt(&server);
    let settings = configured(
        &server,
        &format!("IdentityAgent {}\n", agent.socket.display()),
    );
    let refused = connect_to_guest(&settings).await.err().unwrap().to_string();
    assert!(
        refused.contains("does not hold") && refused.contains("identity-cert.pub"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_certificate_of_an_rsa_key_needs_an_agent_which_is_said() {
    let server = server();
    let identity = server.path("rsa");
    generate_key("rsa", &identity);
    certify(&server, &identity, &user());
    let settings = SshSettings {
        identity_files: Some(vec![identity]),
        ..server.settings()
    };
    let address = HostAddress::Ssh(server.ssh_address());
    let refused = connect(&address, &settings)
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(refused.contains("used through an agent only"), "{refused}");
}
