//! The newest events of the history, as they were published.
//!
//! Who follows the history and the planner that an event wakes ask for it as soon as it is there.
//! They need not read and decode again what this process has just written.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gentoo_updater_fleet::message::{Envelope, Event};

use crate::seam::HistoryItem;

/// How many bytes of encoded events are kept at most: what comes while its readers are busy.
const BYTES: usize = 128 * 1024;

/// The newest events, oldest first.
#[derive(Clone, Default)]
pub(super) struct Recent(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    events: VecDeque<Entry>,
    bytes: usize,
}

struct Entry {
    offset: i64,
    /// How long it is when it is encoded.
    bytes: usize,
    event: Envelope<Event>,
}

impl Recent {
    /// Keeps the event that is newest by now, and as many before it as there is room for.
    pub(super) fn put(&self, offset: i64, bytes: usize, event: Envelope<Event>) {
        let mut kept = self.kept();
        kept.bytes += bytes;
        kept.events.push_back(Entry {
            offset,
            bytes,
            event,
        });
        while kept.bytes > BYTES
            && let Some(oldest) = kept.events.pop_front()
        {
            kept.bytes -= oldest.bytes;
        }
    }

    /// Forgets all of them: some may be gone from the file.
    pub(super) fn clear(&self) {
        *self.kept() = Kept::default();
    }

    /// The event at this offset.
    pub(super) fn event(&self, offset: i64) -> Option<Envelope<Event>> {
        let kept = self.kept();
        let place = kept.place(offset)?;
        Some(kept.events[place].event.clone())
    }

    /// At most `limit` events from this offset on, without a gap. None when this one is not here.
    pub(super) fn events(&self, offset: i64, limit: u32) -> Option<Vec<HistoryItem>> {
        let kept = self.kept();
        let place = kept.place(offset)?;
        let expected = (offset..).take(limit as usize);
        let entries = kept.events.range(place..).zip(expected);
        let items = entries
            .take_while(|(entry, expected)| entry.offset == *expected)
            .map(|(entry, _)| HistoryItem {
                offset: entry.offset.unsigned_abs(),
                event: Ok(entry.event.clone()),
            });
        Some(items.collect())
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn place(&self, offset: i64) -> Option<usize> {
        let found = self
            .events
            .binary_search_by_key(&offset, |entry| entry.offset);
        found.ok()
    }
}

#[cfg(test)]
mod tests {
    use gentoo_updater_fleet::name::RunId;

    use super::*;
    use crate::testing::run_requested;

    fn offsets(recent: &Recent, offset: i64, limit: u32) -> Option<Vec<u64>> {
        let items = recent.events(offset, limit)?;
        Some(items.into_iter().map(|item| item.offset).collect())
    }

    #[test]
    fn the_newest_events_are_there_up_to_a_gap_and_older_ones_make_room() {
        let recent = Recent::default();
        assert_eq!(offsets(&recent, 1, 9), None);
        let events = [(); 4].map(|()| run_requested(RunId::generate()));
        for (offset, event) in [3, 4, 5, 7].into_iter().zip(&events) {
            recent.put(offset, BYTES / 4, event.clone());
        }
        assert_eq!(offsets(&recent, 2, 9), None);
        assert_eq!(offsets(&recent, 3, 9), Some(vec![3, 4, 5]));
        assert_eq!(offsets(&recent, 3, 2), Some(vec![3, 4]));
        assert_eq!(offsets(&recent, 6, 9), None);
        assert_eq!(recent.event(4), Some(events[1].clone()));
        assert_eq!(recent.event(6), None);

        recent.put(8, BYTES / 4, events[0].clone());
        assert_eq!(recent.event(3), None);
        assert_eq!(offsets(&recent, 7, 9), Some(vec![7, 8]));
        // One that has no room at all is read from the file.
        recent.put(9, BYTES + 1, events[0].clone());
        assert_eq!((recent.event(8), recent.event(9)), (None, None));
        recent.put(10, 1, events[1].clone());
        assert_eq!(recent.event(10), Some(events[1].clone()));
        recent.clear();
        assert_eq!(recent.event(10), None);
    }
}
