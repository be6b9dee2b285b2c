//! Looking through the dead letters, alone.
//!
//! A queue can be looked at only by taking its messages and giving them back, and meanwhile they
//! are missing for everybody else. So whoever looks holds a lock: an exclusive queue, with an
//! exclusive consumer for a second look of the same process. It goes with its channel.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicConsumeOptions, BasicGetOptions, BasicQosOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Consumer, Queue};
use tokio::time::{Instant, sleep, timeout};

use super::fault::{ACCESS_REFUSED, Fault, NOT_FOUND, RESOURCE_LOCKED, reply_code, short};
use super::listener::{consume, delivered, limited, open_channel};
use super::session::{CALL_LIMIT, Lease, Link};
use crate::seam::BusError;
use crate::topology::{DEAD, DEAD_LOCK};

/// How long another look may take.
const OTHERS_WITHIN: Duration = Duration::from_secs(30);
/// How often it is tried whether the other one has ended.
const LOCK_POLL: Duration = Duration::from_millis(100);
/// After so long without a letter the rest is held by a foreign program.
const SILENCE: Duration = Duration::from_secs(3);
/// How long the queue may take to have back what was given back.
const BACK_WITHIN: Duration = Duration::from_secs(10);
/// How often it is asked.
const BACK_POLL: Duration = Duration::from_millis(20);

/// The dead letters, taken off their queue for a moment. Those that are not settled when this is
/// dropped go back.
pub(super) struct Look {
    /// Oldest first.
    pub(super) letters: Vec<Delivery>,
    lease: Lease,
    /// Ends with its channel; dropped before, it would be cancelled first.
    consumer: Option<Consumer>,
    /// How many foreign consumers there are.
    others: u32,
    lock: Lock,
}

/// Nobody else looks while this lives.
struct Lock {
    lease: Lease,
    _consumer: Consumer,
}

impl Look {
    /// Takes the letters, all of them up to 65,535: a part that was taken and given back would stand
    /// behind the others.
    pub(super) async fn begin(link: &Arc<Link>) -> Result<Self, Fault> {
        let lock = lock(link).await?;
        let lease = open_channel(link, 1).await?;
        let mut look = Self {
            letters: Vec::new(),
            lease,
            consumer: None,
            others: 0,
            lock,
        };
        loop {
            let queue = ask(&look.lease).await?;
            look.others = look.others.max(queue.consumer_count());
            if queue.message_count() > 0 {
                look.take(queue.message_count()).await?;
                return Ok(look);
            }
            // A leader that does not answer in 250 ms counts as an empty queue in that answer, and
            // not in this one.
            let getting = look
                .lease
                .channel
                .basic_get(short(DEAD)?, BasicGetOptions::default());
            match limited("basic.get", getting).await? {
                Some(got) => look.letters.push(got.delivery),
                None => return Ok(look),
            }
        }
    }

    async fn take(&mut self, waiting: u32) -> Result<(), Fault> {
        let wanted = u16::try_from(waiting).unwrap_or(u16::MAX);
        let qos = self
            .lease
            .channel
            .basic_qos(wanted, BasicQosOptions::default());
        limited("basic.qos", qos).await?;
        let mut consumer = consume(&self.lease, DEAD, FieldTable::default()).await?;
        for _ in 0..wanted {
            match timeout(SILENCE, consumer.next()).await {
                Ok(next) => self.letters.push(delivered(next)?),
                Err(_) => {
                    tracing::warn!(
                        "somebody else holds some of the dead letters; they are left out"
                    );
                    break;
                }
            }
        }
        self.consumer = Some(consumer);
        Ok(())
    }

    /// Gives back what is left, and waits until the next look finds it.
    pub(super) async fn end(self, left: usize) -> Result<(), Fault> {
        // A channel that is closed gives all back in their order; RabbitMQ 3.10 mixes what is
        // refused (`basic.nack`) many at once.
        let closed = self.lease.channel.close(200, "goodbye".into());
        limited("channel.close", closed).await?;
        let deadline = Instant::now() + BACK_WITHIN;
        loop {
            let queue = ask(&self.lock.lease).await?;
            // The consumer is gone in the moment in which its letters are back.
            let is_gone = queue.consumer_count() <= self.others;
            if is_gone && queue.message_count() as usize >= left {
                return Ok(());
            }
            if Instant::now() >= deadline {
                tracing::warn!("the dead letters are not all back yet");
                return Ok(());
            }
            sleep(BACK_POLL).await;
        }
    }
}

async fn ask(lease: &Lease) -> Result<Queue, Fault> {
    let options = QueueDeclareOptions::durable().passive();
    let asked = lease
        .channel
        .queue_declare(short(DEAD)?, options, FieldTable::default());
    limited("queue.declare", asked).await
}

/// Waits until nobody else looks.
async fn lock(link: &Arc<Link>) -> Result<Lock, Fault> {
    let deadline = Instant::now() + OTHERS_WITHIN;
    loop {
        // A refusal closes the channel.
        let lease = link.channel().await.map_err(Fault::Fatal)?;
        let tried = timeout(CALL_LIMIT, try_lock(&lease)).await;
        let error = match tried.map_err(|_| Fault::slow("locking", CALL_LIMIT))? {
            Ok(consumer) => {
                return Ok(Lock {
                    lease,
                    _consumer: consumer,
                });
            }
            Err(error) => error,
        };
        if !is_held(&error) {
            return Err(error.into());
        }
        if Instant::now() >= deadline {
            let seconds = OTHERS_WITHIN.as_secs();
            return Err(Fault::Fatal(BusError::InUse {
                name: format!("the queue {DEAD}"),
                detail: format!("somebody else has looked through it for {seconds} s"),
            }));
        }
        link.pause(LOCK_POLL).await.map_err(Fault::Fatal)?;
    }
}

async fn try_lock(lease: &Lease) -> lapin::Result<Consumer> {
    let channel = &lease.channel;
    let options = QueueDeclareOptions::exclusive().auto_delete();
    let declared = channel.queue_declare(DEAD_LOCK.into(), options, FieldTable::default());
    declared.await?;
    let options = BasicConsumeOptions {
        no_ack: true,
        exclusive: true,
        ..Default::default()
    };
    let consuming =
        channel.basic_consume(DEAD_LOCK.into(), "".into(), options, FieldTable::default());
    // The queue goes with its consumer.
    consuming.await
}

/// Whether somebody has the lock: another process has the queue, another look of this process
/// consumes from it, or that ended between the two steps.
fn is_held(error: &lapin::Error) -> bool {
    match reply_code(error) {
        Some(RESOURCE_LOCKED | NOT_FOUND) => true,
        Some(ACCESS_REFUSED) => error.to_string().contains("exclusive use"),
        _ => false,
    }
}
