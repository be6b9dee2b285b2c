//! Whether a stream is still the one that was read before.
//!
//! A stream that was deleted and declared again numbers its messages from 0, and a reader that
//! goes on at its old offset would wait, without a fault, until the new one has grown as far.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use lapin::BasicProperties;

/// How many of the newest messages are remembered. The broker begins with a whole chunk, of 8,192
/// messages at most (the largest batch of its writer), so what it begins with is among them.
const REMEMBERED: usize = 2 * 8192;

/// What the newest messages of a stream were, by their offsets.
#[derive(Debug, Default)]
pub(super) struct Identity {
    /// The offset of the oldest that is remembered.
    first: u64,
    /// A digest of each, in order and without a gap.
    digests: VecDeque<u32>,
}

/// What a delivery says of its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recognised {
    /// It goes on.
    New,
    /// It was read before, as it is.
    Known,
    /// It holds something else than what was read.
    Foreign,
}

impl Identity {
    /// Whether nothing was read yet.
    pub(super) fn is_empty(&self) -> bool {
        self.digests.is_empty()
    }

    /// Notes a delivery that is new, and compares one that is not.
    pub(super) fn recognise(&mut self, offset: u64, properties: &BasicProperties) -> Recognised {
        let digest = digest(properties);
        let next = self.first + self.digests.len() as u64;
        if offset > next || self.is_empty() {
            // What is between was deleted for its age or size.
            self.digests.clear();
            self.first = offset;
        } else if offset < next {
            let index = offset.checked_sub(self.first);
            let known = index.and_then(|index| self.digests.get(usize::try_from(index).ok()?));
            return match known {
                Some(known) if *known == digest => Recognised::Known,
                _ => Recognised::Foreign,
            };
        }
        self.digests.push_back(digest);
        if self.digests.len() > REMEMBERED {
            self.digests.pop_front();
            self.first += 1;
        }
        Recognised::New
    }
}

/// Every publisher of the fleet gives each message an id of its own.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a part of a hash is one, too"
)]
fn digest(properties: &BasicProperties) -> u32 {
    let mut hasher = DefaultHasher::new();
    let id = properties.message_id().as_ref();
    id.map(lapin::types::ShortString::as_str).hash(&mut hasher);
    properties.timestamp().hash(&mut hasher);
    hasher.finish() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: u64) -> BasicProperties {
        let id = id.to_string();
        BasicProperties::default().with_message_id(id.into())
    }

    /// As read from `first` on, with the ids that are the offsets.
    fn read(first: u64, last: u64) -> Identity {
        let mut identity = Identity::default();
        for offset in first..=last {
            assert_eq!(
                identity.recognise(offset, &message(offset)),
                Recognised::New
            );
        }
        identity
    }

    #[test]
    fn what_is_sent_again_is_known() {
        let mut identity = read(100, 109);
        assert_eq!(identity.recognise(100, &message(100)), Recognised::Known);
        assert_eq!(identity.recognise(109, &message(109)), Recognised::Known);
        assert_eq!(identity.recognise(110, &message(110)), Recognised::New);
    }

    #[test]
    fn another_message_at_a_known_offset_is_foreign() {
        let mut identity = read(0, 9);
        assert_eq!(identity.recognise(9, &message(500)), Recognised::Foreign);
    }

    #[test]
    fn an_offset_before_what_was_read_is_foreign() {
        let mut identity = read(100, 109);
        assert_eq!(identity.recognise(0, &message(500)), Recognised::Foreign);
        let many = 3 * REMEMBERED as u64;
        let mut identity = read(0, many);
        assert_eq!(identity.recognise(0, &message(0)), Recognised::Foreign);
        let chunk = many - 8191;
        assert_eq!(
            identity.recognise(chunk, &message(chunk)),
            Recognised::Known
        );
    }

    #[test]
    fn a_stream_whose_begin_was_deleted_for_its_age_goes_on() {
        let mut identity = read(0, 9);
        assert_eq!(identity.recognise(50, &message(50)), Recognised::New);
        assert_eq!(identity.recognise(50, &message(50)), Recognised::Known);
        assert_eq!(identity.recognise(51, &message(51)), Recognised::New);
    }
}
