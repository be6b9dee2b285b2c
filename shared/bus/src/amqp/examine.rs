//! Looking at a broker: whether it is there and what it is, without a change of anything.
//!
//! Whoever opens [`Amqp`](super::Amqp) declares what is missing, and tries for as long as it takes. Here
//! everything is tried once, and what is not there stays so.

use std::collections::BTreeMap;
use std::path::PathBuf;

use lapin::options::{ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties, ExchangeKind};
use tokio::time::timeout;

use super::declare::{declare_exchange, declare_queue};
use super::fault::{Fault, short};
use super::greeting::{Greeting, greet};
use super::listener::limited;
use super::parse;
use super::retention::as_it_is;
use super::session::{CONNECT_LIMIT, farewell};
use super::tls::Address;
use crate::seam::BusError;
use crate::topology::{QueueDeclaration, Topology};

/// Where the broker is, and what is to be on it.
pub struct Examination {
    /// As in [`BrokerSettings`](super::BrokerSettings).
    pub url: String,
    /// As well.
    pub ca: Option<PathBuf>,
    /// What the broker shows as the name of the connection.
    pub name: String,
    /// What is to be on it.
    pub topology: Topology,
    /// Whether this user may declare things: then it is compared how they are declared.
    pub declares: bool,
}

/// What a broker was found to be.
#[derive(Debug)]
pub struct Examined {
    /// The user by the URL.
    pub user: String,
    /// The vhost by the URL.
    pub vhost: String,
    /// The version that it says it is.
    pub version: Option<String>,
    /// Until when its certificate is valid, in seconds since 1970, where it showed one.
    pub certificate_expires: Option<i64>,
    /// What is on it, or why nobody can say.
    pub topology: Result<TopologyFound, Unreached>,
}

/// Exchanges and queues, compared with those that the configuration makes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TopologyFound {
    /// Those that are not there.
    pub missing: Vec<String>,
    /// Those that are declared otherwise, with what the broker says.
    pub different: BTreeMap<String, String>,
}

/// Why a broker could not be worked with.
#[derive(Debug, thiserror::Error)]
pub enum Unreached {
    /// It does not answer, or not in time.
    #[error("{0}")]
    Unreachable(String),
    /// It would be the same in every try.
    #[error(transparent)]
    Fatal(#[from] BusError),
}

impl From<Fault> for Unreached {
    fn from(fault: Fault) -> Self {
        match fault.passing() {
            Ok(detail) => Self::Unreachable(detail),
            Err(error) => Self::Fatal(error),
        }
    }
}

/// Looks at a broker.
///
/// # Errors
/// [`BusError::Url`].
pub async fn examine(settings: &Examination) -> Result<Examined, BusError> {
    let uri = parse(&settings.url)?;
    let mut greeting = Greeting::default();
    let greeted = timeout(CONNECT_LIMIT, greet(&uri, &mut greeting)).await;
    let greeted = match greeted {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Unreached::Unreachable(error.to_string())),
        Err(_) => Err(Fault::slow("connecting", CONNECT_LIMIT).into()),
    };
    let topology = match greeted {
        Ok(()) => look(settings).await,
        Err(unreached) => Err(unreached),
    };
    Ok(Examined {
        user: uri.authority.userinfo.username,
        vhost: uri.vhost,
        version: greeting.version,
        certificate_expires: greeting.certificate_expires,
        topology,
    })
}

async fn look(settings: &Examination) -> Result<TopologyFound, Unreached> {
    let address = Address::new(parse(&settings.url)?, settings.ca.as_deref()).await?;
    let user = &address.uri.authority.userinfo.username;
    let properties =
        ConnectionProperties::default().with_connection_name(settings.name.as_str().into());
    let connection = timeout(CONNECT_LIMIT, address.connect(properties, None))
        .await
        .map_err(|_| Fault::slow("connecting", CONNECT_LIMIT))?
        .map_err(|error| Fault::of_login(error, user))?;
    let found = compare(settings, &connection).await;
    farewell(connection).await;
    Ok(found?)
}

async fn compare(settings: &Examination, connection: &Connection) -> Result<TopologyFound, Fault> {
    let mut found = TopologyFound::default();
    for (name, kind) in settings.topology.exchanges() {
        let channel = channel(connection).await?;
        let there = exchange_is_there(&channel, name).await;
        if !found.note(name, there)? || !settings.declares {
            continue;
        }
        // On a channel of its own: a refused declaration closes it. What is there and is declared in
        // the same way stays as it is.
        let declared = declare_exchange(&channel, name, kind, false).await;
        found.note(name, declared)?;
    }
    for queue in settings.topology.queues() {
        let channel = channel(connection).await?;
        let there = queue_is_there(&channel, &queue.name).await;
        if !found.note(&queue.name, there)? || !settings.declares {
            continue;
        }
        let declared = as_wanted(connection, queue.clone()).await;
        found.note(&queue.name, declared)?;
    }
    Ok(found)
}

/// Whether a queue that is there is declared as it is wanted, but for what may be otherwise.
async fn as_wanted(connection: &Connection, wanted: QueueDeclaration) -> Result<(), Fault> {
    let mut tried = wanted;
    // To bind again changes nothing, and who is bound cannot be asked.
    tried.bindings.clear();
    loop {
        let channel = channel(connection).await?;
        let refused = match declare_queue(&channel, &tried).await {
            Ok(()) => return Ok(()),
            Err(fault) => fault,
        };
        let Fault::Fatal(BusError::DeclaredOtherwise { detail, .. }) = &refused else {
            return Err(refused);
        };
        match as_it_is(&tried, detail) {
            Some(found) => tried = found,
            None => return Err(refused),
        }
    }
}

impl TopologyFound {
    /// Takes over what came of a look; whether it is there.
    fn note(&mut self, name: &str, looked: Result<(), Fault>) -> Result<bool, Fault> {
        match looked {
            Ok(()) => Ok(true),
            Err(Fault::Missing(_)) => {
                self.missing.push(name.to_owned());
                Ok(false)
            }
            Err(Fault::Fatal(BusError::DeclaredOtherwise { detail, .. })) => {
                self.different.insert(name.to_owned(), detail);
                Ok(true)
            }
            Err(fault) => Err(fault),
        }
    }
}

async fn channel(connection: &Connection) -> Result<Channel, Fault> {
    limited("channel.open", connection.create_channel()).await
}

async fn exchange_is_there(channel: &Channel, name: &str) -> Result<(), Fault> {
    let options = ExchangeDeclareOptions {
        durable: true,
        passive: true,
        ..Default::default()
    };
    // Of which kind it is a passive declaration does not ask.
    let asked = channel.exchange_declare(
        short(name)?,
        ExchangeKind::Direct,
        options,
        FieldTable::default(),
    );
    limited("exchange.declare", asked).await
}

async fn queue_is_there(channel: &Channel, name: &str) -> Result<(), Fault> {
    let options = QueueDeclareOptions::durable().passive();
    let asked = channel.queue_declare(short(name)?, options, FieldTable::default());
    limited("queue.declare", asked).await.map(drop)
}
