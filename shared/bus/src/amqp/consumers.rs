//! Consumers of several queues on one channel.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream, SelectAll};
use lapin::message::Delivery;
use lapin::options::BasicCancelOptions;
use lapin::types::{FieldTable, ShortString};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::channel::SharedChannel;
use super::fault::Fault;
use super::listener::{consume, delivered, open_channel};
use super::session::{CALL_LIMIT, Link};

/// How many unsettled deliveries each consumer may have. More would wait here while others
/// could take them.
const PREFETCH: u16 = 1;

type Next = (usize, Option<lapin::Result<Delivery>>);

/// Consumers of several queues on one channel. Dropped, they are cancelled, and what was on its
/// way to them goes back to its queue, while deliveries that were handed out stay.
pub(super) struct Consumers {
    channel: Arc<SharedChannel>,
    tags: Vec<ShortString>,
    deliveries: SelectAll<BoxStream<'static, Next>>,
}

/// A delivery, where it came from, and what it is to be settled on.
pub(super) struct Delivered {
    pub(super) channel: Arc<SharedChannel>,
    /// The place of its queue among those that are consumed.
    pub(super) queue: usize,
    pub(super) delivery: Delivery,
}

impl Consumers {
    pub(super) async fn open(link: Arc<Link>, queues: Vec<String>) -> Result<Self, Fault> {
        let channel = SharedChannel::new(open_channel(&link, PREFETCH).await?);
        let mut consumers = Self {
            channel,
            tags: Vec::new(),
            deliveries: SelectAll::new(),
        };
        for (index, queue) in queues.iter().enumerate() {
            let lease = &consumers.channel.lease;
            let consumer = consume(lease, queue, FieldTable::default()).await?;
            consumers.tags.push(consumer.tag());
            // The end of a consumer is a fault, and no reason to wait for the others only.
            let consumer = consumer.map(Some).chain(stream::iter([None]));
            let consumer = consumer.map(move |next| (index, next)).boxed();
            consumers.deliveries.push(consumer);
        }
        Ok(consumers)
    }

    /// The next delivery. After a fault the channel is of no use any more, and these consumers
    /// are to be dropped. It may be cancelled and called again.
    pub(super) async fn next(&mut self) -> Result<Delivered, Fault> {
        let next = tokio::select! {
            biased;
            fault = self.channel.fault() => return Err(fault),
            next = self.deliveries.next() => next,
        };
        let Some((queue, next)) = next else {
            // A worker without queues waits for its stop.
            return std::future::pending().await;
        };
        match delivered(next) {
            Ok(delivery) => Ok(Delivered {
                channel: self.channel.clone(),
                queue,
                delivery,
            }),
            Err(fault) => {
                self.channel
                    .give_up("one of its consumers has ended".to_owned());
                Err(fault)
            }
        }
    }
}

impl Drop for Consumers {
    fn drop(&mut self) {
        let (channel, tags) = (self.channel.clone(), std::mem::take(&mut self.tags));
        let deliveries = std::mem::take(&mut self.deliveries);
        if channel.is_given_up() {
            channel.close_with(deliveries);
        } else if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(end(channel, tags, deliveries));
        }
    }
}

/// Cancels the consumers and gives back what was on its way to them. The channel stays open for
/// the deliveries that were handed out.
async fn end(
    channel: Arc<SharedChannel>,
    tags: Vec<ShortString>,
    mut deliveries: SelectAll<BoxStream<'static, Next>>,
) {
    let ending = async {
        for tag in tags {
            let cancelling = channel
                .lease
                .channel
                .basic_cancel(tag, BasicCancelOptions::default());
            cancelling.await?;
        }
        // Each of them ends with what came before its cancellation.
        while let Some((_, next)) = deliveries.next().await {
            if let Some(delivery) = next.transpose()? {
                channel.requeue(&delivery).await;
            }
        }
        lapin::Result::Ok(())
    };
    let cause = match timeout(CALL_LIMIT, ending).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the broker does not cancel a consumer".to_owned(),
    };
    // Closing the channel gives everything back.
    tracing::debug!(cause, "consumers did not end in good order");
    channel.close_with(deliveries);
}
