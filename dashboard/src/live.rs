//! The follower of the history, and what it tells to browsers that watch.
//!
//! What has changed is written once, whoever watches. It is told at a pace: in a run of many guests events
//! come faster than anybody could draw them.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use gentoo_updater_bus::BusError;
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::broadcast;
use tokio::time::{Instant, sleep, sleep_until};

use crate::http::Shared;
use crate::view::{Change, Overview};

/// The least time between two changes.
const PACE: Duration = Duration::from_millis(25);
/// How often it is looked what the time has changed by itself: a window that has opened.
const TICK: Duration = Duration::from_secs(10);
/// How many changes are kept for who was away for a moment.
const RECENT: usize = 512;
/// How many bytes of them.
const RECENT_BYTES: usize = 1024 * 1024;
/// How many changes a browser may be behind before its connection is closed. It comes again, and asks for
/// what it has missed.
const BEHIND: usize = 128;

/// What is told to whom.
pub(crate) struct Hub {
    state: Mutex<Told>,
    changes: broadcast::Sender<Bytes>,
}

#[derive(Default)]
struct Told {
    overview: Arc<Overview>,
    /// Counts what was told: an offset stays as it is when only time has passed.
    revision: u64,
    /// What was told lately, each with the offset that it leads to, the oldest first.
    recent: VecDeque<(u64, Bytes)>,
    bytes: usize,
    /// The offset that the oldest of them leads on from.
    from: u64,
}

/// What somebody gets who begins to watch: what was missed, and all that comes.
pub(crate) struct Watching {
    pub(crate) missed: Vec<Bytes>,
    pub(crate) changes: broadcast::Receiver<Bytes>,
}

impl Hub {
    pub(crate) fn new(overview: Overview) -> Self {
        let from = overview.offset;
        let told = Told {
            overview: Arc::new(overview),
            from,
            ..Told::default()
        };
        Self {
            state: Mutex::new(told),
            changes: broadcast::Sender::new(BEHIND),
        }
    }

    /// The fleet as it was told last, and what tells it from a former one.
    pub(crate) fn overview(&self) -> (Arc<Overview>, u64) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.overview.clone(), state.revision)
    }

    /// Tells all watchers how the fleet stands now.
    pub(crate) fn tell(&self, overview: Overview) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let change = overview.since(&state.overview);
        if change.is_empty() && change.offset == state.overview.offset {
            return;
        }
        let message = message("change", Some(change.offset), &change);
        state.revision += 1;
        state.bytes += message.len();
        state.recent.push_back((change.offset, message.clone()));
        state.overview = Arc::new(overview);
        while state.recent.len() > RECENT || state.bytes > RECENT_BYTES {
            let Some((offset, message)) = state.recent.pop_front() else {
                break;
            };
            state.bytes -= message.len();
            state.from = offset;
        }
        // An error means that nobody watches.
        let _ = self.changes.send(message);
    }

    /// Begins to watch after this offset; from now on without one.
    pub(crate) fn watch(&self, after: Option<u64>) -> Watching {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = state.overview.offset;
        let missed = match after {
            None => Vec::new(),
            Some(after) if after == now => Vec::new(),
            Some(after) if (state.from..now).contains(&after) => {
                let later = state.recent.iter().filter(|(offset, _)| *offset > after);
                later.map(|(_, message)| message.clone()).collect()
            }
            // Too long ago, or of another history: all documents are to be asked for anew.
            Some(_) => vec![message("reload", Some(now), &Change::default())],
        };
        Watching {
            missed,
            changes: self.changes.subscribe(),
        }
    }
}

/// A message as server-sent events have it
/// (<https://html.spec.whatwg.org/multipage/server-sent-events.html>): JSON has no line breaks. Who comes again
/// names the last id; a message without one leaves it as it is.
pub(crate) fn message(event: &str, id: Option<u64>, data: &impl Serialize) -> Bytes {
    let data = serde_json::to_string(data).unwrap_or_else(|error| {
        tracing::error!(%error, "a change cannot be written");
        String::from("{}")
    });
    let mut text = String::with_capacity(data.len() + 48);
    // Writing to a String cannot fail.
    if let Some(id) = id {
        let _ = writeln!(text, "id: {id}");
    }
    let _ = write!(text, "event: {event}\ndata: {data}\n\n");
    text.into()
}

/// Tells the hub of everything that happens, until the history ends.
pub(crate) async fn follow(shared: Arc<Shared>) {
    if let Err(error) = tell_all(&shared).await
        && !matches!(error, BusError::Closed)
    {
        tracing::error!(%error, "nothing more is told to browsers");
    }
}

async fn tell_all(shared: &Shared) -> Result<(), BusError> {
    loop {
        let changed = shared.view.changed();
        let begun = Instant::now();
        shared.hub.tell(shared.look(Timestamp::now()));
        tokio::select! {
            changed = changed => changed?,
            () = sleep(TICK) => {}
            () = shared.stop.cancelled() => return Ok(()),
        }
        sleep_until(begun + PACE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: u64) -> Overview {
        Overview {
            offset,
            ..Overview::default()
        }
    }

    fn ids(watching: &Watching) -> Vec<String> {
        let lines = watching.missed.iter().map(|message| {
            let text = String::from_utf8_lossy(message).into_owned();
            text.lines().take(2).collect::<Vec<_>>().join(" ")
        });
        lines.collect()
    }

    #[test]
    fn who_was_away_for_a_moment_gets_what_was_missed_and_who_was_away_for_long_begins_anew() {
        let hub = Hub::new(at(10));
        for offset in [11, 15, 16] {
            hub.tell(at(offset));
        }
        let missed = |after| ids(&hub.watch(after));
        assert_eq!(missed(None), [""; 0]);
        assert_eq!(missed(Some(16)), [""; 0]);
        assert_eq!(
            missed(Some(11)),
            ["id: 15 event: change", "id: 16 event: change"]
        );
        // A document may be of an offset in between.
        assert_eq!(missed(Some(12)).len(), 2);
        assert_eq!(missed(Some(10)).len(), 3);
        assert_eq!(missed(Some(9)), ["id: 16 event: reload"]);
        assert_eq!(
            missed(Some(17)),
            ["id: 16 event: reload"],
            "another history"
        );
    }

    #[test]
    fn what_is_kept_for_who_was_away_is_bounded() {
        let hub = Hub::new(at(0));
        for offset in 1..=RECENT as u64 + 10 {
            hub.tell(at(offset));
        }
        assert_eq!(hub.watch(Some(10)).missed.len(), RECENT);
        assert_eq!(ids(&hub.watch(Some(9))).len(), 1);
        assert!(ids(&hub.watch(Some(9)))[0].contains("reload"));
    }

    #[test]
    fn nothing_is_told_of_nothing() {
        let hub = Hub::new(at(3));
        let mut watching = hub.watch(None);
        hub.tell(at(3));
        assert!(watching.changes.try_recv().is_err());
        hub.tell(at(4));
        assert!(watching.changes.try_recv().is_ok());
    }
}
