//! From a name in the configuration to a machine.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use gentoo_updater_fleet::config::{Settings, SshConfig, without_passwords};
use gentoo_updater_fleet::message::{Failure, FailureClass};
use gentoo_updater_fleet::name::{BuilderName, GuestName};
use gentoo_updater_hosts::markers::run_between_markers;
use gentoo_updater_hosts::{
    AddressError, Command, Connector, Host, HostAddress, HostError, Output, SshConfiguration,
    SshSettings,
};
use tokio::sync::Mutex;

/// An address in the configuration is none.
#[derive(Debug, thiserror::Error)]
#[error("{table}.address: {}", without_passwords(&cause.to_string()))]
pub struct AddressProblem {
    table: String,
    cause: AddressError,
}

/// The machines of a fleet. A connection is opened when it is needed, and kept for a while.
pub struct Machines {
    settings: Arc<Settings>,
    connector: Connector,
    open: Mutex<HashMap<HostAddress, Arc<dyn Host>>>,
}

impl Machines {
    /// The machines that the configuration names.
    pub fn new(settings: Arc<Settings>) -> Self {
        Self {
            connector: Connector::new(ssh_settings(&settings)),
            settings,
            open: Mutex::default(),
        }
    }

    /// The guest of this name.
    ///
    /// # Errors
    /// A failure that names the cause: off, host key unknown or changed, refused.
    pub async fn guest(&self, name: &GuestName) -> Result<Arc<dyn Host>, Failure> {
        let guest = self
            .settings
            .guests
            .get(name)
            .ok_or_else(|| unknown("guest", name.as_str()))?;
        self.open(&guest.address).await
    }

    /// The builder of this name.
    ///
    /// # Errors
    /// As [`Machines::guest`].
    pub async fn builder(&self, name: &BuilderName) -> Result<Arc<dyn Host>, Failure> {
        let builder = self
            .settings
            .builders
            .get(name)
            .ok_or_else(|| unknown("builder", name.as_str()))?;
        self.open(&builder.address).await
    }

    async fn open(&self, address: &str) -> Result<Arc<dyn Host>, Failure> {
        let address: HostAddress = address.parse().map_err(|error: AddressError| {
            let message = without_passwords(&error.to_string());
            Failure::new(FailureClass::Permanent, "AddressInvalid", message)
        })?;
        if let Some(host) = self.open.lock().await.get(&address) {
            return Ok(host.clone());
        }
        // The lock is not held over the connect: one dead machine must not hold the others up.
        let host = self.connector.connect(&address).await;
        let host = host.map_err(|error| failure_of_host(&error))?;
        Ok(self
            .open
            .lock()
            .await
            .entry(address)
            .or_insert(host)
            .clone())
    }
}

/// How to open connections, as the configuration says.
pub fn ssh_settings(settings: &Settings) -> SshSettings {
    let ssh = &settings.ssh;
    SshSettings {
        known_hosts: ssh.known_hosts.clone(),
        known_hosts_of_ssh: !ssh.known_hosts_are_given,
        identity_files: ssh.identity_files.clone(),
        configuration: match &ssh.config {
            SshConfig::None => SshConfiguration::None,
            SshConfig::OfSsh => SshConfiguration::OfSsh,
            SshConfig::File(file) => SshConfiguration::File(file.clone()),
        },
        connect_timeout: ssh.connect_timeout,
        keepalive_interval: Duration::from_secs(15),
    }
}

/// Checks that every address of the configuration is one.
pub(crate) fn check_addresses(settings: &Settings) -> Result<(), AddressProblem> {
    let guests = settings
        .guests
        .iter()
        .map(|(name, g)| (format!("guests.{name}"), &g.address));
    let builders = settings
        .builders
        .iter()
        .map(|(name, b)| (format!("builders.{name}"), &b.address));
    for (table, address) in guests.chain(builders) {
        address
            .parse::<HostAddress>()
            .map_err(|cause| AddressProblem { table, cause })?;
    }
    Ok(())
}

fn unknown(what: &str, name: &str) -> Failure {
    Failure::new(
        FailureClass::Permanent,
        "MachineUnknown",
        format!(
            "this worker's configuration names no {what} {name}; give all workers the same file"
        ),
    )
}

/// What an error on the way to a machine means for the next attempt.
pub fn failure_of_host(error: &HostError) -> Failure {
    let cause = match error {
        HostError::Unreachable { .. } => "Unreachable",
        HostError::HostKeyUnknown { .. } => "HostKeyUnknown",
        HostError::HostKeyChanged(_) => "HostKeyChanged",
        HostError::HostKeyRevoked(_) => "HostKeyRevoked",
        HostError::HostCertificateRefused(_) => "HostCertificateRefused",
        HostError::KnownHostsUnreadable { .. } => "KnownHostsUnreadable",
        HostError::SshConfiguration { .. } => "SshConfiguration",
        HostError::AuthenticationRefused { .. } => "AuthenticationRefused",
        HostError::SessionRefused { .. } => "SessionRefused",
        HostError::ConnectionLost { .. } => "ConnectionLost",
        HostError::TimedOut { .. } => "TimedOut",
        HostError::OutputTooLarge { .. } => "OutputTooLarge",
        HostError::InvalidCommand { .. } => "InvalidCommand",
        HostError::MarkMissing { .. } => "MarkMissing",
        HostError::Io { .. } => "Io",
    };
    let class = if error.is_transient() {
        FailureClass::Transient
    } else {
        FailureClass::Permanent
    };
    Failure::new(class, cause, error.to_string())
}

/// Runs a command whose standard output is read as data: what the machine's start-up files print
/// around it is cut off.
///
/// # Errors
/// As [`failure_of_host`] says. A command that fails is no error.
pub async fn ask(host: &dyn Host, command: &Command) -> Result<Output, Failure> {
    run_between_markers(host, command)
        .await
        .map_err(|error| failure_of_host(&error))
}
