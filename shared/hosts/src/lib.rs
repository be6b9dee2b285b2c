//! Runs commands on a machine: this one, or another one over ssh.
//!
//! A [`HostAddress`] says where, [`connect`] opens the way, [`Host::run`] runs one [`Command`]
//! there and gives its [`Output`]. What takes long goes through [`job`]: it is detached from the
//! connection, survives its loss, and is attached to again. Host keys are checked strictly
//! ([`ssh::known_hosts`]); [`trust`] is how a person teaches them.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use gentoo_updater_hosts::markers::run_between_markers;
//! use gentoo_updater_hosts::{Command, SshSettings, connect};
//!
//! let host = connect(&"local".parse()?, &SshSettings::default()).await?;
//! let command = Command::new("printf").arg("%s").arg("it's; exactly $this").env("LC_ALL", "C");
//! let output = run_between_markers(&*host, &command).await?;
//! assert!(output.status.success());
//! assert_eq!(output.stdout_text(), "it's; exactly $this");
//! # Ok(())
//! # }
//! ```
//!
//! **Invariants.** Only `ssh/` names russh. Only [`quote`] builds text for a shell from data. A
//! command whose exit status never arrived is [`HostError::ConnectionLost`] and never a failure of
//! the command.

pub mod address;
pub mod command;
pub mod error;
pub mod host;
mod host_key;
pub mod job;
mod local;
pub mod markers;
pub mod quote;
pub mod ssh;
pub mod trust;

pub use address::{AddressError, HostAddress, SshAddress};
pub use command::{Command, ExitStatus, Output};
pub use error::{ChangedHostKey, HostError, RefusedHostCertificate, RevokedHostKey};
pub use host::{Connector, Host, SshConfiguration, SshSettings, connect};
pub use host_key::HostKey;
