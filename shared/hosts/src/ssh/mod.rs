//! A machine behind an ssh server.
//!
//! The only part of the house that names russh. A machine has one connection, which is shared by all
//! commands and kept between them ([`idle`] says for how long); each command has a channel of its own, which is always drained: an unread channel
//! stops every other one of its connection.

mod algorithms;
pub mod certificate;
mod configuration;
mod connection;
mod exec;
mod identity;
pub(crate) mod idle;
mod key_file;
pub mod known_hosts;
mod link;
mod pattern;
pub(crate) mod scan;
pub mod target;
mod uniform;
mod user_certificate;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use russh::Channel;
use russh::client::Msg;
use tokio::sync::Semaphore;

use crate::address::{HostAddress, SshAddress};
use crate::command::{Command, Output};
use crate::error::HostError;
use crate::host::{Host, SshSettings};
use connection::Connection;
use idle::{Idle, Place};

/// How many commands run at once over one connection: below the 10 that OpenSSH's server allows
/// (sshd_config(5), MaxSessions). More wait for their turn.
const SESSIONS: usize = 8;

/// How often a session that the server refuses is asked for again, over 3 seconds in all.
const REFUSALS: u32 = 6;

/// A machine behind an ssh server.
pub(crate) struct SshHost {
    address: HostAddress,
    ssh: SshAddress,
    settings: SshSettings,
    connection: Arc<Place>,
    idle: Idle,
    sessions: Semaphore,
}

impl SshHost {
    /// Connects and logs in.
    pub(crate) async fn open(
        ssh: SshAddress,
        settings: SshSettings,
        idle: Idle,
    ) -> Result<Self, HostError> {
        let host = Self {
            address: HostAddress::Ssh(ssh.clone()),
            ssh,
            settings,
            connection: Arc::default(),
            idle,
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
        // Another one is closed before this one is opened.
        self.idle.used(&self.connection);
        let connection = Arc::new(self.open_anew().await?);
        *kept = Some(Arc::clone(&connection));
        Ok(connection)
    }

    /// The configuration of ssh is read anew for each connection, as by `ssh` itself.
    async fn open_anew(&self) -> Result<Connection, HostError> {
        let target = target::resolve(&self.ssh, &self.settings).await?;
        Connection::open(&target, &self.settings).await
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

    /// A channel for one command. Until the command is sent, more tries do no harm; after that
    /// nobody can say what happened.
    async fn channel(&self) -> Result<(Arc<Connection>, Channel<Msg>), HostError> {
        let (mut refusals, mut losses) = (0, 0);
        loop {
            let connection = self.connection().await?;
            let opened = tokio::time::timeout(
                self.settings.connect_timeout,
                connection.handle().channel_open_session(),
            );
            let cause = match opened.await {
                Ok(Ok(channel)) => return Ok((connection, channel)),
                Ok(Err(russh::Error::ChannelOpenFailure(reason))) => {
                    if refusals == REFUSALS {
                        return Err(HostError::SessionRefused {
                            address: self.address.clone(),
                            cause: format!("{reason:?}; see MaxSessions in sshd_config(5)"),
                        });
                    }
                    // A session counts in the server until its process is gone, which is later
                    // than its close: the next one may come too early.
                    tokio::time::sleep(Duration::from_millis(50) * 2_u32.pow(refusals)).await;
                    refusals += 1;
                    continue;
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => "the server does not answer any more".to_owned(),
            };
            // A kept connection may be dead without anybody knowing.
            self.forget(&connection).await;
            losses += 1;
            if losses == 2 {
                return Err(HostError::Unreachable {
                    address: self.address.clone(),
                    cause,
                });
            }
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
        let (connection, channel) = self.channel().await?;
        let output = exec::exec(&self.address, &connection, channel, command).await;
        drop(connection);
        self.idle.used(&self.connection);
        output
    }

    fn address(&self) -> &HostAddress {
        &self.address
    }
}
