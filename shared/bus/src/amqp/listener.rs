//! Deliveries that come by themselves, from a consumer that is opened again after every fault.

use std::sync::Arc;

use futures_util::{FutureExt, StreamExt};
use lapin::Consumer;
use lapin::message::Delivery;
use lapin::options::{BasicConsumeOptions, BasicQosOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use tokio::time::{Instant, timeout, timeout_at};

use super::channel::SharedChannel;
use super::fault::{Fault, Pause, short};
use super::opening::Opening;
use super::session::{CALL_LIMIT, Lease, Link};
use crate::seam::{BusError, Position};
use crate::topology::{ALIVE_KEY, EVENTS, PLAN};

/// How many messages of a stream are on their way at once.
pub(super) const STREAM_PREFETCH: u16 = 250;
/// How many wake-ups are on their way at once: they are small and quickly settled.
const WAKEUP_PREFETCH: u16 = 16;

/// What a broker says of a queue that does not exist. Of one whose node is away it says something
/// else under the same reply code.
const NO_QUEUE: &str = "no queue";

/// What is listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// The planner's queue.
    Wakeups,
    /// A stream.
    Stream {
        /// Its name.
        name: &'static str,
        /// Where to begin.
        from: StreamPosition,
        /// Whether something of it was read: then it cannot just be missing.
        is_known: bool,
    },
    /// The signs of life from now on.
    Alive,
}

/// Where to begin to read a stream. The broker sends whole chunks, what was published at about one
/// time, and begins with the one that holds the place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StreamPosition {
    /// A place that is known.
    At(Position),
    /// The last chunk, whose offsets nobody knows before.
    LastChunk,
}

/// Deliveries from one source.
pub(super) struct Listener {
    link: Arc<Link>,
    opening: Opening<Subscription>,
    open: Option<Subscription>,
    /// Why the open consumer has ended.
    ended: Option<Fault>,
    /// When the open consumer began or last had a message.
    heard: Instant,
    /// Whether that was its beginning.
    is_silent: bool,
    pause: Pause,
}

/// A consumer on a channel of its own.
struct Subscription {
    channel: Arc<SharedChannel>,
    /// Absent when it is dropped.
    consumer: Option<Consumer>,
}

impl Subscription {
    fn new(lease: Lease, consumer: Consumer) -> Self {
        Self {
            channel: SharedChannel::new(lease),
            consumer: Some(consumer),
        }
    }

    async fn next(&mut self) -> Result<Delivery, Fault> {
        let Some(consumer) = &mut self.consumer else {
            return delivered(None);
        };
        tokio::select! {
            biased;
            fault = self.channel.fault() => Err(fault),
            next = consumer.next() => delivered(next),
        }
    }
}

impl Drop for Subscription {
    /// Closes the channel even where deliveries are still held. On a channel that the broker
    /// cancelled a consumer of, nothing may be acknowledged any more (RabbitMQ 4.3 would wake the
    /// dead consumer).
    fn drop(&mut self) {
        self.channel.close_with(self.consumer.take());
    }
}

impl Listener {
    pub(super) fn new(link: Arc<Link>) -> Self {
        Self {
            link,
            opening: Opening::default(),
            open: None,
            ended: None,
            heard: Instant::now(),
            is_silent: true,
            pause: Pause::default(),
        }
    }

    /// Waits until there is a consumer. It may be cancelled.
    pub(super) async fn open(&mut self, source: Source) -> Result<(), BusError> {
        loop {
            let closed = self.link.closed().clone();
            let opened = tokio::select! {
                biased;
                () = closed.cancelled() => return Err(BusError::Closed),
                opened = self.subscription(source) => opened.map(drop),
            };
            match opened {
                Ok(()) => return Ok(()),
                Err(fault) => self.fail(source, fault).await?,
            }
        }
    }

    /// A delivery that is here already.
    pub(super) fn ready(&mut self) -> Option<Delivery> {
        if self.ended.is_some() {
            return None;
        }
        match self.open.as_mut()?.next().now_or_never()? {
            Ok(delivery) => {
                self.note_heard();
                Some(delivery)
            }
            Err(fault) => {
                self.ended = Some(fault);
                None
            }
        }
    }

    /// Whether there is a consumer that has had no message yet.
    pub(super) fn is_silent_since_opened(&self) -> bool {
        self.open.is_some() && self.is_silent
    }

    /// As [`Self::next`], with the channel that the delivery is to be settled on.
    pub(super) async fn next_held(
        &mut self,
        source: Source,
    ) -> Result<(Arc<SharedChannel>, Delivery), BusError> {
        loop {
            let delivery = self.next(source).await?;
            // It is open: the delivery came from it.
            if let Some(subscription) = &self.open {
                return Ok((subscription.channel.clone(), delivery));
            }
        }
    }

    /// The next delivery; after a fault a new consumer begins at `source`. It may be cancelled.
    pub(super) async fn next(&mut self, source: Source) -> Result<Delivery, BusError> {
        loop {
            let closed = self.link.closed().clone();
            let tried = tokio::select! {
                biased;
                () = closed.cancelled() => return Err(BusError::Closed),
                tried = self.try_next(source) => tried,
            };
            match tried {
                Ok(delivery) => {
                    self.pause.reset();
                    return Ok(delivery);
                }
                Err(fault) => self.fail(source, fault).await?,
            }
        }
    }

    /// Ends the consumer; the next call of [`Listener::next`] opens another.
    pub(super) async fn fail(&mut self, source: Source, fault: Fault) -> Result<(), BusError> {
        self.open = None;
        self.ended = None;
        let is_missing = matches!(fault, Fault::Missing(_));
        let cause = fault.passing()?;
        if let Source::Stream { name, is_known, .. } = source
            && is_known
            && is_missing
            && cause.contains(NO_QUEUE)
        {
            let name = name.to_owned();
            return Err(BusError::Replaced { name });
        }
        let pause = self.pause.next();
        let pause_ms = pause.as_millis();
        tracing::warn!(
            ?source,
            cause,
            pause_ms,
            "a consumer has ended; it is opened again"
        );
        if is_missing {
            redeclare(&self.link).await?;
        }
        self.link.pause(pause).await
    }

    fn note_heard(&mut self) {
        self.heard = Instant::now();
        self.is_silent = false;
    }

    async fn try_next(&mut self, source: Source) -> Result<Delivery, Fault> {
        if let Some(fault) = self.ended.take() {
            return Err(fault);
        }
        loop {
            self.subscription(source).await?;
            let Some(subscription) = &mut self.open else {
                continue;
            };
            let deadline = self.heard + self.link.quiet();
            match timeout_at(deadline, subscription.next()).await {
                Ok(next) => {
                    self.note_heard();
                    return next;
                }
                Err(_) => {
                    tracing::debug!(?source, "no message for long; the consumer is opened anew");
                    self.open = None;
                }
            }
        }
    }

    async fn subscription(&mut self, source: Source) -> Result<&mut Subscription, Fault> {
        match &mut self.open {
            Some(subscription) => Ok(subscription),
            open => {
                let link = self.link.clone();
                let opened = self.opening.finish(|| subscribe_to(link, source)).await?;
                self.heard = Instant::now();
                self.is_silent = true;
                Ok(open.insert(opened))
            }
        }
    }
}

/// What is missing is declared, and if that cannot be done now, it is tried after the next fault.
pub(super) async fn redeclare(link: &Link) -> Result<(), BusError> {
    if let Err(fault) = link.redeclare(None).await {
        let cause = fault.passing()?;
        tracing::warn!(cause, "what is missing cannot be declared yet");
    }
    Ok(())
}

/// A consumer that ends without an error was cancelled by the broker: a fault like any other.
pub(super) fn delivered(next: Option<lapin::Result<Delivery>>) -> Result<Delivery, Fault> {
    match next {
        Some(Ok(delivery)) => Ok(delivery),
        Some(Err(error)) => Err(error.into()),
        None => Err(Fault::Passing(
            "the broker cancelled the consumer".to_owned(),
        )),
    }
}

async fn subscribe_to(link: Arc<Link>, source: Source) -> Result<Subscription, Fault> {
    let link = link.as_ref();
    let none = FieldTable::default();
    match source {
        Source::Wakeups => subscribe(link, PLAN, WAKEUP_PREFETCH, none).await,
        Source::Stream { name, from, .. } => {
            let mut arguments = FieldTable::default();
            arguments.insert("x-stream-offset".into(), offset_argument(from));
            subscribe(link, name, STREAM_PREFETCH, arguments).await
        }
        Source::Alive => alive(link).await,
    }
}

fn offset_argument(from: StreamPosition) -> AMQPValue {
    match from {
        StreamPosition::At(Position::First) => AMQPValue::LongString("first".into()),
        StreamPosition::At(Position::Offset(offset)) => {
            AMQPValue::LongLongInt(i64::try_from(offset).unwrap_or(i64::MAX))
        }
        // Whole seconds; a time before 1970 is before every event.
        StreamPosition::At(Position::Time(time)) => {
            AMQPValue::Timestamp(u64::try_from(time.as_second()).unwrap_or(0))
        }
        StreamPosition::LastChunk => AMQPValue::LongString("last".into()),
    }
}

/// A queue that lives as long as the connection.
async fn alive(link: &Link) -> Result<Subscription, Fault> {
    let lease = link.channel().await.map_err(Fault::Fatal)?;
    let options = QueueDeclareOptions::exclusive().auto_delete();
    let declared = lease
        .channel
        .queue_declare("".into(), options, FieldTable::default());
    let queue = limited("declaring a queue", declared).await?;
    let bound = lease.channel.queue_bind(
        queue.name().clone(),
        short(EVENTS)?,
        short(ALIVE_KEY)?,
        QueueBindOptions::default(),
        FieldTable::default(),
    );
    limited("binding a queue", bound).await?;
    let options = BasicConsumeOptions {
        no_ack: true,
        ..Default::default()
    };
    let consuming = lease.channel.basic_consume(
        queue.name().clone(),
        "".into(),
        options,
        FieldTable::default(),
    );
    let consumer = limited("basic.consume", consuming).await?;
    Ok(Subscription::new(lease, consumer))
}

/// Consumes from a queue, with at most `prefetch` deliveries unsettled.
async fn subscribe(
    link: &Link,
    queue: &str,
    prefetch: u16,
    arguments: FieldTable,
) -> Result<Subscription, Fault> {
    let lease = open_channel(link, prefetch).await?;
    let consumer = consume(&lease, queue, arguments).await?;
    Ok(Subscription::new(lease, consumer))
}

/// A channel whose consumers have at most `prefetch` deliveries unsettled, each.
pub(super) async fn open_channel(link: &Link, prefetch: u16) -> Result<Lease, Fault> {
    let lease = link.channel().await.map_err(Fault::Fatal)?;
    let qos = lease
        .channel
        .basic_qos(prefetch, BasicQosOptions::default());
    limited("basic.qos", qos).await?;
    Ok(lease)
}

/// Begins to consume from a queue.
pub(super) async fn consume(
    lease: &Lease,
    queue: &str,
    arguments: FieldTable,
) -> Result<Consumer, Fault> {
    let options = BasicConsumeOptions::default();
    let consuming = lease
        .channel
        .basic_consume(short(queue)?, "".into(), options, arguments);
    limited("basic.consume", consuming).await
}

pub(super) async fn limited<T>(
    what: &str,
    call: impl Future<Output = lapin::Result<T>>,
) -> Result<T, Fault> {
    let answer = timeout(CALL_LIMIT, call).await;
    Ok(answer.map_err(|_| Fault::slow(what, CALL_LIMIT))??)
}
