//! Publishing until confirmed.

use std::sync::Arc;
use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Confirmation};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};

use super::dead::Letter;
use super::fault::{Fault, PRECONDITION_FAILED, Pause, reply_code, short};
use super::incoming::Authority;
use super::session::{CALL_LIMIT, Lease, Link};
use crate::meters::{
    CONFIRM_SECONDS, CONFIRMED, DEAD_LETTERS, PUBLISHED, RETURNED, Sent, UNCONFIRMED,
};
use crate::seam::BusError;
use crate::topology::{COMMANDS, command_queue};

/// How long a confirm may take: with one of three nodes left it would take for ever, and no
/// error would come.
const CONFIRM_LIMIT: Duration = Duration::from_secs(30);

/// How often a command may be unroutable after its queue was declared, or could not be. A queue
/// that is deleted and made again in between costs one or two.
const UNROUTABLE_TRIES: u32 = 4;

/// What became of a message.
enum Routing {
    Confirmed,
    /// No queue takes it, and why.
    Unroutable(String),
}

/// Why something could not be declared, and whether it would be the same the next time.
struct Obstacle {
    detail: String,
    is_final: bool,
}

/// A message on its way out.
pub(super) struct Outgoing {
    pub(super) exchange: &'static str,
    /// What it is, for the metrics.
    pub(super) sent: Sent,
    pub(super) routing_key: String,
    /// For log lines and errors.
    pub(super) kind: String,
    pub(super) body: Vec<u8>,
    /// Without the user and what makes it persistent, which are the publisher's matter.
    pub(super) properties: BasicProperties,
}

/// Publishes until confirmed.
pub(super) struct Publisher {
    link: Arc<Link>,
    authority: Arc<Authority>,
    /// One message is under way at a time: a broker that returns a message and confirms several
    /// at once would not tell which of them was lost.
    channel: Mutex<Option<Lease>>,
}

impl Publisher {
    pub(super) fn new(link: Arc<Link>, authority: Arc<Authority>) -> Self {
        Self {
            link,
            authority,
            channel: Mutex::default(),
        }
    }

    /// Who publishes.
    pub(super) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Returns when the broker has the message and has routed it. A command whose queue cannot
    /// be made becomes a dead letter; anything else is tried until it is routed.
    pub(super) async fn publish(&self, message: Outgoing) -> Result<(), BusError> {
        let tries = (message.exchange == COMMANDS).then_some(UNROUTABLE_TRIES);
        let Routing::Unroutable(cause) = self.route(&message, tries).await? else {
            return Ok(());
        };
        let (queue, kind) = (message.routing_key.as_str(), &message.kind);
        let cause = format!("unroutable: {cause}");
        tracing::warn!(queue, kind, cause, "a command becomes a dead letter");
        let properties = message.properties.clone();
        let letter = Letter {
            properties: &properties.with_user_id(self.authority.name().into()),
            queue,
            cause,
            deliveries: 0,
        };
        // Without a limit of tries it ends with the message confirmed.
        let letter = letter.outgoing(message.body.clone());
        self.route(&letter, None).await.map(|_| ())
    }

    /// Publishes until the message is confirmed, or was unroutable so many times.
    async fn route(&self, message: &Outgoing, tries: Option<u32>) -> Result<Routing, BusError> {
        if tries.is_some() && short(&message.routing_key).is_err() {
            let cause = "the name of the queue is longer than AMQP allows";
            return Ok(Routing::Unroutable(cause.to_owned()));
        }
        let (mut pause, mut unroutable) = (Pause::default(), 0);
        let (since, sent) = (Instant::now(), message.sent.label());
        loop {
            PUBLISHED.count(sent);
            let fault = match self.publish_once(message).await {
                Ok(()) => {
                    CONFIRMED.count(sent);
                    CONFIRM_SECONDS.observe(sent, since.elapsed());
                    if message.sent == Sent::DeadLetter {
                        DEAD_LETTERS.count([]);
                    }
                    return Ok(Routing::Confirmed);
                }
                Err(fault) => fault,
            };
            match &fault {
                Fault::Unroutable(_) => RETURNED.count(sent),
                _ => UNCONFIRMED.count(sent),
            }
            let is_missing = matches!(fault, Fault::Missing(_) | Fault::Unroutable(_));
            let is_unroutable = matches!(fault, Fault::Unroutable(_));
            let mut cause = fault.passing()?;
            let wait = pause.next();
            let (kind, pause_ms) = (&message.kind, wait.as_millis());
            tracing::warn!(
                kind,
                cause,
                pause_ms,
                "a message is not confirmed; it is published again"
            );
            if is_missing {
                let obstacle = self.declare_for(message).await?;
                let is_final = obstacle.as_ref().is_none_or(|obstacle| obstacle.is_final);
                unroutable += u32::from(is_unroutable && is_final);
                if let Some(Obstacle { detail, .. }) = obstacle {
                    tracing::warn!(kind, detail, "what is missing cannot be declared");
                    cause = format!("{cause}; and it cannot be declared: {detail}");
                }
            }
            if tries.is_some_and(|tries| unroutable >= tries) {
                return Ok(Routing::Unroutable(cause));
            }
            self.link.pause(wait).await?;
        }
    }

    /// Declares what is missing for a message. What this user may not declare somebody else may,
    /// so that is no end.
    async fn declare_for(&self, message: &Outgoing) -> Result<Option<Obstacle>, BusError> {
        let queue =
            (message.exchange == COMMANDS).then(|| command_queue(message.routing_key.clone()));
        match self.link.redeclare(queue.as_ref()).await {
            Ok(()) => Ok(None),
            Err(Fault::Fatal(BusError::AccessRefused { detail })) => {
                let is_final = true;
                Ok(Some(Obstacle { detail, is_final }))
            }
            Err(fault) => {
                let (detail, is_final) = (fault.passing()?, false);
                Ok(Some(Obstacle { detail, is_final }))
            }
        }
    }

    async fn publish_once(&self, message: &Outgoing) -> Result<(), Fault> {
        let mut kept = self.channel.lock().await;
        // It is put back after a clean confirm only: what a cancelled call left on the channel
        // could be mistaken for the answer to the next message.
        let lease = match kept.take() {
            Some(lease) if lease.channel.status().connected() => lease,
            _ => self.open().await?,
        };
        self.send(&lease, message).await?;
        *kept = Some(lease);
        Ok(())
    }

    async fn open(&self) -> Result<Lease, Fault> {
        let lease = self.link.channel().await.map_err(Fault::Fatal)?;
        let select = lease
            .channel
            .confirm_select(ConfirmSelectOptions::default());
        let selected = timeout(CALL_LIMIT, select).await;
        selected.map_err(|_| Fault::slow("confirm.select", CALL_LIMIT))??;
        Ok(lease)
    }

    async fn send(&self, lease: &Lease, message: &Outgoing) -> Result<(), Fault> {
        let properties = message
            .properties
            .clone()
            .with_app_id("gentoo-updater".into())
            .with_user_id(short(self.authority.name())?)
            .with_delivery_mode(PERSISTENT);
        let confirmed = async {
            let options = BasicPublishOptions {
                mandatory: true,
                ..Default::default()
            };
            lease
                .channel
                .basic_publish(
                    short(message.exchange)?,
                    short(&message.routing_key)?,
                    options,
                    &message.body,
                    properties,
                )
                .await
                .map_err(|error| refused(message, error))?
                .await
                .map_err(|error| refused(message, error))
        };
        tokio::pin!(confirmed);
        let confirmation = loop {
            tokio::select! {
                confirmation = &mut confirmed => break confirmation?,
                () = self.link.closed().cancelled() => return Err(Fault::Fatal(BusError::Closed)),
                () = sleep(CONFIRM_LIMIT) => {}
            }
            // A broker in alarm confirms when it has recovered, and would not take the message
            // on a new connection either.
            if lease.blocked.borrow().is_none() {
                self.link.give_up(lease).await;
                return Err(Fault::slow("a confirm", CONFIRM_LIMIT));
            }
        };
        match confirmation {
            // A message that was returned is confirmed too.
            Confirmation::Ack(None) => Ok(()),
            Confirmation::Ack(Some(returned)) | Confirmation::Nack(Some(returned)) => {
                let key = &message.routing_key;
                Err(Fault::Unroutable(format!(
                    "no queue takes {key}: {}",
                    returned.reply_text
                )))
            }
            Confirmation::Nack(None) => Err(Fault::Passing("a queue could not take it".to_owned())),
            Confirmation::NotRequested => {
                Err(Fault::Passing("the channel does not confirm".to_owned()))
            }
        }
    }
}

/// `delivery-mode` of a message that survives a restart of the broker.
const PERSISTENT: u8 = 2;

fn refused(message: &Outgoing, error: lapin::Error) -> Fault {
    if reply_code(&error) == Some(PRECONDITION_FAILED) {
        let (kind, detail) = (message.kind.clone(), error.to_string());
        return Fault::Fatal(BusError::MessageRefused { kind, detail });
    }
    error.into()
}
