//! Host key algorithms: their names and the order in which a server is asked for them.

use std::borrow::Cow;

use russh::Preferred;
use russh::keys::{Algorithm, EcdsaCurve, HashAlg};

/// The kinds of host keys that are asked for, most wanted first. DSA is broken, and RSA is used
/// with SHA-2 only (RFC 8332).
pub(super) const KINDS: [&str; 5] = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
];

/// The signature algorithms of one kind of key; empty for a kind that is not used.
fn signatures(kind: &str) -> Vec<Algorithm> {
    let ecdsa = |curve| vec![Algorithm::Ecdsa { curve }];
    match kind {
        "ssh-ed25519" => vec![Algorithm::Ed25519],
        "ecdsa-sha2-nistp256" => ecdsa(EcdsaCurve::NistP256),
        "ecdsa-sha2-nistp384" => ecdsa(EcdsaCurve::NistP384),
        "ecdsa-sha2-nistp521" => ecdsa(EcdsaCurve::NistP521),
        "ssh-rsa" => [HashAlg::Sha512, HashAlg::Sha256]
            .map(|hash| Algorithm::Rsa { hash: Some(hash) })
            .to_vec(),
        _ => Vec::new(),
    }
}

/// What to ask a server for: first the kinds that are known of it, then the others, so that a
/// machine whose known kind is gone shows another key and is refused for that. Within both parts
/// the order is that of [`KINDS`], as for OpenSSH: where two kinds are known and one of them changed,
/// both see the same.
///
/// `certificates` are the kinds of certificates to ask for, before all plain keys: none of them, all
/// for an empty list, or these.
pub(super) fn preferring(known: &[&str], certificates: Option<&[&str]>) -> Preferred {
    let (first, last): (Vec<_>, Vec<_>) = KINDS.iter().partition(|kind| known.contains(kind));
    let certificates = KINDS.iter().filter(|kind| {
        certificates.is_some_and(|wanted| wanted.is_empty() || wanted.contains(kind))
    });
    Preferred {
        host_key_certificates: certificates.flat_map(|kind| signatures(kind)).collect(),
        ..asking_for(first.into_iter().chain(last).flat_map(signatures))
    }
}

/// What to ask a server for when it shall show its key of one kind.
pub(super) fn only(kind: &str) -> Preferred {
    asking_for(signatures(kind))
}

fn asking_for(key: impl IntoIterator<Item = Algorithm>) -> Preferred {
    // The rest stays as it is in russh: its key exchanges hold the marker of strict key exchange,
    // without which the Terrapin attack (CVE-2023-48795) is open again.
    Preferred {
        key: Cow::Owned(key.into_iter().collect()),
        ..Preferred::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_kinds_come_first_and_no_algorithm_uses_sha_1() {
        let names = |known: &[&str]| {
            let preferred = preferring(known, None);
            preferred
                .key
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&[])[0], "ssh-ed25519");
        assert_eq!(
            names(&["ssh-rsa", "ssh-dss"])[..3],
            ["rsa-sha2-512", "rsa-sha2-256", "ssh-ed25519"]
        );
        assert_eq!(names(&["ssh-rsa"]).len(), 6);
        assert!(!names(&[]).contains(&"ssh-rsa".to_owned()));
        assert_eq!(
            names(&["ssh-rsa", "ssh-ed25519"])[..2],
            ["ssh-ed25519", "rsa-sha2-512"]
        );
    }

    #[test]
    fn certificates_are_asked_for_only_where_something_is_known_of_them() {
        assert!(preferring(&[], None).host_key_certificates.is_empty());
        let names = |certificates: &[&str]| {
            let preferred = preferring(&["ssh-rsa"], Some(certificates));
            let asked = preferred.host_key_certificates.iter();
            asked
                .map(Algorithm::to_certificate_type)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            names(&["ecdsa-sha2-nistp384"]),
            ["ecdsa-sha2-nistp384-cert-v01@openssh.com"]
        );
        let names = names(&[]);
        assert_eq!(names[0], "ssh-ed25519-cert-v01@openssh.com");
        assert_eq!(names.len(), 6);
        assert!(!names.contains(&"ssh-rsa-cert-v01@openssh.com".to_owned()));
    }

    #[test]
    fn strict_key_exchange_stays_on() {
        let strict = russh::kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT;
        assert!(preferring(&[], Some(&[])).kex.contains(&strict));
    }
}
