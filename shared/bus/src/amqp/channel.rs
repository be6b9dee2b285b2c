//! A channel that consumers and the deliveries from them share.
//!
//! Deliveries are settled while their consumers go on, and may outlive them. Whoever finds that
//! the channel is no good ends it for all of them: the broker gives every unsettled delivery of a
//! closed channel back to its queue, and what was settled late on a channel with a consumer that
//! the broker has cancelled would wake that dead consumer (RabbitMQ 4.3).

use std::sync::Arc;

use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicNackOptions, BasicRejectOptions};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::timeout;

use super::fault::Fault;
use super::session::{CALL_LIMIT, Lease};

/// A channel that consumers and the deliveries from them share. It is closed when the last of
/// them is gone, or when it is given up.
pub(super) struct SharedChannel {
    pub(super) lease: Lease,
    trouble: Trouble,
}

impl SharedChannel {
    pub(super) fn new(lease: Lease) -> Arc<Self> {
        Arc::new(Self {
            lease,
            trouble: Trouble::default(),
        })
    }

    /// Ends when the channel is given up, with the cause.
    pub(super) async fn fault(&self) -> Fault {
        self.trouble.fault().await
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.trouble.is_found()
    }

    /// Says that the channel is no good. Its consumers close it.
    pub(super) fn give_up(&self, cause: String) {
        self.trouble.find(cause);
    }

    /// Takes a message off its queue. Where that cannot be said to the broker the channel is
    /// given up, and the message comes again.
    pub(super) async fn acknowledge(&self, delivery: &Delivery, queue: &str) {
        self.trouble.acknowledge(delivery, queue).await;
    }

    /// Gives a message back to its queue.
    pub(super) async fn requeue(&self, delivery: &Delivery) {
        self.trouble.requeue(delivery).await;
    }

    /// Lets the broker take a message off its queue and make it a dead letter.
    pub(super) async fn refuse(&self, delivery: &Delivery, queue: &str) {
        self.trouble.refuse(delivery, queue).await;
    }

    /// Gives a message back to its queue, without waiting for it.
    pub(super) fn give_back(self: &Arc<Self>, delivery: Delivery) {
        // Without a runtime the connection is gone too, and the broker gives the message back.
        if let Ok(runtime) = Handle::try_current() {
            let channel = self.clone();
            runtime.spawn(async move { channel.requeue(&delivery).await });
        }
    }

    /// Closes the channel now, whoever still holds it.
    pub(super) async fn close(&self) {
        let closing = self.lease.channel.close(200, "goodbye".into());
        match timeout(CALL_LIMIT, closing).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a channel was gone before it was closed"),
            // The heartbeat finds out about the connection.
            Err(_) => tracing::debug!("the broker does not close a channel"),
        }
    }

    /// Closes the channel and then drops its consumers, without waiting for it. The other way
    /// round lapin would cancel them on a channel that closes, and take the refusal for the end
    /// of the connection.
    pub(super) fn close_with<T: Send + 'static>(self: &Arc<Self>, consumers: T) {
        if let Ok(runtime) = Handle::try_current() {
            let channel = self.clone();
            runtime.spawn(async move {
                channel.give_up("its consumers have ended".to_owned());
                channel.close().await;
                drop(consumers);
            });
        }
    }
}

/// What was found wrong with a channel.
#[derive(Default)]
struct Trouble(watch::Sender<Option<String>>);

impl Trouble {
    async fn fault(&self) -> Fault {
        let mut found = self.0.subscribe();
        // The sender lives as long as `self`, so the wait ends with a cause.
        let cause = found.wait_for(Option::is_some).await;
        let cause = cause.map_or_else(|_| None, |cause| cause.clone());
        Fault::Passing(cause.unwrap_or_default())
    }

    fn is_found(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Notes a cause; the first one stands.
    fn find(&self, cause: String) {
        self.0.send_if_modified(|found| {
            let is_first = found.is_none();
            if is_first {
                *found = Some(cause);
            }
            is_first
        });
    }

    async fn acknowledge(&self, delivery: &Delivery, queue: &str) {
        if self.is_found() {
            tracing::debug!(queue, "the channel is gone; the message comes again");
            return;
        }
        let acknowledging = delivery.acker.ack(BasicAckOptions::default());
        if let Err(cause) = settled(acknowledging).await {
            tracing::debug!(queue, cause, "not acknowledged; the message comes again");
            self.find(format!(
                "a message of {queue} was not acknowledged: {cause}"
            ));
        }
    }

    async fn refuse(&self, delivery: &Delivery, queue: &str) {
        if self.is_found() {
            tracing::debug!(queue, "the channel is gone; the message comes again");
            return;
        }
        let rejecting = delivery.acker.reject(BasicRejectOptions { requeue: false });
        if let Err(cause) = settled(rejecting).await {
            tracing::debug!(queue, cause, "not refused; the message comes again");
            self.find(format!("a message of {queue} was not refused: {cause}"));
        }
    }

    async fn requeue(&self, delivery: &Delivery) {
        if self.is_found() {
            return;
        }
        let options = BasicNackOptions {
            requeue: true,
            ..Default::default()
        };
        // Kept open, the channel would keep the message from everybody.
        if let Err(cause) = settled(delivery.acker.nack(options)).await {
            self.find(format!("a message was not given back: {cause}"));
        }
    }
}

/// Why a settlement did not go out. lapin gives `false` where the channel is gone, and no error.
pub(super) async fn settled(
    settling: impl Future<Output = lapin::Result<bool>>,
) -> Result<(), String> {
    match timeout(CALL_LIMIT, settling).await {
        Ok(Ok(true)) => Ok(()),
        Ok(Ok(false)) => Err("its channel was closed".to_owned()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("it took more than {} s", CALL_LIMIT.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn delivery(tag: u64) -> Delivery {
        Delivery::mock(tag, "".into(), "scan".into(), false, Vec::new())
    }

    #[tokio::test]
    async fn a_settlement_that_does_not_go_out_is_a_fault_of_its_channel() {
        for settlement in ["acknowledge", "requeue", "refuse"] {
            let (trouble, used) = (Trouble::default(), delivery(1));
            trouble.acknowledge(&used, "scan").await;
            assert!(trouble.fault().now_or_never().is_none());
            // The answer for one that is used up is the one of a channel that is gone.
            match settlement {
                "acknowledge" => trouble.acknowledge(&used, "scan").await,
                "requeue" => trouble.requeue(&used).await,
                _ => trouble.refuse(&used, "scan").await,
            }
            let fault = trouble.fault().now_or_never().unwrap();
            let cause = fault.passing().unwrap();
            assert!(cause.contains("its channel was closed"), "{cause}");
        }
    }

    #[tokio::test]
    async fn on_a_channel_that_is_given_up_nothing_is_settled() {
        let (trouble, held) = (Trouble::default(), delivery(1));
        trouble.find("its consumer was cancelled".to_owned());
        trouble.acknowledge(&held, "scan").await;
        trouble.requeue(&held).await;
        trouble.refuse(&held, "scan").await;
        assert!(held.acker.usable(), "it was not used");
    }
}
