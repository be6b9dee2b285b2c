//! The folded state and what is known of the fold.

use gentoo_updater_fleet::state::Fleet;

use super::seen::Seen;
use crate::seam::HistoryItem;

#[derive(Default)]
pub(super) struct State {
    pub(super) fleet: Fleet,
    pub(super) seen: Seen,
    /// Why the newest event that was left out could not be understood.
    pub(super) newest_left_out: Option<String>,
}

/// What of the history is not part of the state, because this program cannot understand it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// How many events.
    pub count: u64,
    /// Why the newest of them was left out; absent where only a snapshot tells of it.
    pub newest: Option<String>,
}

impl State {
    /// Takes one item of the history over.
    pub(super) fn take(&mut self, item: &HistoryItem) {
        match &item.event {
            Ok(event) => {
                self.fleet.apply(item.offset, event);
                self.seen.note(item.offset, event.id);
            }
            Err(error) => {
                let offset = item.offset;
                // There may be thousands, and `status` says how many.
                if self.newest_left_out.is_some() {
                    tracing::debug!(offset, %error, "an event is left out");
                } else {
                    tracing::warn!(offset, %error, "an event is left out; further ones are counted only");
                }
                self.fleet.leave_out(offset);
                self.newest_left_out = Some(error.to_string());
            }
        }
    }
}
