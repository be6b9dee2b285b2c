//! Asking whether the broker takes messages.
//!
//! A broker in alarm tells it to those who publish, when they do, and reads nothing more from
//! them. See <https://www.rabbitmq.com/docs/connection-blocked>.

use lapin::BasicProperties;
use lapin::options::{BasicPublishOptions, BasicQosOptions};
use tokio::time::timeout;

use super::Amqp;
use super::fault::{Fault, short};
use super::listener::limited;
use super::session::{CALL_LIMIT, Lease, Link};
use crate::seam::{BusError, Health};
use crate::topology::{EVENTS, PROBE_KEY};

impl Amqp {
    /// Asks whether the broker takes messages now: publishes one that reaches no queue, and sees
    /// whether anything is read after it. It needs no permission: where this user may not
    /// publish, the refusal is an answer too.
    ///
    /// # Errors
    /// As [`Amqp::open`], where there was no connection and none can be had.
    pub async fn probe_now(&self) -> Result<Health, BusError> {
        let link = &self.publishing;
        let told = self.health.watch().borrow().clone();
        if matches!(told, Health::Blocked(_)) {
            // The broker says when that is over, and until then nothing is sent to it.
            return Ok(told);
        }
        let Ok(lease) = timeout(CALL_LIMIT, link.channel()).await else {
            return Ok(match self.health.watch().borrow().clone() {
                Health::Good => silent(),
                told => told,
            });
        };
        let lease = lease?;
        let mut blocked = lease.blocked.clone();
        tokio::select! {
            biased;
            // An error means that the connection is lost, and the other branch finds that out.
            Ok(cause) = blocked.wait_for(Option::is_some) => {
                Ok(Health::Blocked(cause.clone().unwrap_or_default()))
            }
            answered = timeout(CALL_LIMIT, answer(link, &lease)) => match answered {
                Ok(Ok(())) => Ok(Health::Good),
                Ok(Err(fault)) => Ok(Health::Disconnected(fault.passing()?)),
                Err(_) => Ok(silent()),
            },
        }
    }
}

fn silent() -> Health {
    let seconds = CALL_LIMIT.as_secs();
    Health::Disconnected(format!("the broker did not answer within {seconds} s"))
}

/// Ends when the broker has read a message and what came after it.
async fn answer(link: &Link, lease: &Lease) -> Result<(), Fault> {
    if message_and_question(lease).await.is_ok() {
        return Ok(());
    }
    // A refused message closes its channel, which lapin tells in several ways. The broker has
    // read the message then, and whether it reads on is asked over another channel.
    let next = link.channel().await.map_err(Fault::Fatal)?;
    if next.life == lease.life {
        Ok(())
    } else {
        Err(Fault::Passing("the connection was lost".to_owned()))
    }
}

/// What is asked on the channel of the message is answered after it, and a refusal comes in the
/// place of that answer. So none is left on its way when the channel is dropped: lapin would take
/// it for one of the next channel of that number.
async fn message_and_question(lease: &Lease) -> Result<(), Fault> {
    let publishing = lease.channel.basic_publish(
        short(EVENTS)?,
        short(PROBE_KEY)?,
        BasicPublishOptions::default(),
        b"{}",
        BasicProperties::default(),
    );
    limited("basic.publish", publishing).await?;
    let asking = lease.channel.basic_qos(0, BasicQosOptions::default());
    limited("basic.qos", asking).await
}
