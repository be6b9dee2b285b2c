//! One connection: dialled, its host key verified, logged in.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use russh::client::{self, Handle};
use russh::keys::PublicKeyOrCertificate;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::certificate::HostCertificate;
use super::known_hosts::{HostNames, KnownHosts, Verdict};
use super::link::{Link, dial};
use super::target::{Target, Way};
use super::{algorithms, identity};
use crate::address::HostAddress;
use crate::error::{ChangedHostKey, HostError, RefusedHostCertificate, RevokedHostKey};
use crate::host::SshSettings;
use crate::host_key::HostKey;

/// How many handshakes with one server go on at once. OpenSSH starts to drop connections at random
/// when 10 wait for their login (sshd_config(5), MaxStartups), and others may be logging in too.
const HANDSHAKES: usize = 4;

/// How often a connection is dialled that the server cuts before it showed its key.
const ATTEMPTS: u32 = 5;

/// After so many unanswered questions a server counts as gone.
const KEEPALIVES: usize = 3;

/// A connection that is logged in.
pub(super) struct Connection {
    handle: Handle<Verifier>,
    _link: Link,
}

impl Connection {
    /// Dials, verifies and logs in, again where the server cut the connection before it showed its
    /// key: that is what a busy one does.
    pub(super) async fn open(target: &Target, settings: &SshSettings) -> Result<Self, HostError> {
        // Before the turn: who waits for a jump host must not hold up others meanwhile.
        let jump = open_jump(target, settings).await?;
        let _turn = handshake_turn(target).await;
        let mut attempt = 1;
        loop {
            let shown = Arc::new(AtomicBool::new(false));
            let opened = tokio::time::timeout(
                settings.connect_timeout,
                Self::open_once(target, jump.as_ref(), settings, Arc::clone(&shown)),
            );
            let error = match opened.await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(error)) => error,
                Err(_) => {
                    let limit = settings.connect_timeout;
                    return Err(target.unreachable(format!("no answer within {limit:?}")));
                }
            };
            let cut = error.may_be_a_busy_server() && !shown.load(Ordering::Relaxed);
            if !cut || attempt == ATTEMPTS {
                return Err(error.into_host_error(target));
            }
            tokio::time::sleep(Duration::from_millis(150) * 2_u32.pow(attempt - 1)).await;
            attempt += 1;
        }
    }

    async fn open_once(
        target: &Target,
        jump: Option<&Arc<Self>>,
        settings: &SshSettings,
        shown: Arc<AtomicBool>,
    ) -> Result<Self, Failure> {
        // Read anew for each connection, so that `trust` works on a running process.
        let known = KnownHosts::load_for(&target.names, &target.known_hosts);
        let known = known.map_err(Failure::Final)?;
        let certificates = known.certificate_algorithms(&target.names);
        let config = client::Config {
            preferred: algorithms::preferring(
                &known.algorithms(&target.names),
                certificates.as_deref(),
            ),
            keepalive_interval: Some(settings.keepalive_interval),
            keepalive_max: KEEPALIVES,
            nodelay: true,
            ..client::Config::default()
        };
        let verifier = Verifier {
            address: target.host_address(),
            names: target.names.clone(),
            known,
            shown,
        };
        let (mut handle, link) = dial(target, jump, config, verifier).await?;
        identity::log_in(&mut handle, target)
            .await
            .map_err(Failure::Final)?;
        Ok(Self {
            handle,
            _link: link,
        })
    }

    pub(super) fn handle(&self) -> &Handle<Verifier> {
        &self.handle
    }

    pub(super) fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }
}

/// Opens the connection to the jump host, where there is one on the way.
pub(super) async fn open_jump(
    target: &Target,
    settings: &SshSettings,
) -> Result<Option<Arc<Connection>>, HostError> {
    match &target.way {
        Way::Jump(jump) => {
            let connection = Box::pin(Connection::open(jump, settings)).await?;
            Ok(Some(Arc::new(connection)))
        }
        Way::Direct | Way::Command(_) => Ok(None),
    }
}

/// Waits until this process has few enough handshakes under way with that server.
pub(super) async fn handshake_turn(target: &Target) -> Option<OwnedSemaphorePermit> {
    type Turns = Mutex<HashMap<String, Arc<Semaphore>>>;
    static TURNS: LazyLock<Turns> = LazyLock::new(Turns::default);
    let turns = Arc::clone(
        TURNS
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(target.route())
            .or_insert_with(|| Arc::new(Semaphore::new(HANDSHAKES))),
    );
    // The semaphore is never closed, so there is always a permit.
    turns.acquire_owned().await.ok()
}

/// How the opening of a connection failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The connection ended or the protocol failed.
    Cut(russh::Error),
    /// Another try would not help.
    Final(HostError),
}

impl Failure {
    pub(super) fn cut(error: std::io::Error) -> Self {
        Self::Cut(russh::Error::IO(error))
    }

    fn may_be_a_busy_server(&self) -> bool {
        // Two sides that have no algorithm in common will have none the next time.
        matches!(self, Self::Cut(error) if !matches!(error, russh::Error::NoCommonAlgo { .. }))
    }

    pub(super) fn into_host_error(self, target: &Target) -> HostError {
        match self {
            Self::Cut(error) => target.unreachable(error),
            Self::Final(error) => error,
        }
    }
}

impl From<russh::Error> for Failure {
    fn from(error: russh::Error) -> Self {
        Self::Cut(error)
    }
}

/// Judges the server's key by the known_hosts files.
pub(super) struct Verifier {
    address: HostAddress,
    names: HostNames,
    known: KnownHosts,
    /// Set when the server showed a key: until then a cut connection may be a busy server.
    shown: Arc<AtomicBool>,
}

impl Verifier {
    fn judge(&self, offered: &Offered) -> Result<(), HostError> {
        let address = self.address.clone();
        let key = &offered.key;
        let verdict = match &offered.certificate {
            None => self.known.check(&self.names, key),
            Some(certificate) => {
                // A clock from before 1970 makes no certificate valid.
                let now = SystemTime::now()
                    .duration_since(SystemTime::UNIX_EPOCH)
                    .map_or(0, |since| since.as_secs());
                self.known.check_certificate(&self.names, certificate, now)
            }
        };
        match verdict {
            Verdict::Known => Ok(()),
            Verdict::Unknown => Err(HostError::HostKeyUnknown {
                address,
                algorithm: key.algorithm().to_owned(),
                fingerprint: key.fingerprint(),
            }),
            Verdict::Changed(entry) => Err(HostError::HostKeyChanged(Box::new(ChangedHostKey {
                address,
                algorithm: key.algorithm().to_owned(),
                file: entry.file.to_path_buf(),
                line: entry.line,
                known: described(&entry.key),
                offered: key.fingerprint(),
            }))),
            Verdict::Revoked(entry) => Err(HostError::HostKeyRevoked(Box::new(RevokedHostKey {
                address,
                algorithm: entry.key.algorithm().to_owned(),
                fingerprint: entry.key.fingerprint(),
                is_authority: entry.key != *key,
                file: entry.file.to_path_buf(),
                line: entry.line,
            }))),
            Verdict::CertificateRefused(entry, problem) => Err(HostError::HostCertificateRefused(
                Box::new(RefusedHostCertificate {
                    address,
                    key: described(key),
                    authority: offered
                        .certificate
                        .as_ref()
                        .map(|certificate| described(&certificate.authority))
                        .unwrap_or_default(),
                    known: described(&entry.key),
                    file: entry.file.to_path_buf(),
                    line: entry.line,
                    problem,
                }),
            )),
        }
    }
}

fn described(key: &HostKey) -> String {
    format!("{} {}", key.algorithm(), key.fingerprint())
}

impl client::Handler for Verifier {
    type Error = Failure;

    async fn check_server_key(
        &mut self,
        offered: &PublicKeyOrCertificate,
    ) -> Result<bool, Failure> {
        self.shown.store(true, Ordering::Relaxed);
        let offered = Offered::read(offered)?;
        self.judge(&offered).map(|()| true).map_err(Failure::Final)
    }
}

/// What a server shows: its key, and what vouches for it. That it holds the key was verified before,
/// by its signature over the exchange.
pub(super) struct Offered {
    pub(super) key: HostKey,
    certificate: Option<HostCertificate>,
}

impl Offered {
    pub(super) fn read(offered: &PublicKeyOrCertificate) -> Result<Self, Failure> {
        let read = match offered {
            PublicKeyOrCertificate::PublicKey { key, .. } => {
                let key = key.to_bytes().ok().and_then(HostKey::from_blob);
                key.map(|key| (key, None))
            }
            PublicKeyOrCertificate::Certificate(certificate) => HostCertificate::read(certificate)
                .map(|certificate| (certificate.key.clone(), Some(certificate))),
        };
        let (key, certificate) = read.ok_or(Failure::Cut(russh::Error::CouldNotReadKey))?;
        Ok(Self { key, certificate })
    }
}
