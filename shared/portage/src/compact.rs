//! Ordered maps and sets that are made once, and kept in great numbers.
//!
//! A leaf of the standard library's trees has room for eleven entries, filled or not, and entries that are
//! added one after the other fill half of it. A fleet keeps tens of thousands of maps with three entries.
//! These take what their entries take.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A map in the order of its keys. To look one up takes as long as in a tree; to add one takes as long as
/// there are entries.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CompactMap<K, V>(Box<[(K, V)]>);

impl<K, V> CompactMap<K, V> {
    /// How many entries it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Its entries, by their keys.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> + ExactSizeIterator + Clone {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// Its keys, ascending.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> + ExactSizeIterator + Clone {
        self.0.iter().map(|(key, _)| key)
    }

    /// Its values, by their keys.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> + ExactSizeIterator + Clone {
        self.0.iter().map(|(_, value)| value)
    }
}

impl<K: Ord, V> CompactMap<K, V> {
    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        let place = self.0.binary_search_by(|(known, _)| known.cmp(key)).ok()?;
        self.0.get(place).map(|(_, value)| value)
    }

    /// Gives a key a value. What it had before is gone.
    pub fn insert(&mut self, key: K, value: V) {
        self.extend([(key, value)]);
    }
}

impl<K, V> Default for CompactMap<K, V> {
    fn default() -> Self {
        Self(Box::default())
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for CompactMap<K, V> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(self.iter()).finish()
    }
}

/// Of several values for a key the last one counts.
impl<K: Ord, V> FromIterator<(K, V)> for CompactMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut entries: Vec<(K, V)> = entries.into_iter().collect();
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        entries.dedup_by(|later, kept| {
            let is_same = later.0 == kept.0;
            if is_same {
                std::mem::swap(later, kept);
            }
            is_same
        });
        Self(entries.into_boxed_slice())
    }
}

impl<K: Ord, V> Extend<(K, V)> for CompactMap<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        *self = std::mem::take(self).into_iter().chain(entries).collect();
    }
}

impl<K: Ord, V, const N: usize> From<[(K, V); N]> for CompactMap<K, V> {
    fn from(entries: [(K, V); N]) -> Self {
        entries.into_iter().collect()
    }
}

impl<K, V> From<BTreeMap<K, V>> for CompactMap<K, V> {
    fn from(map: BTreeMap<K, V>) -> Self {
        Self(map.into_iter().collect())
    }
}

impl<K, V> IntoIterator for CompactMap<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_vec().into_iter()
    }
}

impl<'a, K, V> IntoIterator for &'a CompactMap<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = std::iter::Map<std::slice::Iter<'a, (K, V)>, fn(&'a (K, V)) -> (&'a K, &'a V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter().map(|(key, value)| (key, value))
    }
}

/// As maps are written.
impl<K: Serialize, V: Serialize> Serialize for CompactMap<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self)
    }
}

impl<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>> Deserialize<'de> for CompactMap<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<K, V>(PhantomData<(K, V)>);

        impl<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>> Visitor<'de> for Entries<K, V> {
            type Value = CompactMap<K, V>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(entries.into_iter().collect())
            }
        }

        deserializer.deserialize_map(Entries(PhantomData))
    }
}

/// A set in the order of its members. To look one up takes as long as in a tree; to add one takes as long as
/// there are members.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CompactSet<T>(Box<[T]>);

impl<T> CompactSet<T> {
    /// How many members it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Its members, ascending.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }
}

impl<T: Ord> CompactSet<T> {
    /// Whether this is a member.
    #[must_use]
    pub fn contains(&self, member: &T) -> bool {
        self.0.binary_search(member).is_ok()
    }

    /// Makes this a member.
    pub fn insert(&mut self, member: T) {
        self.extend([member]);
    }
}

impl<T> Default for CompactSet<T> {
    fn default() -> Self {
        Self(Box::default())
    }
}

impl<T: fmt::Debug> fmt::Debug for CompactSet<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self).finish()
    }
}

impl<T: Ord> FromIterator<T> for CompactSet<T> {
    fn from_iter<I: IntoIterator<Item = T>>(members: I) -> Self {
        let mut members: Vec<T> = members.into_iter().collect();
        members.sort();
        members.dedup();
        Self(members.into_boxed_slice())
    }
}

impl<T: Ord> Extend<T> for CompactSet<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, members: I) {
        *self = std::mem::take(self).into_iter().chain(members).collect();
    }
}

impl<T: Ord, const N: usize> From<[T; N]> for CompactSet<T> {
    fn from(members: [T; N]) -> Self {
        members.into_iter().collect()
    }
}

impl<T> From<BTreeSet<T>> for CompactSet<T> {
    fn from(set: BTreeSet<T>) -> Self {
        Self(set.into_iter().collect())
    }
}

impl<T> IntoIterator for CompactSet<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_vec().into_iter()
    }
}

impl<'a, T> IntoIterator for &'a CompactSet<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// As sets are written.
impl<T: Serialize> Serialize for CompactSet<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self)
    }
}

impl<'de, T: Deserialize<'de> + Ord> Deserialize<'de> for CompactSet<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self::from_iter)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_map_holds_and_writes_what_a_tree_does(
            entries in prop::collection::vec((0_u8..20, 0_u8..9), 0..30),
            more in (0_u8..20, 0_u8..9),
        ) {
            let mut tree: BTreeMap<u8, u8> = entries.iter().copied().collect();
            let mut compact: CompactMap<u8, u8> = entries.iter().copied().collect();
            for _ in 0..2 {
                prop_assert!(compact.iter().eq(&tree));
                prop_assert!(compact.keys().eq(tree.keys()));
                prop_assert!(compact.values().eq(tree.values()));
                prop_assert_eq!((compact.len(), compact.is_empty()), (tree.len(), tree.is_empty()));
                for key in 0..20 {
                    prop_assert_eq!(compact.get(&key), tree.get(&key));
                }
                let written = serde_json::to_string(&compact).unwrap();
                prop_assert_eq!(&written, &serde_json::to_string(&tree).unwrap());
                let read: CompactMap<u8, u8> = serde_json::from_str(&written).unwrap();
                prop_assert_eq!(&read, &compact);
                prop_assert_eq!(format!("{compact:?}"), format!("{tree:?}"));
                prop_assert_eq!(CompactMap::from(tree.clone()), compact.clone());
                tree.insert(more.0, more.1);
                compact.insert(more.0, more.1);
            }
        }

        #[test]
        fn a_set_holds_and_writes_what_a_tree_does(
            members in prop::collection::vec(0_u8..20, 0..30),
            more in 0_u8..20,
        ) {
            let mut tree: BTreeSet<u8> = members.iter().copied().collect();
            let mut compact: CompactSet<u8> = members.iter().copied().collect();
            for _ in 0..2 {
                prop_assert!(compact.iter().eq(&tree));
                prop_assert_eq!((compact.len(), compact.is_empty()), (tree.len(), tree.is_empty()));
                for member in 0..20 {
                    prop_assert_eq!(compact.contains(&member), tree.contains(&member));
                }
                let written = serde_json::to_string(&compact).unwrap();
                prop_assert_eq!(&written, &serde_json::to_string(&tree).unwrap());
                let read: CompactSet<u8> = serde_json::from_str(&written).unwrap();
                prop_assert_eq!(&read, &compact);
                prop_assert_eq!(format!("{compact:?}"), format!("{tree:?}"));
                prop_assert_eq!(CompactSet::from(tree.clone()), compact.clone());
                tree.insert(more);
                compact.insert(more);
            }
        }
    }
}
