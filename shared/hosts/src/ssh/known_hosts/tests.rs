//! What the lines of a known_hosts file say about a key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

const ED25519: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ52puESjCBD3uwGgs/wQp21zFbNCwTPfrcIqK0yyYCA";
const OTHER: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAR94eT2jL1Di7qNeNXQGumbTNaFE6kl1cmpo2BeaFZ1";
const ECDSA: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBN360RuMQFJgmhOrtWMXbZGWUyLBo3lj26WkELAUwcQxk8O3ZBF7/ozfKkP5+vVA4tN4muLgBhOTmy6fjoovUbk=";

fn key(text: &str) -> HostKey {
    let (_, blob) = text.split_once(' ').unwrap();
    HostKey::from_blob(STANDARD.decode(blob).unwrap()).unwrap()
}

fn names(server: &str) -> HostNames {
    match server.split_once(':') {
        Some((host, port)) => HostNames::of(host, port.parse().unwrap()),
        None => HostNames::of(server, 22),
    }
}

fn known(text: &str) -> KnownHosts {
    let mut known = KnownHosts::default();
    known.add(Path::new("known_hosts"), text.as_bytes());
    known
}

fn words(verdict: Verdict<'_>) -> String {
    match verdict {
        Verdict::Known => "known".to_owned(),
        Verdict::Unknown => "unknown".to_owned(),
        Verdict::Changed(entry) => format!("changed {}", entry.line),
        Verdict::Revoked(entry) => format!("revoked {}", entry.line),
        Verdict::CertificateRefused(entry, problem) => format!("refused {} {problem}", entry.line),
    }
}

fn verdict(text: &str, server: &str, offered: &str) -> String {
    words(known(text).check(&names(server), &key(offered)))
}

#[test]
fn any_matching_key_makes_a_machine_known() {
    let rotation = format!("web1 {OTHER}\nweb1 {ED25519}\n");
    assert_eq!(verdict(&rotation, "web1", ED25519), "known");
    assert_eq!(verdict(&rotation, "web2", ED25519), "unknown");
    assert_eq!(verdict("", "web1", ED25519), "unknown");
}

#[test]
fn another_key_is_a_change_and_the_closest_line_is_named() {
    let text = format!("# a comment\nweb1 {ECDSA}\nweb1 {OTHER}\n");
    assert_eq!(verdict(&text, "web1", ED25519), "changed 3");
    assert_eq!(
        verdict(&format!("web1 {ECDSA}"), "web1", ED25519),
        "changed 1"
    );
}

#[test]
fn a_revoked_key_is_refused_wherever_its_line_stands() {
    for text in [
        format!("@revoked * {ED25519}\nweb1 {ED25519}\n"),
        format!("web1 {ED25519}\n@revoked\tweb1\t{ED25519}\n"),
        format!("web1 {ED25519}\n  @revoked   web1 {ED25519} why\r\n"),
    ] {
        assert!(
            verdict(&text, "web1", ED25519).starts_with("revoked"),
            "{text}"
        );
    }
    let other = format!("@revoked web1 {OTHER}\nweb1 {ED25519}\n");
    assert_eq!(verdict(&other, "web1", ED25519), "known");
}

#[test]
fn a_certificate_authority_does_not_vouch_for_a_plain_key() {
    let text = format!("@cert-authority web1 {ED25519}\n");
    assert_eq!(verdict(&text, "web1", ED25519), "unknown");
}

#[test]
fn a_line_without_a_port_speaks_for_all_ports_but_only_to_say_yes() {
    let text = format!("web1 {ED25519}\n");
    assert_eq!(verdict(&text, "web1:2222", ED25519), "known");
    assert_eq!(verdict(&text, "web1:2222", OTHER), "unknown");
    let text = format!("web1 {ED25519}\n[web1]:2222 {OTHER}\n");
    assert_eq!(verdict(&text, "web1:2222", ED25519), "changed 2");
    assert_eq!(
        verdict(&format!("[web1]:2222 {OTHER}\n"), "web1", OTHER),
        "unknown"
    );
}

#[test]
fn tabs_carriage_returns_and_garbage_do_not_hide_a_good_line() {
    for line in [
        format!("web1\t{}", ED25519.replace(' ', "\t")),
        format!("  web1   {ED25519}   a comment"),
        format!("web1 {ED25519}\r"),
        format!(
            "web1 ssh-ed25519 AAAA!\nweb1 ssh-ed25519\nweb1\n@strange web1 {OTHER}\nweb1 {ED25519}"
        ),
        format!(
            "web1 {} \nweb1 {ED25519}",
            OTHER.replace("ssh-ed25519", "ssh-rsa")
        ),
    ] {
        assert_eq!(verdict(&line, "web1", ED25519), "known", "{line}");
    }
}

#[test]
fn the_known_algorithms_are_those_of_the_plain_keys_of_that_server() {
    let known = known(&format!(
        "web1 {ECDSA}\n@revoked web1 {OTHER}\nweb2 {OTHER}\n[web3]:24 {ECDSA}\n\
         @cert-authority web4 {ECDSA}\n"
    ));
    let algorithms = |server| known.algorithms(&names(server)).join(" ");
    assert_eq!(algorithms("web1"), "ecdsa-sha2-nistp256");
    assert_eq!(algorithms("web1:24"), "");
    assert_eq!(algorithms("web3"), "");
    assert_eq!(algorithms("web4"), "");
    let certificates = |server| known.certificate_algorithms(&names(server)).is_some();
    assert!(certificates("web4") && certificates("web4:24"));
    // A revoked key may be that of an authority.
    assert!(certificates("web1") && certificates("web1:24"));
    assert!(!certificates("web2") && !certificates("web3"));
}

/// A good certificate for the key `ED25519`, signed by `ECDSA`.
fn certificate() -> HostCertificate {
    HostCertificate {
        key: key(ED25519),
        authority: key(ECDSA),
        is_signed: true,
        is_for_hosts: true,
        has_critical_options: false,
        principals: vec!["web1".to_owned(), "a.example".to_owned()],
        valid_after: 100,
        valid_before: 200,
    }
}

fn certified(text: &str, server: &str, certificate: &HostCertificate, now: u64) -> String {
    words(known(text).check_certificate(&names(server), certificate, now))
}

#[test]
fn a_certificate_of_a_known_authority_makes_a_machine_known_as_long_as_it_holds() {
    let text = format!("@cert-authority *.example,web1,web2 {ECDSA}\n");
    for (server, now, expected) in [
        ("web1", 100, "known"),
        ("web1:2222", 199, "known"),
        ("a.example", 150, "known"),
        (
            "web1",
            99,
            "refused 1 it is not valid yet (are the clocks right?)",
        ),
        ("web1", 200, "refused 1 it has expired"),
        ("web2", 150, "refused 1 it is for web1, a.example"),
        ("web3", 150, "unknown"),
    ] {
        let verdict = certified(&text, server, &certificate(), now);
        assert_eq!(verdict, expected, "{server} at {now}");
    }
}

#[test]
fn an_authority_behind_a_tab_is_one_where_openssh_sees_it() {
    let tabs = ECDSA.replace(' ', "\t");
    for (line, expected) in [
        (format!("@cert-authority\tweb1\t{tabs}"), "known"),
        (format!("@cert-authority\tweb1\t{ECDSA}"), "unknown"),
        (format!("@cert-authority  web1\t{ECDSA}"), "known"),
    ] {
        let verdict = certified(&line, "web1", &certificate(), 150);
        assert_eq!(verdict, expected, "{line}");
    }
}

#[test]
fn a_certificate_that_is_not_one_for_hosts_is_refused() {
    let text = format!("@cert-authority * {ECDSA}\n");
    let refused = |certificate: HostCertificate| certified(&text, "web1", &certificate, 150);
    let (unsigned, of_a_user, optioned, nameless) = (
        HostCertificate {
            is_signed: false,
            ..certificate()
        },
        HostCertificate {
            is_for_hosts: false,
            ..certificate()
        },
        HostCertificate {
            has_critical_options: true,
            ..certificate()
        },
        HostCertificate {
            principals: Vec::new(),
            ..certificate()
        },
    );
    assert_eq!(
        refused(unsigned),
        "refused 1 its signature is wrong, or uses SHA-1"
    );
    assert_eq!(
        refused(of_a_user),
        "refused 1 it is the certificate of a user"
    );
    assert_eq!(refused(optioned), "refused 1 it has critical options");
    assert_eq!(refused(nameless), "refused 1 it names no host");
}

#[test]
fn the_key_or_the_authority_of_a_certificate_may_be_revoked() {
    let authority = format!("@cert-authority * {ECDSA}\n");
    let verdict =
        |more: String| certified(&(authority.clone() + &more), "web1", &certificate(), 150);
    assert_eq!(verdict(format!("@revoked * {ECDSA}\n")), "revoked 2");
    assert_eq!(verdict(format!("@revoked web1 {ED25519}\n")), "revoked 2");
    assert_eq!(verdict(format!("@revoked web1 {OTHER}\n")), "known");
    assert_eq!(verdict(format!("@revoked web2 {ED25519}\n")), "known");
}

#[test]
fn where_its_authority_is_not_known_the_key_in_a_certificate_counts() {
    let verdict = |text: String| certified(&text, "web1:2222", &certificate(), 150);
    assert_eq!(verdict(format!("[web1]:2222 {ED25519}\n")), "known");
    let other_authority = format!("@cert-authority * {OTHER}\n");
    assert_eq!(
        verdict(other_authority.clone()),
        "refused 1 another authority signed it"
    );
    assert_eq!(
        verdict(format!("{other_authority}web1 {ED25519}\n")),
        "known"
    );
    assert_eq!(
        verdict(format!("{other_authority}[web1]:2222 {OTHER}\n")),
        "changed 2"
    );
}
