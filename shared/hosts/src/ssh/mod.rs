//! A machine behind an ssh server.
//!
//! The only part of the house that names russh. One connection is kept per machine and shared by
//! all commands; each command has a channel of its own, which is always drained: an unread channel
//! stops every other one of its connection.

mod algorithms;
mod connection;
mod exec;
mod identity;
pub mod known_hosts;
mod pattern;
pub(crate) mod scan;

use std::sync::Arc;

use async_trait::async_trait;
use russh::ChannelOpenFailure;
use tokio::sync::{Mutex, Semaphore};

use crate::address::{HostAddress, SshAddress};
use crate::command::{Command, Output};
use crate::error::HostError;
use crate::host::{Host, SshSettings};
use connection::Connection;

/// How many commands run at once over one connection: below the 10 that OpenSSH's server allows
/// (sshd_config(5), MaxSessions). More wait for their turn.
const SESSIONS: usize = 8;

/// A machine behind an ssh server.
pub(crate) struct SshHost {
    address: HostAddress,
    ssh: SshAddress,
    settings: SshSettings,
    connection: Mutex<Option<Arc<Connection>>>,
    sessions: Semaphore,
}

impl SshHost {
    /// Connects and logs in.
    pub(crate) async fn open(ssh: SshAddress, settings: SshSettings) -> Result<Self, HostError> {
        let host = Self {
            address: HostAddress::Ssh(ssh.clone()),
            ssh,
            settings,
            connection: Mutex::new(None),
            sessions: Semaphore::new(SESSIONS),
        };
        host.connection().await?;
        Ok(host)
    }

    /// The kept connection, or a new one where it is gone. Whoever comes while it is being opened
    /// waits for it instead of opening another.
    async fn connection(&self) -> Result<Arc<Connection>, HostError> {
        let mut kept = self.connection.lock().await;
        if let Some(connection) = kept.as_ref().filter(|connection| !connection.is_closed()) {
            return Ok(Arc::clone(connection));
        }
        *kept = None;
        let connection = Arc::new(Connection::open(&self.ssh, &self.settings).await?);
        *kept = Some(Arc::clone(&connection));
        Ok(connection)
    }

    /// Forgets a connection that no longer serves, unless another one took its place.
    async fn forget(&self, connection: &Arc<Connection>) {
        let mut kept = self.connection.lock().await;
        if kept
            .as_ref()
            .is_some_and(|kept| Arc::ptr_eq(kept, connection))
        {
            *kept = None;
        }
    }
}

#[async_trait]
impl Host for SshHost {
    async fn run(&self, command: &Command) -> Result<Output, HostError> {
        command
            .validate()
            .map_err(|cause| HostError::InvalidCommand {
                command: command.to_string(),
                cause,
            })?;
        // The semaphore is never closed, so this cannot fail; an error would mean no limit.
        let _turn = self.sessions.acquire().await.ok();
        let mut cause = String::new();
        // A kept connection may be dead without anybody knowing. Until the command is sent, another
        // try with a fresh one does no harm; after that nobody can say what happened.
        for _ in 0..2 {
            let connection = self.connection().await?;
            let opened = tokio::time::timeout(
                self.settings.connect_timeout,
                connection.handle().channel_open_session(),
            );
            match opened.await {
                Ok(Ok(channel)) => {
                    return exec::exec(&self.address, &connection, channel, command).await;
                }
                Ok(Err(russh::Error::ChannelOpenFailure(reason))) => {
                    let cause = match reason {
                        ChannelOpenFailure::AdministrativelyProhibited => {
                            "prohibited by the server".to_owned()
                        }
                        other => format!("{other:?}"),
                    };
                    return Err(HostError::SessionRefused {
                        address: self.address.clone(),
                        cause,
                    });
                }
                Ok(Err(error)) => cause = error.to_string(),
                Err(_) => cause = "the server does not answer any more".to_owned(),
            }
            self.forget(&connection).await;
        }
        Err(HostError::Unreachable {
            address: self.address.clone(),
            cause,
        })
    }

    fn address(&self) -> &HostAddress {
        &self.address
    }
}
