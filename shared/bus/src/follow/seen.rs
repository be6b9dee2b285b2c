//! Which events have been applied.

use std::collections::{HashSet, VecDeque};

use gentoo_updater_fleet::name::EventId;

/// How many ids are remembered: who waits for an event waits for one of the newest.
const REMEMBERED: usize = 32_768;
/// By how much the clocks of two machines may differ, in seconds, before an event is taken for
/// older than the history. Whoever errs here decides on a state that is a moment old.
const CLOCK_DIFFERENCE: u64 = 3600;

/// The ids of the newest events, and a time before which everything counts as applied.
#[derive(Debug, Default)]
pub(super) struct Seen {
    order: VecDeque<EventId>,
    ids: HashSet<EventId>,
    begun: bool,
    /// Seconds of the Unix time. Ids carry the time of their making (UUIDv7).
    all_before: u64,
}

impl Seen {
    /// Notes an applied event.
    pub(super) fn note(&mut self, offset: u64, id: EventId) {
        // A history that does not begin at its first offset has been trimmed: a wake-up that
        // waited for long may be about an event that nobody can read any more.
        if !self.begun && offset > 1 {
            self.all_before = made_at(id).saturating_sub(CLOCK_DIFFERENCE);
        }
        self.begun = true;
        if self.ids.insert(id) {
            self.order.push_back(id);
        }
        if self.order.len() > REMEMBERED
            && let Some(forgotten) = self.order.pop_front()
        {
            self.ids.remove(&forgotten);
            let before = made_at(forgotten).saturating_sub(CLOCK_DIFFERENCE);
            self.all_before = self.all_before.max(before);
        }
    }

    /// Whether the event was applied, or is older than what can be known.
    pub(super) fn has_passed(&self, id: EventId) -> bool {
        self.ids.contains(&id) || made_at(id) < self.all_before
    }
}

/// The latest of all times for an id that tells none: it is waited for.
fn made_at(id: EventId) -> u64 {
    id.0.get_timestamp()
        .map_or(u64::MAX, |time| time.to_unix().0)
}

#[cfg(test)]
mod tests {
    use uuid::{ContextV7, Timestamp, Uuid};

    use super::*;

    fn made(seconds: u64) -> EventId {
        EventId(Uuid::new_v7(Timestamp::from_unix(
            ContextV7::new(),
            seconds,
            0,
        )))
    }

    #[test]
    fn an_event_older_than_a_trimmed_history_counts_as_applied() {
        let mut seen = Seen::default();
        assert!(!seen.has_passed(made(10)));
        seen.note(500, made(100_000));
        assert!(seen.has_passed(made(10)));
        assert!(
            !seen.has_passed(made(99_000)),
            "clocks may differ by less than that"
        );
        assert!(!seen.has_passed(made(100_001)));
    }

    #[test]
    fn a_whole_history_has_nothing_before_it() {
        let mut seen = Seen::default();
        seen.note(1, made(100_000));
        assert!(!seen.has_passed(made(10)));
    }
}
