//! The bus over RabbitMQ.
//!
//! Two connections a process: a broker in alarm stops to read from one that publishes, and
//! acknowledgements on the same connection would stop with it.

mod channel;
mod commands;
mod consumers;
mod dead;
mod declare;
mod events;
mod examine;
mod fault;
mod greeting;
mod headers;
mod health;
mod held;
mod history;
mod identity;
mod incoming;
mod inspect;
mod letters;
mod listener;
mod look;
mod opening;
mod probe;
mod publisher;
mod retention;
mod session;
mod snapshots;
mod stream;
mod tls;
mod url;
mod way_back;

pub use examine::{Examination, Examined, TopologyFound, Unreached, examine};
pub use url::{check_url, password_of, url_for, vhost_of};

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gentoo_updater_fleet::authority::Users;
use gentoo_updater_fleet::message::{Command, Envelope, Event};
use gentoo_updater_fleet::snapshot::Snapshot;
use lapin::BasicProperties;
use lapin::uri::AMQPUri;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use self::commands::AmqpCommands;
use self::dead::Letter;
use self::declare::Declarations;
use self::events::{AmqpAlive, AmqpWakeups};
use self::health::{HealthBoard, Purpose};
use self::history::AmqpHistory;
use self::incoming::Authority;
use self::publisher::{Outgoing, Publisher};
use self::session::Link;
use self::tls::Address;
use crate::meters::Sent;
use crate::seam::{Alive, Bus, BusError, Commands, Health, History, Position, QueueState, Wakeups};
use crate::topology::{self, ALIVE_EXPIRATION, COMMANDS, EVENTS, Topology};

/// Seconds between heartbeats. lapin gives a silent connection up after twice that.
const HEARTBEAT: u16 = 20;

/// Where the broker is, and what is declared on it.
#[derive(Clone)]
pub struct BrokerSettings {
    /// `amqp://user:password@host:port/vhost`, or `amqps://…`.
    pub url: String,
    /// The certificate authorities of the broker, in PEM, beside those of the system.
    pub ca: Option<PathBuf>,
    /// What the broker shows as the name of the connections.
    pub name: String,
    /// The machines of the fleet.
    pub topology: Topology,
    /// The users of the fleet, where each role and each guest has one of its own. What a user may
    /// not say is then refused by every reader.
    pub users: Option<Users>,
    /// After so long without a message a consumer is opened anew; [`QUIET`] for fleets. One that the
    /// broker knows nothing of any more cannot be told from one of a queue in which nothing comes.
    pub quiet: Duration,
}

/// How long a consumer of a fleet may be without a message before it is opened anew.
pub const QUIET: Duration = Duration::from_secs(60);

impl fmt::Debug for BrokerSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL holds a password.
        f.debug_struct("BrokerSettings")
            .field("name", &self.name)
            .field("ca", &self.ca)
            .finish_non_exhaustive()
    }
}

/// The bus over RabbitMQ.
pub struct Amqp {
    publishing: Arc<Link>,
    consuming: Arc<Link>,
    publisher: Arc<Publisher>,
    authority: Arc<Authority>,
    health: Arc<HealthBoard>,
    _keeping: AbortOnDropHandle<()>,
}

impl Amqp {
    /// Connects and declares the topology. While the broker is not there it tries again, for as
    /// long as it takes.
    ///
    /// # Errors
    /// [`BusError::Url`], [`BusError::Certificates`], [`BusError::Untrusted`],
    /// [`BusError::LoginRefused`], [`BusError::VhostRefused`], [`BusError::WrongUser`],
    /// [`BusError::AccessRefused`] and [`BusError::DeclaredOtherwise`].
    pub async fn open(settings: BrokerSettings) -> Result<Self, BusError> {
        let address = Address::new(parse(&settings.url)?, settings.ca.as_deref()).await?;
        let user = address.uri.authority.userinfo.username.clone();
        let authority = Arc::new(Authority::new(user, settings.users)?);
        let (closed, health) = (CancellationToken::new(), Arc::new(HealthBoard::default()));
        let declarations = Arc::new(Declarations::new(settings.topology, authority.clone()));
        let link = |purpose| {
            let (name, closed) = (settings.name.clone(), closed.clone());
            let (address, health) = (address.clone(), health.clone());
            let quiet = settings.quiet;
            let declarations = declarations.clone();
            Link::new(name, address, declarations, purpose, health, closed, quiet)
        };
        let (publishing, consuming) = (link(Purpose::Publishing), link(Purpose::Consuming));
        publishing.channel().await?;
        let publisher = Arc::new(Publisher::new(publishing.clone(), authority.clone()));
        let keeping = tokio::spawn(publishing.clone().keep());
        Ok(Self {
            _keeping: AbortOnDropHandle::new(keeping),
            publishing,
            consuming,
            publisher,
            authority,
            health,
        })
    }

    fn properties<T>(message: &Envelope<T>, kind: &str) -> BasicProperties {
        BasicProperties::default()
            .with_content_type("application/json".into())
            .with_message_id(message.id.to_string().into())
            .with_type(kind.into())
            .with_timestamp(message.at.as_second().unsigned_abs())
    }
}

fn parse(url: &str) -> Result<AMQPUri, BusError> {
    let invalid = |detail: &str| BusError::Url {
        detail: detail.to_owned(),
    };
    // The parser repeats the URL in some of its errors, and the URL holds a password.
    let mut uri: AMQPUri = url
        .parse()
        .map_err(|_| invalid("it is to be amqp://user:password@host:port/vhost, or amqps://…"))?;
    if url.contains("@[") || url.contains("//[") {
        // The parser would take localhost without a word.
        return Err(invalid("name the host instead of giving an IPv6 address"));
    }
    if uri.authority.userinfo.username.len() > 255 {
        return Err(invalid("the name of the user is too long"));
    }
    if uri.vhost.is_empty() {
        uri.vhost = "/".to_owned();
    }
    uri.query.heartbeat.get_or_insert(HEARTBEAT);
    Ok(uri)
}

#[async_trait]
impl Bus for Amqp {
    async fn publish(&self, event: &Envelope<Event>) -> Result<(), BusError> {
        self.authority.may_say(event)?;
        let kind = event.message.kind();
        let mut properties = Self::properties(event, kind);
        if event.message.is_alive() {
            properties =
                properties.with_expiration(ALIVE_EXPIRATION.as_millis().to_string().into());
        }
        let outgoing = Outgoing {
            exchange: EVENTS,
            sent: Sent::of(event),
            routing_key: topology::routing_key(event),
            kind: kind.to_owned(),
            body: event.encode()?,
            properties,
        };
        self.publisher.publish(outgoing).await
    }

    async fn issue(&self, queue: &str, command: &Envelope<Command>) -> Result<(), BusError> {
        self.authority.may_order(command)?;
        let kind = command.message.kind();
        let outgoing = Outgoing {
            exchange: COMMANDS,
            sent: Sent::Command,
            routing_key: queue.to_owned(),
            kind: kind.to_owned(),
            body: command.encode()?,
            properties: Self::properties(command, kind),
        };
        self.publisher.publish(outgoing).await
    }

    async fn bury(
        &self,
        queue: &str,
        command: &Envelope<Command>,
        cause: String,
    ) -> Result<(), BusError> {
        if !self.authority.buries() {
            // It was the user's own to take, and is off its queue: what became of it is an event.
            let id = command.id;
            tracing::warn!(queue, cause, %id, "this user may keep no dead letters");
            return Ok(());
        }
        tracing::warn!(queue, cause, "a command becomes a dead letter");
        let letter = Letter {
            properties: &Self::properties(command, command.message.kind()),
            queue,
            cause,
            deliveries: 0,
        };
        let outgoing = letter.outgoing(command.encode()?);
        self.publisher.publish(outgoing).await
    }

    async fn commands(&self, queues: &[String]) -> Result<Box<dyn Commands>, BusError> {
        let (link, publisher) = (self.consuming.clone(), self.publisher.clone());
        Ok(Box::new(AmqpCommands::new(
            link,
            publisher,
            queues.to_vec(),
        )))
    }

    async fn history(&self, from: Position) -> Result<Box<dyn History>, BusError> {
        Ok(Box::new(AmqpHistory::new(
            self.consuming.clone(),
            self.authority.clone(),
            from,
        )))
    }

    async fn end(&self) -> Result<Option<u64>, BusError> {
        history::end(&self.consuming).await
    }

    async fn wakeups(&self) -> Result<Box<dyn Wakeups>, BusError> {
        Ok(Box::new(AmqpWakeups::new(
            self.consuming.clone(),
            self.publisher.clone(),
        )))
    }

    async fn alive(&self) -> Result<Box<dyn Alive>, BusError> {
        Ok(Box::new(AmqpAlive::new(
            self.consuming.clone(),
            self.authority.clone(),
        )))
    }

    async fn keep_snapshot(&self, snapshot: &Snapshot) -> Result<(), BusError> {
        snapshots::keep(&self.publisher, snapshot).await
    }

    async fn newest_snapshot(&self) -> Result<Option<Snapshot>, BusError> {
        snapshots::newest(&self.consuming, &self.authority).await
    }

    async fn queue(&self, name: &str) -> Result<Option<QueueState>, BusError> {
        inspect::queue(&self.consuming, name).await
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.health.watch()
    }

    async fn close(&self) {
        tokio::join!(self.publishing.close(), self.consuming.close());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_user_host_and_vhost() {
        let uri = parse("amqp://planner:s%2Fcret@broker:25672/fleet").unwrap();
        assert_eq!(uri.authority.userinfo.username, "planner");
        assert_eq!(uri.authority.userinfo.password, "s/cret");
        assert_eq!(
            (uri.authority.host.as_str(), uri.authority.port),
            ("broker", 25672)
        );
        assert_eq!(uri.vhost, "fleet");
        assert_eq!(uri.query.heartbeat, Some(HEARTBEAT));
        assert_eq!(parse("amqps://broker").unwrap().vhost, "/");
        assert_eq!(parse("amqps://broker/").unwrap().vhost, "/");
    }

    #[test]
    fn a_url_that_is_not_understood_is_refused_without_its_password() {
        for url in [
            "http://u:secret@h",
            "amqp:secret",
            "amqp://u:secret@[::1]:5672/",
            "secret",
        ] {
            let error = parse(url).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
