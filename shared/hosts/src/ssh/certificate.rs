//! Host certificates: a host key that an authority vouches for.
//!
//! Source: PROTOCOL.certkeys of OpenSSH; ssh-keygen(1), CERTIFICATES.

use std::fmt;

use russh::keys::{Algorithm, Certificate, PublicKey};

use crate::host_key::HostKey;

/// What a host certificate says. That the server holds its key the handshake shows; that the
/// authority is trusted the known_hosts files say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostCertificate {
    /// The key of the machine.
    pub key: HostKey,
    /// The key that signed the certificate.
    pub authority: HostKey,
    /// Whether the signature is that of the authority, by an algorithm that is not broken.
    pub is_signed: bool,
    /// Whether it is for a machine; others are for users.
    pub is_for_hosts: bool,
    /// Whether it must not be used by who does not know some option in it. There is none that a
    /// host certificate may have.
    pub has_critical_options: bool,
    /// The names it is for. They are names and no patterns, as for OpenSSH 9.2.
    pub principals: Vec<String>,
    /// From when on it holds, in seconds since 1970.
    pub valid_after: u64,
    /// From when on it holds no more, in seconds since 1970.
    pub valid_before: u64,
}

/// Why a certificate of the machine does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateProblem {
    /// Another authority signed it.
    OtherAuthority,
    /// The signature is wrong, or uses SHA-1.
    Signature,
    /// It is a user's.
    NotForHosts,
    /// It has options that nobody here knows.
    CriticalOptions,
    /// It begins to hold later.
    NotYetValid,
    /// It holds no more.
    Expired,
    /// It is for other machines: these.
    OtherNames(Vec<String>),
}

impl fmt::Display for CertificateProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherAuthority => formatter.write_str("another authority signed it"),
            Self::Signature => formatter.write_str("its signature is wrong, or uses SHA-1"),
            Self::NotForHosts => formatter.write_str("it is the certificate of a user"),
            Self::CriticalOptions => formatter.write_str("it has critical options"),
            Self::NotYetValid => formatter.write_str("it is not valid yet (are the clocks right?)"),
            Self::Expired => formatter.write_str("it has expired"),
            Self::OtherNames(names) if names.is_empty() => formatter.write_str("it names no host"),
            Self::OtherNames(names) => write!(formatter, "it is for {}", names.join(", ")),
        }
    }
}

impl HostCertificate {
    /// What a certificate says; `None` where one of its keys cannot be encoded again.
    pub(super) fn read(certificate: &Certificate) -> Option<Self> {
        let key = |data| HostKey::from_blob(PublicKey::new(data, "").to_bytes().ok()?);
        let uses_sha_1 = certificate.signature().algorithm() == Algorithm::Rsa { hash: None };
        Some(Self {
            key: key(certificate.public_key().clone())?,
            authority: key(certificate.signature_key().clone())?,
            // The library calls it useless alone: whose key this is `KnownHosts` decides.
            is_signed: !uses_sha_1 && certificate.verify_signature().is_ok(),
            is_for_hosts: certificate.cert_type().is_host(),
            has_critical_options: !certificate.critical_options().is_empty(),
            principals: certificate.valid_principals().to_vec(),
            valid_after: certificate.valid_after(),
            valid_before: certificate.valid_before(),
        })
    }

    /// Why this certificate does not speak for a machine of this name, or `None` where it does.
    pub(super) fn problem(&self, name: &str, now: u64) -> Option<CertificateProblem> {
        let is_for_name = self.principals.iter().any(|principal| principal == name);
        if !self.is_signed {
            Some(CertificateProblem::Signature)
        } else if !self.is_for_hosts {
            Some(CertificateProblem::NotForHosts)
        } else if self.has_critical_options {
            Some(CertificateProblem::CriticalOptions)
        } else if now < self.valid_after {
            Some(CertificateProblem::NotYetValid)
        } else if now >= self.valid_before {
            Some(CertificateProblem::Expired)
        } else if !is_for_name {
            Some(CertificateProblem::OtherNames(self.principals.clone()))
        } else {
            None
        }
    }
}
