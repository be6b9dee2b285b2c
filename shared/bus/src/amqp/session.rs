//! One life of one connection, and the loop that opens the next.
//!
//! lapin's own recovery is not used: it hides that a consumer has ended. Every fault of a
//! channel ends that channel, every fault of a connection ends that connection, and whoever
//! needs one asks [`Link::channel`] for a new one.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties, Event};
use tokio::sync::{Mutex, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::declare::Declarations;
use super::fault::{Fault, Pause};
use crate::seam::BusError;
use crate::topology::QueueDeclaration;

/// How long a connection may take, its TLS and its login included. lapin itself would wait for
/// as long as the kernel does.
const CONNECT_LIMIT: Duration = Duration::from_secs(20);
/// How long the broker may take for what it does at once.
pub(super) const CALL_LIMIT: Duration = Duration::from_secs(20);
/// How long a farewell may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// A channel on a connection that was alive a moment ago.
pub(super) struct Lease {
    pub(super) channel: Channel,
    /// Whether the broker takes no messages for now (its memory or disk is short).
    pub(super) blocked: watch::Receiver<bool>,
    life: u64,
}

/// One purpose's connection, opened again after every fault.
pub(super) struct Link {
    uri: AMQPUri,
    name: String,
    declarations: Arc<Declarations>,
    session: Mutex<Session>,
    closed: CancellationToken,
}

#[derive(Default)]
struct Session {
    life: u64,
    open: Option<Open>,
    pause: Pause,
}

struct Open {
    connection: Connection,
    blocked: watch::Receiver<bool>,
    _watcher: AbortOnDropHandle<()>,
}

impl Link {
    pub(super) fn new(
        uri: AMQPUri,
        name: String,
        declarations: Arc<Declarations>,
        closed: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self {
            uri,
            name,
            declarations,
            session: Mutex::default(),
            closed,
        })
    }

    /// Cancelled when this process closes the bus.
    pub(super) fn closed(&self) -> &CancellationToken {
        &self.closed
    }

    /// A new channel. Where there is no connection one is opened and everything declared; that
    /// is tried for as long as it takes.
    pub(super) async fn channel(&self) -> Result<Lease, BusError> {
        tokio::select! {
            biased;
            () = self.closed.cancelled() => Err(BusError::Closed),
            lease = self.open_channel() => lease,
        }
    }

    async fn open_channel(&self) -> Result<Lease, BusError> {
        let mut session = self.session.lock().await;
        loop {
            match self.try_channel(&mut session).await {
                Ok(lease) => {
                    session.pause.reset();
                    return Ok(lease);
                }
                Err(fault) => {
                    let cause = fault.passing()?;
                    session.open = None;
                    let pause = session.pause.next();
                    tracing::warn!(
                        connection = self.name,
                        cause,
                        pause_ms = pause.as_millis(),
                        "no connection to the broker"
                    );
                    sleep(pause).await;
                }
            }
        }
    }

    async fn try_channel(&self, session: &mut Session) -> Result<Lease, Fault> {
        let life = session.life;
        let open = match session.open.take() {
            Some(open) if open.connection.status().connected() => open,
            _ => {
                session.life += 1;
                self.connect().await?
            }
        };
        let channel = create_channel(&open.connection).await?;
        if session.life != life {
            // A channel of its own: a refused declaration closes it.
            let own = create_channel(&open.connection).await?;
            self.declarations.declare(&own, None).await?;
            tracing::info!(connection = self.name, "connected to the broker");
        }
        let blocked = open.blocked.clone();
        session.open = Some(open);
        Ok(Lease {
            channel,
            blocked,
            life: session.life,
        })
    }

    async fn connect(&self) -> Result<Open, Fault> {
        let properties =
            ConnectionProperties::default().with_connection_name(self.name.as_str().into());
        let connecting = Connection::connect_uri(self.uri.clone(), properties);
        let connection = timeout(CONNECT_LIMIT, connecting)
            .await
            .map_err(|_| Fault::slow("connecting", CONNECT_LIMIT))??;
        let events = connection.events_listener().boxed();
        let (blocking, blocked) = watch::channel(false);
        let watcher = tokio::spawn(watch_events(self.name.clone(), events, blocking));
        Ok(Open {
            connection,
            blocked,
            _watcher: AbortOnDropHandle::new(watcher),
        })
    }

    /// Gives a connection up that answers no more. A newer one stays.
    pub(super) async fn give_up(&self, lease: &Lease) {
        let mut session = self.session.lock().await;
        if session.life == lease.life
            && let Some(open) = session.open.take()
        {
            farewell(open.connection).await;
        }
    }

    /// Declares everything again, and one more queue: something was deleted while connected.
    pub(super) async fn redeclare(&self, also: Option<&QueueDeclaration>) -> Result<(), Fault> {
        let lease = self.channel().await.map_err(Fault::Fatal)?;
        self.declarations.declare(&lease.channel, also).await
    }

    /// Waits, unless the bus is closed.
    pub(super) async fn pause(&self, pause: Duration) -> Result<(), BusError> {
        tokio::select! {
            () = sleep(pause) => Ok(()),
            () = self.closed.cancelled() => Err(BusError::Closed),
        }
    }

    /// Ends the connection in good order.
    pub(super) async fn close(&self) {
        self.closed.cancel();
        if let Some(open) = self.session.lock().await.open.take() {
            farewell(open.connection).await;
        }
    }
}

async fn create_channel(connection: &Connection) -> Result<Channel, Fault> {
    let created = timeout(CALL_LIMIT, connection.create_channel()).await;
    Ok(created.map_err(|_| Fault::slow("opening a channel", CALL_LIMIT))??)
}

async fn farewell(connection: Connection) {
    let closed = timeout(CLOSE_LIMIT, connection.close(200, "goodbye".into())).await;
    if let Ok(Err(error)) = closed {
        tracing::debug!(%error, "the connection was gone before it was closed");
    }
}

/// Says when the broker takes no messages.
async fn watch_events(
    name: String,
    mut events: BoxStream<'static, Event>,
    blocking: watch::Sender<bool>,
) {
    while let Some(event) = events.next().await {
        match event {
            Event::ConnectionBlocked(cause) => {
                tracing::warn!(connection = name, cause, "the broker takes no messages");
                blocking.send_replace(true);
            }
            Event::ConnectionUnblocked => {
                tracing::info!(connection = name, "the broker takes messages again");
                blocking.send_replace(false);
            }
            _ => {}
        }
    }
}
