//! What an operator asks of queues and dead letters.
//!
//! What touches dead letters runs to its end even when nobody waits for it any more, and so leaves
//! them in order.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, QueueDeclareOptions, QueuePurgeOptions};
use lapin::types::FieldTable;

use super::Amqp;
use super::channel::settled;
use super::dead::kept;
use super::fault::{Fault, Pause, short};
use super::letters::letter;
use super::listener::{limited, redeclare};
use super::look::Look;
use super::publisher::{Outgoing, Publisher};
use super::session::Link;
use super::way_back::no_way_back;
use crate::meters::Sent;
use crate::seam::{
    BusError, DeadLetter, Health, Inspect, LetterId, NoWayBack, QueueState, Retried,
};
use crate::topology::{COMMANDS, PLAN, is_queue};

/// What the broker says of one queue; `None` where there is no such queue.
pub(super) async fn queue(link: &Link, name: &str) -> Result<Option<QueueState>, BusError> {
    let nothing = QueueState {
        ready: 0,
        consumers: Some(0),
    };
    match until_done(link, || declared(link, name)).await? {
        // A leader that does not answer in 250 ms looks like this, too.
        Some(state) if state == nothing => until_done(link, || declared(link, name)).await,
        state => Ok(state),
    }
}

async fn declared(link: &Link, name: &str) -> Result<Option<QueueState>, Fault> {
    // On a channel of its own: it is closed where there is no such queue.
    let lease = link.channel().await.map_err(Fault::Fatal)?;
    let options = QueueDeclareOptions::durable().passive();
    let asked = lease
        .channel
        .queue_declare(short(name)?, options, FieldTable::default());
    match limited("queue.declare", asked).await {
        Ok(queue) => Ok(Some(QueueState {
            ready: u64::from(queue.message_count()),
            consumers: Some(queue.consumer_count()),
        })),
        Err(Fault::Missing(_)) => Ok(None),
        Err(fault) => Err(fault),
    }
}

async fn purge(link: &Link, name: &str) -> Result<u64, Fault> {
    let missing = || {
        let name = name.to_owned();
        Fault::Fatal(BusError::NoQueue { name })
    };
    // A broker closes the whole connection that would purge a stream.
    if !is_queue(name) {
        return Err(missing());
    }
    let lease = link.channel().await.map_err(Fault::Fatal)?;
    let options = QueuePurgeOptions::default();
    let purging = lease.channel.queue_purge(short(name)?, options);
    match limited("queue.purge", purging).await {
        Ok(count) => Ok(u64::from(count)),
        Err(Fault::Missing(_)) => Err(missing()),
        Err(fault) => Err(fault),
    }
}

/// Tries again after every fault that passes.
async fn until_done<T, F: Future<Output = Result<T, Fault>>>(
    link: &Link,
    attempt: impl Fn() -> F,
) -> Result<T, BusError> {
    let mut pause = Pause::default();
    loop {
        let fault = match attempt().await {
            Ok(done) => return Ok(done),
            Err(fault) => fault,
        };
        failed(link, fault, &mut pause).await?;
    }
}

async fn failed(link: &Link, fault: Fault, pause: &mut Pause) -> Result<(), BusError> {
    let is_missing = matches!(fault, Fault::Missing(_));
    let cause = fault.passing()?;
    let wait = pause.next();
    let pause_ms = wait.as_millis();
    tracing::warn!(
        cause,
        pause_ms,
        "the broker does not answer; it is asked again"
    );
    if is_missing {
        redeclare(link).await?;
    }
    link.pause(wait).await
}

async fn look_through(link: &Arc<Link>, most: usize) -> Result<Vec<DeadLetter>, Fault> {
    let look = Look::begin(link).await?;
    let mut letters: Vec<DeadLetter> = look.letters.iter().map(letter).collect();
    look.end(letters.len()).await?;
    // They are in this order but for what a foreign program took and gave back. The broker tells
    // whole seconds.
    letters.sort_by_key(|letter| letter.at.as_second());
    letters.truncate(most);
    Ok(letters)
}

/// What is to become of dead letters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Retried,
    Dropped,
}

struct Undertaker {
    link: Arc<Link>,
    publisher: Arc<Publisher>,
    wanted: BTreeSet<LetterId>,
    fate: Fate,
    done: Vec<LetterId>,
    stayed: Vec<NoWayBack>,
}

impl Undertaker {
    async fn work(mut self) -> Result<Retried, BusError> {
        let mut pause = Pause::default();
        loop {
            let fault = match self.pass().await {
                Ok(()) => {
                    return Ok(Retried {
                        returned: self.done,
                        stayed: self.stayed,
                    });
                }
                Err(fault) => fault,
            };
            failed(&self.link, fault, &mut pause).await?;
        }
    }

    /// Looks through all letters once, and settles those that are wanted.
    async fn pass(&mut self) -> Result<(), Fault> {
        let publisher = self.publisher.clone();
        let look = Look::begin(&self.link).await?;
        self.stayed.clear();
        let mut left = 0;
        for delivery in &look.letters {
            let letter = letter(delivery);
            if !self.wanted.contains(&letter.id) {
                left += 1;
                continue;
            }
            let stays = match self.fate {
                Fate::Retried => no_way_back(&letter, publisher.authority()),
                Fate::Dropped => None,
            };
            match stays {
                Some(stays) => {
                    left += 1;
                    // Two letters that say the same have one name.
                    if !self.stayed.contains(&stays) {
                        self.stayed.push(stays);
                    }
                }
                None => self.settle(letter, delivery).await?,
            }
        }
        look.end(left).await
    }

    async fn settle(&mut self, letter: DeadLetter, delivery: &Delivery) -> Result<(), Fault> {
        if self.fate == Fate::Retried {
            let outgoing = returned(&letter, delivery);
            let confirmed = self.publisher.publish(outgoing).await;
            confirmed.map_err(Fault::Fatal)?;
        }
        let acknowledging = delivery.acker.ack(BasicAckOptions::default());
        settled(acknowledging)
            .await
            .map_err(|cause| Fault::Passing(format!("a dead letter stays for now: {cause}")))?;
        let (id, queue) = (&letter.id, &letter.queue);
        match self.fate {
            Fate::Retried => tracing::info!(letter = %id, queue, "a dead letter went back"),
            Fate::Dropped => tracing::info!(letter = %id, queue, "a dead letter was deleted"),
        }
        if !self.done.contains(id) {
            self.done.push(letter.id);
        }
        Ok(())
    }
}

/// A letter as it was before it died, in the operator's name.
fn returned(letter: &DeadLetter, delivery: &Delivery) -> Outgoing {
    let properties = &delivery.properties;
    let kind = properties.kind().as_ref();
    Outgoing {
        // Events are routed by what they are, and would go into the history a second time; so
        // the planner's queue is reached by its name, over the default exchange.
        exchange: if letter.queue == PLAN { "" } else { COMMANDS },
        sent: match letter.queue == PLAN {
            true => Sent::Event,
            false => Sent::Command,
        },
        routing_key: letter.queue.clone(),
        kind: kind.map_or("a message", |kind| kind.as_str()).to_owned(),
        properties: kept(properties),
        body: letter.body.clone(),
    }
}

impl Amqp {
    async fn settle_dead(
        &self,
        letters: &BTreeSet<LetterId>,
        fate: Fate,
    ) -> Result<Retried, BusError> {
        let undertaker = Undertaker {
            link: self.consuming.clone(),
            publisher: self.publisher.clone(),
            wanted: letters.clone(),
            fate,
            done: Vec::new(),
            stayed: Vec::new(),
        };
        finished(undertaker.work()).await
    }
}

/// Runs something to its end, whatever becomes of the caller.
async fn finished<T: Send + 'static>(
    work: impl Future<Output = Result<T, BusError>> + Send + 'static,
) -> Result<T, BusError> {
    // Only a runtime that shuts down gives up a task.
    tokio::spawn(work).await.map_err(|_| BusError::Closed)?
}

#[async_trait]
impl Inspect for Amqp {
    async fn purge(&self, queue: &str) -> Result<u64, BusError> {
        let link = &self.consuming;
        until_done(link, || purge(link, queue)).await
    }

    async fn dead_letters(&self, most: usize) -> Result<Vec<DeadLetter>, BusError> {
        let link = self.consuming.clone();
        finished(async move { until_done(&link, || look_through(&link, most)).await }).await
    }

    async fn retry_dead(&self, letters: &BTreeSet<LetterId>) -> Result<Retried, BusError> {
        self.settle_dead(letters, Fate::Retried).await
    }

    async fn drop_dead(&self, letters: &BTreeSet<LetterId>) -> Result<Vec<LetterId>, BusError> {
        let settled = self.settle_dead(letters, Fate::Dropped).await?;
        Ok(settled.returned)
    }

    async fn probe(&self) -> Result<Health, BusError> {
        self.probe_now().await
    }
}
