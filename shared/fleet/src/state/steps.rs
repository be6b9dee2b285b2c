//! Places of rows as a snapshot writes them.

use serde::{Deserialize, Serialize};

/// Places, each by how far it is from the one before.
///
/// Guests of a fleet tell much the same rows in much the same order. So most steps are the same small
/// numbers, which pack to a fraction of what half a million places need.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Steps(Vec<isize>);

impl Steps {
    /// Of these places.
    pub(super) fn of(places: impl Iterator<Item = usize>) -> Self {
        let mut before = 0;
        let step = |place: usize| {
            let step = place.wrapping_sub(before).cast_signed();
            before = place;
            step
        };
        Self(places.map(step).collect())
    }

    /// The places again. What was damaged leads to places where there is nothing.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> {
        self.0.iter().scan(0usize, |place, step| {
            *place = place.wrapping_add_signed(*step);
            Some(*place)
        })
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_back_whatever_their_order() {
        for places in [vec![], vec![0], vec![7, 0, 3, 3, 9], vec![usize::MAX, 0, 1]] {
            let steps = Steps::of(places.iter().copied());
            let text = serde_json::to_string(&steps).unwrap();
            let read: Steps = serde_json::from_str(&text).unwrap();
            assert_eq!(read.places().collect::<Vec<_>>(), places, "{text}");
        }
    }
}
