//! A stream, read message by message.
//!
//! An acknowledgement takes nothing off a stream, it only lets the broker send more. One for many
//! messages makes that several times as fast as one for each.
//! See <https://www.rabbitmq.com/docs/streams#usage>.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use lapin::Acker;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use tokio::time::{Instant, timeout};

use super::channel::settled;
use super::fault::{Fault, short};
use super::headers::number;
use super::identity::{Identity, Recognised};
use super::listener::{Listener, STREAM_PREFETCH, Source, StreamPosition, redeclare};
use super::session::{CALL_LIMIT, Link};
use crate::seam::{BusError, Position};

/// How many messages one acknowledgement is for: the broker never waits for the next one.
const ACKNOWLEDGED_AT_ONCE: u16 = STREAM_PREFETCH / 5;
/// The broker sends the last chunk of a stream at once; after this long it has sent all of it.
const QUIET: Duration = Duration::from_millis(300);
/// How long the first message of a stream that is not empty may take before that is looked into.
pub(super) const FIRST_WITHIN: Duration = Duration::from_secs(10);

/// A message by its place.
pub(super) struct Placed {
    pub(super) offset: u64,
    pub(super) delivery: Delivery,
}

/// Reads a stream from a place on: every message once and in order, through every fault.
pub(super) struct StreamReader {
    name: &'static str,
    listener: Listener,
    /// Where a consumer begins: at the newest message that was read, to know the stream by it.
    from: StreamPosition,
    /// What comes before this offset was read or is not wanted.
    wanted: u64,
    identity: Identity,
    /// The newest of the deliveries that are not acknowledged, and how many they are.
    newest: Option<Acker>,
    unacknowledged: u16,
}

impl StreamReader {
    pub(super) fn new(link: Arc<Link>, name: &'static str, from: StreamPosition) -> Self {
        let wanted = match from {
            StreamPosition::At(Position::Offset(wanted)) => wanted,
            _ => 0,
        };
        Self {
            name,
            listener: Listener::new(link),
            from,
            wanted,
            identity: Identity::default(),
            newest: None,
            unacknowledged: 0,
        }
    }

    fn source(&self) -> Source {
        Source::Stream {
            name: self.name,
            from: self.from,
            is_known: !self.identity.is_empty(),
        }
    }

    /// Waits until the broker has been asked for the stream.
    pub(super) async fn open(&mut self) -> Result<(), BusError> {
        let source = self.source();
        self.listener.open(source).await
    }

    /// The next message; waits for one where there is none yet. It may be cancelled.
    ///
    /// # Errors
    /// [`BusError::Replaced`] when the stream is another than the one that was read so far.
    pub(super) async fn next(&mut self) -> Result<Placed, BusError> {
        loop {
            let delivery = self.next_delivery().await?;
            let Some(offset) = number(&delivery.properties, "x-stream-offset") else {
                let fault = Fault::Passing("a message of a stream has no offset".to_owned());
                self.listener.fail(self.source(), fault).await?;
                continue;
            };
            self.newest = Some(delivery.acker.clone());
            self.unacknowledged += 1;
            if self.identity.recognise(offset, &delivery.properties) == Recognised::Foreign {
                let name = self.name.to_owned();
                return Err(BusError::Replaced { name });
            }
            // The broker begins with the chunk that holds the wanted offset.
            if offset < self.wanted {
                continue;
            }
            // From here to the return nothing waits, so a cancelled call loses nothing.
            self.wanted = offset + 1;
            self.from = StreamPosition::At(Position::Offset(offset));
            return Ok(Placed { offset, delivery });
        }
    }

    async fn next_delivery(&mut self) -> Result<Delivery, BusError> {
        if self.unacknowledged >= ACKNOWLEDGED_AT_ONCE {
            self.acknowledge().await;
        }
        if let Some(delivery) = self.listener.ready() {
            return Ok(delivery);
        }
        // A broker closes a channel that leaves deliveries unacknowledged for half an hour, and
        // the next one may come later than that.
        self.acknowledge().await;
        self.listener.next(self.source()).await
    }

    /// Whether the broker has yet to send the newest message that was read, which it keeps
    /// whatever else it deletes, after a consumer was opened again.
    pub(super) fn is_to_be_found_again(&self) -> bool {
        !self.identity.is_empty() && self.listener.is_silent_since_opened()
    }

    /// Whether a stream whose newest message has this offset can be the one that was read.
    ///
    /// # Errors
    /// [`BusError::Replaced`] when it cannot.
    pub(super) fn check_end(&self, newest: Option<u64>) -> Result<(), BusError> {
        if newest.is_some_and(|newest| newest + 1 >= self.wanted) {
            return Ok(());
        }
        let name = self.name.to_owned();
        Err(BusError::Replaced { name })
    }

    /// All that came so far. On a channel that is gone this does nothing, and the listener goes on
    /// from the next offset on another one.
    async fn acknowledge(&mut self) {
        let Some(acker) = &self.newest else { return };
        let options = BasicAckOptions { multiple: true };
        // Cancelled here it was sent all the same, and is a no-op in the next call.
        if let Err(cause) = settled(acker.ack(options)).await {
            tracing::debug!(cause, stream = self.name, "an acknowledgement was not sent");
        }
        self.newest = None;
        self.unacknowledged = 0;
    }
}

/// The messages of the last chunk, and what comes with it, oldest first; none of an empty stream.
pub(super) async fn last_chunk(
    link: &Arc<Link>,
    name: &'static str,
) -> Result<Vec<Placed>, BusError> {
    // Nobody can ask for the last offset over this protocol: the last chunk is read.
    let mut reader = StreamReader::new(link.clone(), name, StreamPosition::LastChunk);
    // Silence counts from here on only.
    reader.open().await?;
    let messages = futures_util::stream::unfold(reader, async |mut reader| {
        Some((reader.next().await, reader))
    });
    until_quiet(name, messages.boxed(), || is_empty(link, name)).await
}

/// What comes before a silence. Silence from the first moment on is either an empty stream or a
/// slow broker; `is_empty` tells them apart as well as the broker does.
async fn until_quiet<F: Future<Output = Result<bool, BusError>>>(
    name: &str,
    mut messages: BoxStream<'_, Result<Placed, BusError>>,
    is_empty: impl Fn() -> F,
) -> Result<Vec<Placed>, BusError> {
    let mut read = Vec::new();
    let mut is_said_to_be_empty = false;
    let mut say_at = Instant::now() + FIRST_WITHIN;
    loop {
        match timeout(QUIET, messages.next()).await {
            Ok(Some(message)) => read.push(message?),
            Ok(None) => return Ok(read),
            Err(_) if !read.is_empty() || is_said_to_be_empty => return Ok(read),
            Err(_) => {
                // The broker has answered another question by then, and so it is not stuck; once
                // more of the same silence has to follow.
                is_said_to_be_empty = is_empty().await?;
                if !is_said_to_be_empty && Instant::now() >= say_at {
                    tracing::warn!(stream = name, "the broker does not send its end yet");
                    say_at = Instant::now() + FIRST_WITHIN;
                }
            }
        }
    }
}

/// Whether the broker counts no message in a stream. It counts some seconds late.
async fn is_empty(link: &Link, name: &str) -> Result<bool, BusError> {
    loop {
        let lease = link.channel().await?;
        let options = QueueDeclareOptions::durable().passive();
        let fault = match short(name) {
            Ok(name) => {
                let asked = lease
                    .channel
                    .queue_declare(name, options, FieldTable::default());
                match timeout(CALL_LIMIT, asked).await {
                    Ok(Ok(queue)) => return Ok(queue.message_count() == 0),
                    Ok(Err(error)) => Fault::from(error),
                    Err(_) => Fault::slow("queue.declare", CALL_LIMIT),
                }
            }
            Err(fault) => fault,
        };
        let is_missing = matches!(fault, Fault::Missing(_));
        let cause = fault.passing()?;
        tracing::warn!(
            stream = name,
            cause,
            "a stream cannot be asked for its length"
        );
        if is_missing {
            redeclare(link).await?;
        }
        link.pause(QUIET).await?;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::stream;
    use tokio::time::sleep_until;

    use super::*;

    /// The offsets that are read where these come, each so many milliseconds after the begin, and
    /// how often the broker was asked whether the stream is empty.
    async fn read(is_empty: bool, script: &[(u64, u64)]) -> (Vec<u64>, u32) {
        let begin = Instant::now();
        let messages = stream::iter(script).then(|(at, offset)| async move {
            sleep_until(begin + Duration::from_millis(*at)).await;
            let delivery = Delivery::mock(*offset, "".into(), "".into(), false, Vec::new());
            let offset = *offset;
            Ok(Placed { offset, delivery })
        });
        let asked = AtomicU32::new(0);
        let ask = || async {
            asked.fetch_add(1, Ordering::Relaxed);
            Ok(is_empty)
        };
        let messages = messages.chain(stream::pending()).boxed();
        let found = until_quiet("history", messages, ask).await.unwrap();
        let offsets = found.iter().map(|placed| placed.offset).collect();
        (offsets, asked.into_inner())
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_a_stream_that_is_not_empty_is_waited_for() {
        assert_eq!(read(false, &[(25_000, 7), (25_010, 8)]).await.0, [7, 8]);
        assert_eq!(read(false, &[(0, 3)]).await, (vec![3], 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_is_empty_when_the_broker_says_so_and_nothing_follows() {
        assert_eq!(read(true, &[]).await, (vec![], 1));
        assert_eq!(read(true, &[(100, 0)]).await, (vec![0], 0));
        // The broker counts late.
        assert_eq!(read(true, &[(500, 0)]).await, (vec![0], 1));
    }
}
