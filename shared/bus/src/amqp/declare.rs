//! Saying the topology to the broker.

use std::sync::Arc;
use std::time::Duration;

use gentoo_updater_fleet::authority::User;
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind as LapinKind};
use tokio::time::timeout;

use super::fault::{Fault, PRECONDITION_FAILED, reply_code, short};
use super::incoming::Authority;
use crate::seam::BusError;
use crate::topology::{
    Argument, DEAD_LETTERS, EVENTS, ExchangeKind, HISTORY, QueueDeclaration, SNAPSHOTS, Topology,
    serves,
};

/// How long the broker may take for one declaration. A quorum queue waits for its members.
const LIMIT: Duration = Duration::from_secs(30);

/// What a process wants to find on the broker.
pub(super) struct Declarations {
    topology: Topology,
    authority: Arc<Authority>,
}

impl Declarations {
    pub(super) fn new(topology: Topology, authority: Arc<Authority>) -> Self {
        Self {
            topology,
            authority,
        }
    }

    /// Declares everything, and one more queue. A user who may not declare anything only looks
    /// whether there is what it needs: that takes no permission.
    pub(super) async fn declare(
        &self,
        channel: &Channel,
        also: Option<&QueueDeclaration>,
    ) -> Result<(), Fault> {
        match self.authority.own() {
            Some(own) if !self.authority.declares() => self.look(channel, own).await,
            _ => {
                declare(channel, &self.topology).await?;
                match also {
                    Some(queue) => declare_queue(channel, queue).await,
                    None => Ok(()),
                }
            }
        }
    }

    async fn look(&self, channel: &Channel, own: &User) -> Result<(), Fault> {
        let options = ExchangeDeclareOptions {
            passive: true,
            ..Default::default()
        };
        let exchanges = self.topology.exchanges().into_iter();
        for (name, kind) in exchanges
            .filter(|(name, _)| *name == EVENTS || *name == DEAD_LETTERS && self.authority.buries())
        {
            let arguments = FieldTable::default();
            let looked = channel.exchange_declare(short(name)?, of_lapin(kind), options, arguments);
            limited(name, looked)
                .await
                .map_err(|fault| missing(name, fault))?;
        }
        for name in needed(&self.topology, own) {
            let options = QueueDeclareOptions::durable().passive();
            let looked = channel.queue_declare(short(&name)?, options, FieldTable::default());
            limited(&name, looked)
                .await
                .map_err(|fault| missing(&name, fault))?;
        }
        Ok(())
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

fn of_lapin(kind: ExchangeKind) -> LapinKind {
    match kind {
        ExchangeKind::Topic => LapinKind::Topic,
        ExchangeKind::Direct => LapinKind::Direct,
        ExchangeKind::Fanout => LapinKind::Fanout,
    }
}

/// Declares everything. What exists already with the same properties stays as it is.
async fn declare(channel: &Channel, topology: &Topology) -> Result<(), Fault> {
    for (name, kind) in topology.exchanges() {
        let kind = of_lapin(kind);
        let options = ExchangeDeclareOptions {
            durable: true,
            ..Default::default()
        };
        let declared = channel.exchange_declare(short(name)?, kind, options, FieldTable::default());
        limited(name, declared).await?;
    }
    for queue in topology.queues() {
        declare_queue(channel, &queue).await?;
    }
    Ok(())
}

/// Declares one queue with its bindings.
async fn declare_queue(channel: &Channel, queue: &QueueDeclaration) -> Result<(), Fault> {
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
