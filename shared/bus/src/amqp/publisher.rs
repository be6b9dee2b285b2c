//! Publishing until confirmed.

use std::sync::Arc;
use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Confirmation};
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use super::fault::{Fault, PRECONDITION_FAILED, Pause, reply_code, short};
use super::incoming::Authority;
use super::session::{CALL_LIMIT, Lease, Link};
use crate::seam::BusError;
use crate::topology::{COMMANDS, command_queue};

/// How long a confirm may take: with one of three nodes left it would take for ever, and no
/// error would come.
const CONFIRM_LIMIT: Duration = Duration::from_secs(30);

/// A message on its way out.
pub(super) struct Outgoing {
    pub(super) exchange: &'static str,
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

    /// Returns when the broker has the message and has routed it.
    pub(super) async fn publish(&self, message: Outgoing) -> Result<(), BusError> {
        let mut pause = Pause::default();
        loop {
            let fault = match self.publish_once(&message).await {
                Ok(()) => return Ok(()),
                Err(fault) => fault,
            };
            let is_missing = matches!(fault, Fault::Missing(_));
            let cause = fault.passing()?;
            let wait = pause.next();
            tracing::warn!(
                kind = message.kind,
                cause,
                pause_ms = wait.as_millis(),
                "a message is not confirmed; it is published again"
            );
            if is_missing && let Err(fault) = self.declare_for(&message).await {
                let cause = fault.passing()?;
                tracing::warn!(cause, "what is missing cannot be declared yet");
            }
            self.link.pause(wait).await?;
        }
    }

    async fn declare_for(&self, message: &Outgoing) -> Result<(), Fault> {
        let queue =
            (message.exchange == COMMANDS).then(|| command_queue(message.routing_key.clone()));
        self.link.redeclare(queue.as_ref()).await
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
            if !*lease.blocked.borrow() {
                self.link.give_up(lease).await;
                return Err(Fault::slow("a confirm", CONFIRM_LIMIT));
            }
        };
        match confirmation {
            // A message that was returned is confirmed too.
            Confirmation::Ack(None) => Ok(()),
            Confirmation::Ack(Some(returned)) | Confirmation::Nack(Some(returned)) => {
                let key = &message.routing_key;
                Err(Fault::Missing(format!(
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
