//! Which events have been applied.

use std::collections::{HashSet, VecDeque};

use gentoo_updater_fleet::name::EventId;

/// How many ids are remembered: who waits for an event waits for one of the newest.
const REMEMBERED: usize = 32_768;
/// By how much the clocks of two machines may differ, in seconds, so that the time in an id tells
/// whether its event may be older than what is remembered.
const CLOCK_DIFFERENCE: u64 = 3600;

/// The ids of the newest events, and up to what time an event may have been applied that is not
/// among them.
#[derive(Debug, Default)]
pub(super) struct Seen {
    order: VecDeque<EventId>,
    ids: HashSet<EventId>,
    begun: bool,
    begun_in_the_middle: bool,
    /// Seconds of the Unix time. Ids carry the time of their making (UUIDv7).
    doubtful_before: u64,
}

impl Seen {
    /// Of a state that holds events whose ids are not known here.
    pub(super) fn in_the_middle() -> Self {
        Self {
            begun_in_the_middle: true,
            ..Self::default()
        }
    }

    /// Notes an applied event.
    pub(super) fn note(&mut self, offset: u64, id: EventId) {
        // A history that does not begin at its first offset has been trimmed: a wake-up that
        // waited for long may be about an event that nobody can read any more.
        if !self.begun && (offset > 1 || self.begun_in_the_middle) {
            self.doubt_before(id);
        }
        self.begun = true;
        if self.ids.insert(id) {
            self.order.push_back(id);
        }
        if self.order.len() > REMEMBERED
            && let Some(forgotten) = self.order.pop_front()
        {
            self.ids.remove(&forgotten);
            self.doubt_before(forgotten);
        }
    }

    fn doubt_before(&mut self, id: EventId) {
        let before = made_at(id).saturating_add(CLOCK_DIFFERENCE);
        self.doubtful_before = self.doubtful_before.max(before);
    }

    /// Whether the ids of all applied events are known here.
    pub(super) fn is_whole(&self) -> bool {
        !self.begun_in_the_middle && self.doubtful_before == 0
    }

    /// What is known of an event.
    pub(super) fn knows(&self, id: EventId) -> Knowledge {
        if self.ids.contains(&id) {
            Knowledge::Applied
        } else if made_at(id) < self.doubtful_before {
            Knowledge::Doubtful
        } else {
            Knowledge::NotApplied
        }
    }
}

/// Whether an event has been applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Knowledge {
    /// It has.
    Applied,
    /// It has not.
    NotApplied,
    /// It may have been, before what is remembered. Whoever has applied all that the history holds
    /// by now has applied it.
    Doubtful,
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
    fn an_event_that_may_be_older_than_a_trimmed_history_is_in_doubt() {
        let mut seen = Seen::default();
        assert_eq!(seen.knows(made(10)), Knowledge::NotApplied);
        seen.note(500, made(100_000));
        assert_eq!(seen.knows(made(10)), Knowledge::Doubtful);
        assert_eq!(
            seen.knows(made(103_000)),
            Knowledge::Doubtful,
            "clocks may differ by an hour"
        );
        assert_eq!(seen.knows(made(103_601)), Knowledge::NotApplied);
    }

    #[test]
    fn a_whole_history_has_nothing_before_it() {
        let mut seen = Seen::default();
        seen.note(1, made(100_000));
        assert_eq!(seen.knows(made(10)), Knowledge::NotApplied);
        assert!(seen.is_whole());
    }

    #[test]
    fn a_state_from_a_snapshot_leaves_older_events_in_doubt_also_behind_the_first_offset() {
        let mut seen = Seen::in_the_middle();
        assert!(!seen.is_whole());
        let first = made(100_000);
        seen.note(1, first);
        assert_eq!(seen.knows(first), Knowledge::Applied);
        assert_eq!(seen.knows(made(99_999)), Knowledge::Doubtful);
    }

    #[test]
    fn what_was_forgotten_is_in_doubt() {
        let mut seen = Seen::default();
        let first = made(100_000);
        seen.note(1, first);
        for _ in 0..REMEMBERED {
            seen.note(2, made(100_001));
        }
        assert_eq!(seen.knows(first), Knowledge::Doubtful);
    }
}
