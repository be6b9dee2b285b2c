//! What can go wrong between here and a machine.

use std::path::PathBuf;
use std::time::Duration;

use crate::address::HostAddress;
use crate::ssh::certificate::CertificateProblem;

/// A machine offers a host key other than the known one.
#[derive(Debug, thiserror::Error)]
#[error(
    "THE HOST KEY OF {address} CHANGED: known is {known} ({}:{line}), offered is {algorithm} \
     {offered}; somebody may stand in between. If the machine was set up anew, run: \
     gentoo-updater trust {address}", file.display()
)]
pub struct ChangedHostKey {
    /// The machine.
    pub address: HostAddress,
    /// The algorithm of the offered key.
    pub algorithm: String,
    /// The file that holds the known key.
    pub file: PathBuf,
    /// The line in that file, from 1.
    pub line: usize,
    /// The fingerprint of the known key, or what is wrong with the line.
    pub known: String,
    /// The fingerprint of the offered key.
    pub offered: String,
}

/// A machine offers a host key, or the certificate of an authority, that was revoked.
#[derive(Debug, thiserror::Error)]
#[error(
    "{address} offers a host {} that was revoked: {algorithm} {fingerprint} ({}:{line})",
    if *is_authority { "certificate signed by a key" } else { "key" },
    file.display()
)]
pub struct RevokedHostKey {
    /// The machine.
    pub address: HostAddress,
    /// The algorithm of the revoked key.
    pub algorithm: String,
    /// Its fingerprint.
    pub fingerprint: String,
    /// Whether it is not the key of the machine, but that of who signed its certificate.
    pub is_authority: bool,
    /// The file that revokes it.
    pub file: PathBuf,
    /// The line in that file, from 1.
    pub line: usize,
}

/// A machine offers a certificate that is not good for it, and its plain key is not known.
#[derive(Debug, thiserror::Error)]
#[error(
    "the host certificate of {address} is refused: {problem}. It is for the key {key} and signed by \
     {authority}; trusted for this machine is the authority {known} ({}:{line})", file.display()
)]
pub struct RefusedHostCertificate {
    /// The machine.
    pub address: HostAddress,
    /// The algorithm and the fingerprint of the key of the machine.
    pub key: String,
    /// The algorithm and the fingerprint of the key that signed the certificate.
    pub authority: String,
    /// The algorithm and the fingerprint of the trusted authority.
    pub known: String,
    /// The file that names it.
    pub file: PathBuf,
    /// The line in that file, from 1.
    pub line: usize,
    /// What is wrong with the certificate.
    pub problem: CertificateProblem,
}

/// Why a command gave no [`Output`](crate::Output).
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// No ssh connection could be opened: name, route, port, or the handshake.
    #[error("{address} cannot be reached: {cause}")]
    Unreachable {
        /// The machine.
        address: HostAddress,
        /// What failed.
        cause: String,
    },
    /// No known_hosts file knows the machine. Nothing was sent to it.
    #[error(
        "the host key of {address} is not known: it offers {algorithm} {fingerprint}; compare the \
         fingerprint on the machine itself, then run: gentoo-updater trust {address}"
    )]
    HostKeyUnknown {
        /// The machine.
        address: HostAddress,
        /// The algorithm of the offered key, as in `ssh-ed25519`.
        algorithm: String,
        /// Its fingerprint as `ssh-keygen -l` prints it.
        fingerprint: String,
    },
    /// The known_hosts files know another key for this machine. Nothing was sent to it.
    #[error(transparent)]
    HostKeyChanged(Box<ChangedHostKey>),
    /// A `@revoked` line names the key that the machine offers. Nothing was sent to it.
    #[error(transparent)]
    HostKeyRevoked(Box<RevokedHostKey>),
    /// The certificate that the machine offers is not good for it. Nothing was sent to it.
    #[error(transparent)]
    HostCertificateRefused(Box<RefusedHostCertificate>),
    /// A known_hosts file is there and cannot be read, so what it revokes is unknown.
    #[error("{} cannot be read: {cause}", file.display())]
    KnownHostsUnreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// ssh's configuration of the way to the machine cannot be followed.
    #[error("the configuration of ssh for {address} cannot be followed: {cause}")]
    SshConfiguration {
        /// The machine.
        address: HostAddress,
        /// Why.
        cause: String,
    },
    /// The machine was reached and is the right one, and takes none of our keys.
    #[error("{address} refuses to let us in: {cause}")]
    AuthenticationRefused {
        /// The machine.
        address: HostAddress,
        /// Which keys were tried, and what was wrong with those that were not.
        cause: String,
    },
    /// The server opens no further session (`MaxSessions`), or runs no command.
    #[error("{address} opens no session: {cause}")]
    SessionRefused {
        /// The machine.
        address: HostAddress,
        /// What the server said.
        cause: String,
    },
    /// The connection ended before the exit status came: whether the command ran, runs or ended is
    /// not known.
    #[error("the connection to {address} was lost while a command ran: {cause}")]
    ConnectionLost {
        /// The machine.
        address: HostAddress,
        /// What ended it.
        cause: String,
    },
    /// The command took longer than its timeout and was ended (over ssh: left; see
    /// [`Host::run`](crate::Host::run)).
    #[error("{command} on {address} did not end within {after:?}")]
    TimedOut {
        /// The machine.
        address: HostAddress,
        /// The command, shortened.
        command: String,
        /// The timeout.
        after: Duration,
    },
    /// The command printed more than [`OUTPUT_LIMIT`](crate::command::OUTPUT_LIMIT) and was ended.
    #[error("{command} on {address} printed more than {limit} bytes")]
    OutputTooLarge {
        /// The machine.
        address: HostAddress,
        /// The command, shortened.
        command: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// The command cannot be handed to any machine ([`Command::validate`](crate::Command::validate)).
    #[error("{command} cannot be run: {cause}")]
    InvalidCommand {
        /// The command, shortened.
        command: String,
        /// Why.
        cause: &'static str,
    },
    /// The marks around a command's output did not arrive ([`crate::markers`]), so nobody can say
    /// which part is its output.
    #[error("the output of {command} on {address} lacks the mark at its {place}; it was: {text:?}")]
    MarkMissing {
        /// The machine.
        address: HostAddress,
        /// The command, shortened.
        command: String,
        /// `start` or `end`.
        place: &'static str,
        /// The last part of what arrived on both streams.
        text: String,
    },
    /// The operating system of this machine refused something.
    #[error("{what} on {address}: {cause}")]
    Io {
        /// The machine.
        address: HostAddress,
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        cause: std::io::Error,
    },
}

impl HostError {
    /// Whether the same again, later, may succeed without anybody changing anything.
    ///
    /// A transient error says nothing about whether the command had its effect.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::SessionRefused { .. }
                | Self::ConnectionLost { .. }
                | Self::TimedOut { .. }
        )
    }

    /// Whether the identity of the machine is in doubt, so that a person has to look.
    #[must_use]
    pub fn is_about_the_host_key(&self) -> bool {
        matches!(
            self,
            Self::HostKeyUnknown { .. }
                | Self::HostKeyChanged(_)
                | Self::HostKeyRevoked(_)
                | Self::HostCertificateRefused(_)
                | Self::KnownHostsUnreadable { .. }
        )
    }
}
