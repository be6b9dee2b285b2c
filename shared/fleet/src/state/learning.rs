//! Durations that builders read in the logs of their machines.
//!
//! They stand in for those of builds: a package that this fleet has built once takes as long as that.

use super::{Fleet, KEPT_LEARNT};
use crate::message::{Durations, DurationsLearned};
use crate::name::BuilderName;

impl Fleet {
    /// What of that which a builder's log tells would change the state: packages of which nothing is
    /// known, and those of which it said something else before. The log of another builder is as
    /// good: who read one first is believed, or two that differ would tell theirs in turns.
    pub fn news_in(&self, builder: &BuilderName, log: &Durations) -> Durations {
        let mut room = KEPT_LEARNT.saturating_sub(self.learnt_from.len());
        let news = log.iter().filter(|(package, duration)| {
            match (self.durations.get(package), self.learnt_from.get(package)) {
                (Some(known), Some(from)) => from == builder && known != *duration,
                (Some(_), None) => false,
                (None, _) => {
                    let is_room = room > 0;
                    room = room.saturating_sub(1);
                    is_room
                }
            }
        });
        let news = news.map(|(package, duration)| (package.clone(), *duration));
        news.collect()
    }

    pub(super) fn learn(&mut self, event: &DurationsLearned) {
        for (package, duration) in self.news_in(&event.builder, &event.durations) {
            self.learnt_from
                .insert(package.clone(), event.builder.clone());
            self.durations.insert(package, duration);
        }
    }
}
