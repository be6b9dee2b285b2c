//! One connection: dialled, its host key verified, logged in.

use std::collections::HashMap;
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use russh::client::{self, Handle};
use russh::keys::PublicKeyOrCertificate;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::certificate::HostCertificate;
use super::known_hosts::{HostNames, KnownHosts, Verdict};
use super::{algorithms, identity};
use crate::address::{HostAddress, SshAddress};
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
    _socket: Socket,
}

/// The TCP connection, which ends when this is dropped. russh leaves its task running when the
/// caller gives up in the middle of a handshake; that would keep the connection open.
pub(super) struct Socket(std::net::TcpStream);

impl Drop for Socket {
    fn drop(&mut self) {
        // An error means that it is closed already.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

impl Connection {
    /// Dials, verifies and logs in, again where the server cut the connection before it showed its
    /// key: that is what a busy one does.
    pub(super) async fn open(ssh: &SshAddress, settings: &SshSettings) -> Result<Self, HostError> {
        let _turn = handshake_turn(ssh).await;
        let mut attempt = 1;
        loop {
            let shown = Arc::new(AtomicBool::new(false));
            let opened = tokio::time::timeout(
                settings.connect_timeout,
                Self::open_once(ssh, settings, Arc::clone(&shown)),
            );
            let error = match opened.await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(error)) => error,
                Err(_) => {
                    return Err(unreachable(
                        ssh,
                        format!("no answer within {:?}", settings.connect_timeout),
                    ));
                }
            };
            let cut = error.may_be_a_busy_server() && !shown.load(Ordering::Relaxed);
            if !cut || attempt == ATTEMPTS {
                return Err(error.into_host_error(ssh));
            }
            tokio::time::sleep(Duration::from_millis(150) * 2_u32.pow(attempt - 1)).await;
            attempt += 1;
        }
    }

    async fn open_once(
        ssh: &SshAddress,
        settings: &SshSettings,
        shown: Arc<AtomicBool>,
    ) -> Result<Self, Failure> {
        // Read anew for each connection, so that `trust` works on a running process.
        let known = KnownHosts::load(&settings.known_hosts).map_err(Failure::Final)?;
        let names = HostNames::of(ssh.host(), ssh.port());
        let certificates = known.certificate_algorithms(&names);
        let config = client::Config {
            preferred: algorithms::preferring(&known.algorithms(&names), certificates.as_deref()),
            keepalive_interval: Some(settings.keepalive_interval),
            keepalive_max: KEEPALIVES,
            nodelay: true,
            ..client::Config::default()
        };
        let verifier = Verifier {
            ssh: ssh.clone(),
            names,
            known,
            shown,
        };
        let (mut handle, socket) = dial(ssh, config, verifier).await?;
        identity::log_in(&mut handle, ssh, &settings.identity_files)
            .await
            .map_err(Failure::Final)?;
        Ok(Self {
            handle,
            _socket: socket,
        })
    }

    pub(super) fn handle(&self) -> &Handle<Verifier> {
        &self.handle
    }

    pub(super) fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }
}

/// Opens the TCP connection and does the key exchange, which ends with the handler's judgement.
pub(super) async fn dial<H>(
    ssh: &SshAddress,
    config: client::Config,
    handler: H,
) -> Result<(Handle<H>, Socket), Failure>
where
    H: client::Handler<Error = Failure> + 'static,
{
    let stream = TcpStream::connect((ssh.host(), ssh.port()))
        .await
        .map_err(|error| Failure::Final(unreachable(ssh, error)))?;
    let stream = stream.into_std().map_err(Failure::cut)?;
    let socket = Socket(stream.try_clone().map_err(Failure::cut)?);
    let stream = TcpStream::from_std(stream).map_err(Failure::cut)?;
    // `connect_stream` does not look at this setting.
    if config.nodelay {
        stream.set_nodelay(true).map_err(Failure::cut)?;
    }
    let handle = client::connect_stream(Arc::new(config), stream, handler).await?;
    Ok((handle, socket))
}

/// Waits until this process has few enough handshakes under way with that server.
pub(super) async fn handshake_turn(ssh: &SshAddress) -> Option<OwnedSemaphorePermit> {
    type Turns = Mutex<HashMap<(String, u16), Arc<Semaphore>>>;
    static TURNS: LazyLock<Turns> = LazyLock::new(Turns::default);
    let turns = Arc::clone(
        TURNS
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry((ssh.host().to_owned(), ssh.port()))
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
    fn cut(error: std::io::Error) -> Self {
        Self::Cut(russh::Error::IO(error))
    }

    fn may_be_a_busy_server(&self) -> bool {
        // Two sides that have no algorithm in common will have none the next time.
        matches!(self, Self::Cut(error) if !matches!(error, russh::Error::NoCommonAlgo { .. }))
    }

    pub(super) fn into_host_error(self, ssh: &SshAddress) -> HostError {
        match self {
            Self::Cut(error) => unreachable(ssh, error),
            Self::Final(error) => error,
        }
    }
}

impl From<russh::Error> for Failure {
    fn from(error: russh::Error) -> Self {
        Self::Cut(error)
    }
}

pub(super) fn unreachable(ssh: &SshAddress, cause: impl ToString) -> HostError {
    HostError::Unreachable {
        address: HostAddress::Ssh(ssh.clone()),
        cause: cause.to_string(),
    }
}

/// Judges the server's key by the known_hosts files.
pub(super) struct Verifier {
    ssh: SshAddress,
    names: HostNames,
    known: KnownHosts,
    /// Set when the server showed a key: until then a cut connection may be a busy server.
    shown: Arc<AtomicBool>,
}

impl Verifier {
    fn judge(&self, offered: &Offered) -> Result<(), HostError> {
        let address = HostAddress::Ssh(self.ssh.clone());
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
