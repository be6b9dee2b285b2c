//! Host certificates of a real sshd.

use std::fs;
use std::path::Path;

use gentoo_updater_hosts::HostError;
use gentoo_updater_hosts::ssh::certificate::CertificateProblem;
use gentoo_updater_hosts::trust::{append_authority, read_authority};

use crate::server::{KINDS, Server, generate_key, tool};

/// Signs all host keys in a folder, and gives the lines of sshd's configuration for that.
pub(crate) fn certify(folder: &Path, authority: &Path, options: &[&str]) -> String {
    let authority = authority.to_str().unwrap();
    let sign = |kind: &&str| {
        let key = folder.join(format!("host_{kind}"));
        let public = key.with_extension("pub");
        let arguments = ["-q", "-s", authority, "-h", "-I", "a host"];
        tool(
            "ssh-keygen",
            &[&arguments, options, &[public.to_str().unwrap()]].concat(),
        );
        format!("HostCertificate {}-cert.pub\n", key.display())
    };
    KINDS.iter().map(sign).collect()
}

fn certified(options: &[&str]) -> Server {
    Server::start_prepared(|folder| {
        let authority = folder.join("authority");
        generate_key("ed25519", &authority);
        certify(folder, &authority, options)
    })
}

#[tokio::test]
async fn a_machine_whose_authority_is_trusted_is_known_without_a_line_of_its_own() {
    let server = certified(&["-n", "127.0.0.1", "-V", "+1h"]);
    let known_hosts = server.path("known_hosts");
    fs::remove_file(&known_hosts).unwrap();
    let authority = read_authority(&server.path("authority.pub")).unwrap();
    for hosts in ["*", "127.0.0.1", &server.known_hosts_name()] {
        append_authority(&known_hosts, &hosts.parse().unwrap(), &authority).unwrap();
        if let Err(error) = server.connect().await {
            panic!("{hosts}: {error}");
        }
        fs::remove_file(&known_hosts).unwrap();
    }
    // Without an authority its plain keys count as before.
    for kind in KINDS {
        server.write_known_hosts(&[kind]);
        server.connect().await.unwrap();
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_good_for_a_machine_is_refused_with_line_and_both_fingerprints() {
    for (options, expected) in [
        (
            ["-n", "127.0.0.1", "-V", "20200101:20210101"],
            CertificateProblem::Expired,
        ),
        (
            ["-n", "127.0.0.1", "-V", "+1d:+2d"],
            CertificateProblem::NotYetValid,
        ),
        (
            ["-n", "other", "-V", "+1h"],
            CertificateProblem::OtherNames(vec!["other".to_owned()]),
        ),
    ] {
        let server = certified(&options);
        let authority = read_authority(&server.path("authority.pub")).unwrap();
        let known_hosts = server.path("known_hosts");
        fs::write(
            &known_hosts,
            format!("# mine\n@cert-authority * {authority}\n"),
        )
        .unwrap();
        let error = server.connect().await.err().unwrap();
        let HostError::HostCertificateRefused(refused) = &error else {
            panic!("{error}");
        };
        assert_eq!(refused.problem, expected);
        assert_eq!((refused.line, &refused.file), (2, &known_hosts));
        assert!(refused.authority.ends_with(&authority.fingerprint()));
        assert!(error.is_about_the_host_key() && !error.is_transient());
        assert!(!server.log().contains("publickey"), "{}", server.log());
    }
}

#[tokio::test]
async fn another_authority_and_a_revoked_one_are_refused() {
    let server = certified(&["-n", "127.0.0.1", "-V", "+1h"]);
    let known_hosts = server.path("known_hosts");
    let authority = read_authority(&server.path("authority.pub")).unwrap();
    generate_key("ed25519", &server.path("other"));
    let other = read_authority(&server.path("other.pub")).unwrap();

    fs::write(&known_hosts, format!("@cert-authority * {other}\n")).unwrap();
    let error = server.connect().await.err().unwrap();
    let text = error.to_string();
    for fingerprint in [authority.fingerprint(), other.fingerprint()] {
        assert!(text.contains(&fingerprint), "{text}");
    }
    assert!(text.contains("another authority signed it"), "{text}");

    let revoked = format!("@cert-authority * {authority}\n@revoked * {authority}\n");
    fs::write(&known_hosts, revoked).unwrap();
    let error = server.connect().await.err().unwrap();
    let HostError::HostKeyRevoked(revoked) = &error else {
        panic!("{error}");
    };
    assert!(revoked.is_authority && revoked.line == 2, "{error}");
    assert!(!server.log().contains("publickey"), "{}", server.log());
}
