//! Saying the topology to the broker.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gentoo_updater_fleet::authority::User;
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind as LapinKind};
use tokio::time::timeout;

use super::fault::{Fault, PRECONDITION_FAILED, reply_code, short};
use super::incoming::Authority;
use super::retention;
use super::session::Open;
use crate::seam::BusError;
use crate::topology::{
    Argument, DEAD_LETTERS, EVENTS, ExchangeKind, HISTORY, QueueDeclaration, SNAPSHOTS, Topology,
    serves,
};

/// How long the broker may take for one declaration. A quorum queue waits for its members.
const LIMIT: Duration = Duration::from_secs(30);

/// Declares the topology on every new connection of this process, or looks for it.
pub(super) struct Declarations {
    topology: Topology,
    authority: Arc<Authority>,
    /// What was said of streams that keep something else than is wanted.
    said: Mutex<BTreeSet<String>>,
}

impl Declarations {
    pub(super) fn new(topology: Topology, authority: Arc<Authority>) -> Self {
        Self {
            topology,
            authority,
            said: Mutex::default(),
        }
    }

    /// Declares everything, and one more queue. What exists already with the same properties
    /// stays as it is. A user who may not declare anything only looks whether there is what it
    /// needs: that takes no permission.
    pub(super) async fn declare(
        &self,
        open: &Open,
        also: Option<&QueueDeclaration>,
    ) -> Result<(), Fault> {
        // On a channel of its own: a refused declaration closes it.
        let mut channel = open.create_channel().await?;
        if let Some(own) = self.authority.own()
            && !self.authority.declares()
        {
            return self.look(&channel, own).await;
        }
        for (name, kind) in self.topology.exchanges() {
            declare_exchange(&channel, name, kind, false).await?;
        }
        for queue in self.topology.queues().iter().chain(also) {
            if let Some(new) = self.declare_queue(open, &channel, queue).await? {
                channel = new;
            }
        }
        Ok(())
    }

    async fn look(&self, channel: &Channel, own: &User) -> Result<(), Fault> {
        for (name, kind) in self.topology.exchanges() {
            if name == EVENTS || name == DEAD_LETTERS && self.authority.buries() {
                let looked = declare_exchange(channel, name, kind, true).await;
                looked.map_err(|fault| missing(name, fault))?;
            }
        }
        for name in needed(&self.topology, own) {
            let options = QueueDeclareOptions::durable().passive();
            let looked = channel.queue_declare(short(&name)?, options, FieldTable::default());
            let looked = limited(&name, looked).await;
            looked.map_err(|fault| missing(&name, fault))?;
        }
        Ok(())
    }

    /// Declares one queue. Where it exists with other values of what may be otherwise, that is
    /// said, and it is declared with those, which finds every other difference. A new channel is
    /// returned where that took one.
    async fn declare_queue(
        &self,
        open: &Open,
        channel: &Channel,
        wanted: &QueueDeclaration,
    ) -> Result<Option<Channel>, Fault> {
        let mut tried = wanted.clone();
        let mut new = None;
        loop {
            let on = new.as_ref().unwrap_or(channel);
            let refused = match declare_queue(on, &tried).await {
                Ok(()) => break,
                Err(fault) => fault,
            };
            let Fault::Fatal(BusError::DeclaredOtherwise { detail, .. }) = &refused else {
                return Err(refused);
            };
            match retention::as_it_is(&tried, detail) {
                Some(found) => tried = found,
                None => return Err(refused),
            }
            new = Some(open.create_channel().await?);
        }
        if let Some(difference) = retention::difference(wanted, &tried) {
            let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
            if said.insert(difference.clone()) {
                tracing::warn!("{difference}");
            }
        }
        Ok(new)
    }
}

/// The queues that a user reads. A guest's installer has no access to the history.
fn needed(topology: &Topology, own: &User) -> Vec<String> {
    let reads_history = matches!(own, User::Role(_));
    let queues = topology.queues().into_iter().map(|queue| queue.name);
    queues
        .filter(|name| serves(own, name) || reads_history && (name == HISTORY || name == SNAPSHOTS))
        .collect()
}

/// It passes: whoever may declare it makes it there.
fn missing(name: &str, fault: Fault) -> Fault {
    match fault {
        Fault::Missing(_) => Fault::Passing(format!(
            "there is no {name} on the broker, and this user may not declare it: start the \
             planner with this configuration, or run `gentoo-updater broker setup` again"
        )),
        other => other,
    }
}

/// Declares an exchange, or only looks whether there is one.
pub(super) async fn declare_exchange(
    channel: &Channel,
    name: &str,
    kind: ExchangeKind,
    passive: bool,
) -> Result<(), Fault> {
    let kind = match kind {
        ExchangeKind::Topic => LapinKind::Topic,
        ExchangeKind::Direct => LapinKind::Direct,
        ExchangeKind::Fanout => LapinKind::Fanout,
    };
    let options = ExchangeDeclareOptions {
        durable: true,
        passive,
        ..Default::default()
    };
    let declared = channel.exchange_declare(short(name)?, kind, options, FieldTable::default());
    limited(name, declared).await
}

/// Declares a queue, and binds it.
pub(super) async fn declare_queue(
    channel: &Channel,
    queue: &QueueDeclaration,
) -> Result<(), Fault> {
    let name = short(&queue.name)?;
    let mut arguments = FieldTable::default();
    for (key, value) in &queue.arguments {
        let value = match value {
            Argument::Text(text) => AMQPValue::LongString(text.as_str().into()),
            Argument::Number(number) => AMQPValue::LongLongInt(*number),
            Argument::Flag(flag) => AMQPValue::Boolean(*flag),
        };
        arguments.insert(short(key)?, value);
    }
    let options = QueueDeclareOptions::durable();
    limited(
        &queue.name,
        channel.queue_declare(name.clone(), options, arguments),
    )
    .await?;
    for (exchange, key) in &queue.bindings {
        let bound = channel.queue_bind(
            name.clone(),
            short(exchange)?,
            short(key)?,
            QueueBindOptions::default(),
            FieldTable::default(),
        );
        limited(&queue.name, bound).await?;
    }
    Ok(())
}

async fn limited<T>(
    name: &str,
    declared: impl Future<Output = lapin::Result<T>>,
) -> Result<T, Fault> {
    let declared = timeout(LIMIT, declared).await;
    let declared = declared.map_err(|_| Fault::slow(&format!("declaring {name}"), LIMIT))?;
    declared.map_err(|error| {
        if reply_code(&error) == Some(PRECONDITION_FAILED) {
            let (name, detail) = (name.to_owned(), error.to_string());
            return Fault::Fatal(BusError::DeclaredOtherwise { name, detail });
        }
        error.into()
    })
}
