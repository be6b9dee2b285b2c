//! The seam: a machine that runs commands.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::address::HostAddress;
use crate::command::{Command, Output};
use crate::error::HostError;
use crate::local::LocalHost;
use crate::ssh::SshHost;
use crate::ssh::idle::Idle;

/// A machine that runs commands.
#[async_trait]
pub trait Host: Send + Sync {
    /// Runs one command to its end: until it exited and nobody holds its output any more.
    ///
    /// A command that fails is an [`Output`] with its status, not an error. When the timeout
    /// passes, a local command and its process group get SIGTERM and, 5 seconds later, SIGKILL. An
    /// ssh server is asked to do so, but it may refuse, and OpenSSH does for root: then the command
    /// lives on until it prints. What may take long, and must be ended for sure, is a
    /// [`job`](crate::job).
    ///
    /// # Errors
    /// [`HostError`]; see [`HostError::is_transient`].
    async fn run(&self, command: &Command) -> Result<Output, HostError>;

    /// Where this machine is.
    fn address(&self) -> &HostAddress;
}

/// How to open ssh connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshSettings {
    /// The files with the host keys that are trusted. A file that is not there is an empty one.
    pub known_hosts: Vec<PathBuf>,
    /// Whether those that ssh's configuration names count, too.
    pub known_hosts_of_ssh: bool,
    /// Private keys to log in with, in this order. One that is not there is passed over; one that
    /// is encrypted, or of which only the public half is there, is the agent's to use. `None`: those
    /// that ssh's configuration names, and all of the agent.
    pub identity_files: Option<Vec<PathBuf>>,
    /// The configuration of ssh that is followed.
    pub configuration: SshConfiguration,
    /// How long one attempt to connect and log in may take.
    pub connect_timeout: Duration,
    /// After how much silence the server is asked whether it is there. A dead path is found after
    /// 4 such intervals.
    pub keepalive_interval: Duration,
}

/// Which configuration of ssh is followed (ssh_config(5)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SshConfiguration {
    /// None.
    None,
    /// What `ssh` reads by itself: `~/.ssh/config` and `/etc/ssh/ssh_config`.
    OfSsh,
    /// This file alone, as with `ssh -F`.
    File(PathBuf),
}

impl Default for SshSettings {
    /// The known_hosts files of OpenSSH's client, `~/.ssh/known_hosts` and
    /// `/etc/ssh/ssh_known_hosts`, and the keys `~/.ssh/id_ed25519`, `id_ecdsa` and `id_rsa`
    /// (ssh_config(5)), without its configuration.
    fn default() -> Self {
        Self {
            known_hosts: known_hosts_of_ssh().to_vec(),
            known_hosts_of_ssh: false,
            identity_files: None,
            configuration: SshConfiguration::None,
            connect_timeout: Duration::from_secs(20),
            keepalive_interval: Duration::from_secs(15),
        }
    }
}

/// The known_hosts files that ssh reads where no configuration names others.
pub(crate) fn known_hosts_of_ssh() -> [PathBuf; 2] {
    [
        ssh_folder().join("known_hosts"),
        PathBuf::from("/etc/ssh/ssh_known_hosts"),
    ]
}

/// Where a user's files of ssh are; root's where there is no user, as in a service.
pub(crate) fn ssh_folder() -> PathBuf {
    std::env::var_os("HOME").map_or_else(
        || PathBuf::from("/root/.ssh"),
        |home| PathBuf::from(home).join(".ssh"),
    )
}

/// The ways to machines. Connections that nobody uses are closed when there are many of them.
#[derive(Debug, Clone)]
pub struct Connector {
    settings: SshSettings,
    idle: Idle,
}

impl Connector {
    /// For connections that are opened as these settings say.
    pub fn new(settings: SshSettings) -> Self {
        Self {
            settings,
            idle: Idle::default(),
        }
    }

    /// Opens the way to a machine.
    ///
    /// Over ssh one connection is opened now, kept, shared by all commands, and opened again when it
    /// broke or had not been used for long.
    ///
    /// # Errors
    /// [`HostError`] when the machine cannot be reached, is not the one that known_hosts knows, or
    /// does not let us in.
    pub async fn connect(&self, address: &HostAddress) -> Result<Arc<dyn Host>, HostError> {
        match address {
            HostAddress::Local => Ok(Arc::new(LocalHost::new())),
            HostAddress::Ssh(ssh) => {
                let (settings, idle) = (self.settings.clone(), self.idle.clone());
                let host = SshHost::open(ssh.clone(), settings, idle).await?;
                Ok(Arc::new(host))
            }
        }
    }
}

/// Opens the way to one machine; see [`Connector::connect`].
///
/// # Errors
/// As [`Connector::connect`].
pub async fn connect(
    address: &HostAddress,
    settings: &SshSettings,
) -> Result<Arc<dyn Host>, HostError> {
    Connector::new(settings.clone()).connect(address).await
}
