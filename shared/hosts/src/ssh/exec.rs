//! One command in one channel (RFC 4254, section 6.5).

use std::sync::Arc;

use russh::client::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig};

use super::connection::Connection;
use crate::address::HostAddress;
use crate::command::{Command, ExitStatus, OUTPUT_LIMIT, Output};
use crate::error::HostError;
use crate::quote;

/// The number of the stream that carries standard error (SSH_EXTENDED_DATA_STDERR).
const STDERR: u32 = 1;

/// Runs the command and drains its channel to the end.
pub(super) async fn exec(
    address: &HostAddress,
    connection: &Arc<Connection>,
    channel: Channel<Msg>,
    command: &Command,
) -> Result<Output, HostError> {
    let (reader, writer) = channel.split();
    let mut closing = Closing {
        writer: Some(Arc::new(writer)),
        // The connection must live until the channel is closed, even when it was replaced.
        _connection: Arc::clone(connection),
    };
    let result = tokio::time::timeout(
        command.timeout,
        converse(address, reader, closing.writer.as_deref(), command),
    )
    .await
    .unwrap_or_else(|_| {
        Err(HostError::TimedOut {
            address: address.clone(),
            command: command.to_string(),
            after: command.timeout,
        })
    });
    if result.is_ok() {
        // Both sides have closed the channel.
        closing.writer = None;
    }
    result
}

/// Ends the remote command as far as the server allows, and closes its channel, when the caller
/// stops waiting or the command failed to end.
struct Closing {
    writer: Option<Arc<ChannelWriteHalf<Msg>>>,
    _connection: Arc<Connection>,
}

impl Drop for Closing {
    fn drop(&mut self) {
        let (Some(writer), Ok(runtime)) =
            (self.writer.take(), tokio::runtime::Handle::try_current())
        else {
            return;
        };
        let connection = Arc::clone(&self._connection);
        runtime.spawn(async move {
            // Errors here mean that the connection is gone, and the channel with it.
            let _ = writer.signal(Sig::TERM).await;
            let _ = writer.close().await;
            drop(connection);
        });
    }
}

async fn converse(
    address: &HostAddress,
    reader: ChannelReadHalf,
    writer: Option<&ChannelWriteHalf<Msg>>,
    command: &Command,
) -> Result<Output, HostError> {
    let Some(writer) = writer else {
        return Err(lost(address, "the channel is closed"));
    };
    writer
        .exec(true, quote::exec_line(command))
        .await
        .map_err(|error| lost(address, error))?;
    let feed = async {
        // Errors mean that the command ended without reading all, or that the connection is gone;
        // the reading side tells which.
        if let Some(input) = &command.stdin {
            let _ = writer.data_bytes(input.clone()).await;
        }
        let _ = writer.eof().await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        output = drain(address, reader, command) => output,
        () = feed => Err(lost(address, "the channel is closed")),
    }
}

async fn drain(
    address: &HostAddress,
    mut reader: ChannelReadHalf,
    command: &Command,
) -> Result<Output, HostError> {
    let (mut stdout, mut stderr, mut status) = (Vec::new(), Vec::new(), None);
    // The status may come before or after the end of the output: only the close is the end.
    loop {
        match reader.wait().await {
            Some(ChannelMsg::Data { data }) => stdout.extend_from_slice(&data),
            Some(ChannelMsg::ExtendedData { data, ext: STDERR }) => {
                stderr.extend_from_slice(&data);
            }
            Some(ChannelMsg::ExitStatus { exit_status }) => {
                status = Some(ExitStatus::Code(exit_status.cast_signed()));
            }
            Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                status = Some(ExitStatus::Signal(name_of(&signal_name)));
            }
            Some(ChannelMsg::Failure) => {
                return Err(HostError::SessionRefused {
                    address: address.clone(),
                    cause: "the server runs no commands for this user".to_owned(),
                });
            }
            Some(ChannelMsg::Close) | None => break,
            Some(_) => {}
        }
        if stdout.len() > OUTPUT_LIMIT || stderr.len() > OUTPUT_LIMIT {
            return Err(HostError::OutputTooLarge {
                address: address.clone(),
                command: command.to_string(),
                limit: OUTPUT_LIMIT,
            });
        }
    }
    let status = status.ok_or_else(|| lost(address, "no exit status came"))?;
    Ok(Output {
        status,
        stdout,
        stderr,
    })
}

fn lost(address: &HostAddress, cause: impl ToString) -> HostError {
    HostError::ConnectionLost {
        address: address.clone(),
        cause: cause.to_string(),
    }
}

fn name_of(signal: &Sig) -> String {
    match signal {
        Sig::Custom(name) => name.clone(),
        // Its derived text is the very name.
        named => format!("{named:?}"),
    }
}
