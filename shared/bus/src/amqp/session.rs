//! One life of one connection, and the loop that opens the next.
//!
//! lapin's own recovery is not used: it hides that a consumer has ended. Every fault of a
//! channel ends that channel, every fault of a connection ends that connection, and whoever
//! needs one asks [`Link::channel`] for a new one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use lapin::{Channel, Connection, ConnectionProperties, ConnectionStatus, Event};
use tokio::sync::{Mutex, Notify, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::declare::Declarations;
use super::fault::{FRAME_ERROR, Fault, Pause, reply_code};
use super::health::{HealthBoard, Purpose};
use super::tls::Address;
use crate::meters::CONNECTIONS;
use crate::seam::{BusError, Health};
use crate::topology::QueueDeclaration;

/// How long a connection may take, its TLS and its login included. lapin itself would wait for
/// as long as the kernel does.
pub(super) const CONNECT_LIMIT: Duration = Duration::from_secs(20);
/// How long the broker may take for what it does at once.
pub(super) const CALL_LIMIT: Duration = Duration::from_secs(20);
/// The largest frame, in bytes. lapin keeps room for 64 of them for each connection, and the
/// 128 KiB of a broker would make that more than all the rest of a worker.
const FRAME_MAX: u32 = 16 * 1024;
/// How long a farewell may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// A channel on a connection that was alive a moment ago.
pub(super) struct Lease {
    pub(super) channel: Channel,
    /// Why the broker takes no messages for now (its memory or disk is short), in its words.
    pub(super) blocked: watch::Receiver<Option<String>>,
    /// Which of the connections that this link has had it is on.
    pub(super) life: u64,
}

/// One purpose's connection, opened again after every fault.
pub(super) struct Link {
    address: Address,
    purpose: Purpose,
    health: Arc<HealthBoard>,
    name: String,
    declarations: Arc<Declarations>,
    /// Whether somebody sent a frame larger than ours. What a message says of itself cannot be
    /// divided, and a broker passes it on as large as it was.
    needs_large_frames: Arc<AtomicBool>,
    session: Mutex<Session>,
    /// Told when the connection is lost.
    lost: Arc<Notify>,
    closed: CancellationToken,
    quiet: Duration,
}

#[derive(Default)]
struct Session {
    life: u64,
    open: Option<Open>,
    pause: Pause,
}

/// A connection that is open.
pub(super) struct Open {
    connection: Connection,
    blocked: watch::Receiver<Option<String>>,
    /// Whether the topology was declared on it.
    is_declared: bool,
    _watcher: AbortOnDropHandle<()>,
}

impl Link {
    pub(super) fn new(
        name: String,
        address: Address,
        declarations: Arc<Declarations>,
        purpose: Purpose,
        health: Arc<HealthBoard>,
        closed: CancellationToken,
        quiet: Duration,
    ) -> Arc<Self> {
        let verb = match purpose {
            Purpose::Publishing => "publishes",
            Purpose::Consuming => "consumes",
        };
        Arc::new(Self {
            address,
            purpose,
            health,
            name: format!("{name} {verb}"),
            declarations,
            needs_large_frames: Arc::default(),
            session: Mutex::default(),
            lost: Arc::default(),
            closed,
            quiet,
        })
    }

    /// Cancelled when this process closes the bus.
    pub(super) fn closed(&self) -> &CancellationToken {
        &self.closed
    }

    /// How long a consumer may be without a message before it is opened anew.
    pub(super) fn quiet(&self) -> Duration {
        self.quiet
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

    /// Opens the connection again whenever it is lost, also while nobody needs it. Who only listens would
    /// otherwise take the broker for lost for ever: what is lost is known at once, and what is back only by
    /// trying.
    pub(super) async fn keep(self: Arc<Self>) {
        loop {
            self.lost.notified().await;
            match self.channel().await {
                Ok(_) => {}
                Err(BusError::Closed) => return,
                // Whoever needs it is told, too, and decides.
                Err(error) => {
                    tracing::warn!(connection = self.name, %error, "not connected to the broker again");
                }
            }
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
                    self.say(Health::Disconnected(cause.clone()));
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

    /// It may be cancelled: the connection stays in the session, with all that others do on it.
    async fn try_channel(&self, session: &mut Session) -> Result<Lease, Fault> {
        let open = match &mut session.open {
            Some(open) if open.connection.status().connected() => open,
            open => {
                *open = None;
                session.life += 1;
                open.insert(self.connect().await?)
            }
        };
        let channel = open.create_channel().await?;
        if !open.is_declared {
            self.declarations.declare(open, None).await?;
            open.is_declared = true;
            CONNECTIONS.count([]);
            tracing::info!(connection = self.name, "connected to the broker");
            // An alarm is told to who publishes, so nothing is known of one here.
            self.say(Health::Good);
        }
        Ok(Lease {
            channel,
            blocked: open.blocked.clone(),
            life: session.life,
        })
    }

    async fn connect(&self) -> Result<Open, Fault> {
        let properties =
            ConnectionProperties::default().with_connection_name(self.name.as_str().into());
        let needs_large_frames = self.needs_large_frames.load(Ordering::Relaxed);
        let frame_max = (!needs_large_frames).then_some(FRAME_MAX);
        let connecting = self.address.connect(properties, frame_max);
        let user = &self.address.uri.authority.userinfo.username;
        let connection = timeout(CONNECT_LIMIT, connecting)
            .await
            .map_err(|_| Fault::slow("connecting", CONNECT_LIMIT))?
            .map_err(|error| Fault::of_login(error, user))?;
        let events = connection.events_listener().boxed();
        let (blocking, blocked) = watch::channel(None);
        let watcher = Watcher {
            name: self.name.clone(),
            purpose: self.purpose,
            health: self.health.clone(),
            lost: self.lost.clone(),
            needs_large_frames: self.needs_large_frames.clone(),
            status: connection.status().clone(),
            blocking,
        };
        let watching = tokio::spawn(watcher.watch(events));
        Ok(Open {
            connection,
            blocked,
            is_declared: false,
            _watcher: AbortOnDropHandle::new(watching),
        })
    }

    fn say(&self, health: Health) {
        self.health.say(self.purpose, health);
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
        // Where there is no connection this opens one, and keeps it open meanwhile.
        let _lease = self.channel().await.map_err(Fault::Fatal)?;
        match &self.session.lock().await.open {
            Some(open) => self.declarations.declare(open, also).await,
            None => Err(Fault::Passing("the connection was given up".to_owned())),
        }
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

impl Open {
    pub(super) async fn create_channel(&self) -> Result<Channel, Fault> {
        let created = self.connection.create_channel();
        tokio::pin!(created);
        loop {
            if let Ok(created) = timeout(CALL_LIMIT, &mut created).await {
                return Ok(created?);
            }
            // lapin sends nothing to a broker in alarm, and another connection would not help.
            if self.blocked.borrow().is_none() {
                return Err(Fault::slow("opening a channel", CALL_LIMIT));
            }
        }
    }
}

pub(super) async fn farewell(connection: Connection) {
    let closed = timeout(CLOSE_LIMIT, connection.close(200, "goodbye".into())).await;
    if let Ok(Err(error)) = closed {
        tracing::debug!(%error, "the connection was gone before it was closed");
    }
}

/// Says when the broker takes no messages, and when the connection is lost.
struct Watcher {
    name: String,
    purpose: Purpose,
    health: Arc<HealthBoard>,
    lost: Arc<Notify>,
    needs_large_frames: Arc<AtomicBool>,
    status: ConnectionStatus,
    blocking: watch::Sender<Option<String>>,
}

impl Watcher {
    async fn watch(self, mut events: BoxStream<'static, Event>) {
        let connection = &self.name;
        while let Some(event) = events.next().await {
            let health = match event {
                Event::ConnectionBlocked(cause) => {
                    tracing::warn!(connection, cause, "the broker takes no messages");
                    Health::Blocked(cause)
                }
                Event::ConnectionUnblocked => {
                    tracing::info!(connection, "the broker takes messages again");
                    Health::Good
                }
                // Errors of single channels come this way too.
                Event::Error(error) if !self.status.connected() => {
                    if reply_code(&error) == Some(FRAME_ERROR) {
                        self.needs_large_frames.store(true, Ordering::Relaxed);
                    }
                    Health::Disconnected(error.to_string())
                }
                _ => continue,
            };
            self.health.say(self.purpose, health.clone());
            // Who waits for this may ask for the health at once, so that was said before.
            match health {
                Health::Blocked(cause) => drop(self.blocking.send_replace(Some(cause))),
                Health::Good => drop(self.blocking.send_replace(None)),
                Health::Disconnected(_) => self.lost.notify_one(),
            }
        }
    }
}
