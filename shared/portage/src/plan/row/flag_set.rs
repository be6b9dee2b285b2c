//! A set of USE flags.

use serde::{Deserialize, Serialize};

use crate::name::UseFlag;

/// USE flags, each once, in the order of their names.
///
/// A sorted list: the sets of a row are small, there are six of them in each, and a plan has
/// thousands of rows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Vec<UseFlag>")]
pub struct FlagSet(Vec<UseFlag>);

impl FlagSet {
    /// Whether the flag is in the set.
    #[must_use]
    pub fn contains(&self, flag: &UseFlag) -> bool {
        self.0.binary_search(flag).is_ok()
    }

    /// The flags, in the order of their names.
    pub fn iter(&self) -> std::slice::Iter<'_, UseFlag> {
        self.0.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A set of flags that are known to be different.
    pub(super) fn of_different(mut flags: Vec<UseFlag>) -> Self {
        flags.sort();
        Self(flags)
    }
}

impl From<Vec<UseFlag>> for FlagSet {
    fn from(mut flags: Vec<UseFlag>) -> Self {
        flags.sort();
        flags.dedup();
        Self(flags)
    }
}

impl FromIterator<UseFlag> for FlagSet {
    fn from_iter<T: IntoIterator<Item = UseFlag>>(flags: T) -> Self {
        Self::from(Vec::from_iter(flags))
    }
}

impl<'a> IntoIterator for &'a FlagSet {
    type Item = &'a UseFlag;
    type IntoIter = std::slice::Iter<'a, UseFlag>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &str) -> FlagSet {
        let flags = names.split_ascii_whitespace();
        flags.map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn a_set_holds_each_flag_once_and_in_order() {
        let flags = set("b a c a");
        let names: Vec<&str> = flags.iter().map(UseFlag::as_str).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!((flags.len(), flags.is_empty()), (3, false));
        assert!(flags.contains(&"b".parse().unwrap()));
        assert!(!flags.contains(&"d".parse().unwrap()));
        let read: FlagSet = serde_json::from_str("[\"c\",\"a\",\"b\",\"a\"]").unwrap();
        assert_eq!(read, flags);
        assert_eq!(
            serde_json::to_string(&flags).unwrap(),
            "[\"a\",\"b\",\"c\"]"
        );
    }
}
