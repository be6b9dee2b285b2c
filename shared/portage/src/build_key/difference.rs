//! In what two build keys, or two platforms, differ, in words for people.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::{BuildKey, Platform};
use crate::compact::CompactMap;

/// What a side is said to have that has nothing. No slot and no digest can be called so.
const NONE: &str = "(none)";

/// One thing in which two keys or platforms differ.
///
/// Printed as `USE -ssl against ssl`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Difference {
    /// What differs: `USE`, `CFLAGS`, `bound to dev-libs/libalpha:0` …
    pub what: String,
    /// What the left side has; `(none)` where it has nothing.
    pub left: String,
    /// What the right side has.
    pub right: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} {} against {}",
            self.what, self.left, self.right
        )
    }
}

/// Collects differences: only what differs gets in.
#[derive(Debug, Default)]
pub(super) struct Differences(pub(super) Vec<Difference>);

impl Differences {
    pub(super) fn compare<T: PartialEq + fmt::Display + ?Sized>(
        &mut self,
        what: impl Into<String>,
        left: &T,
        right: &T,
    ) {
        if left != right {
            self.add(what, left.to_string(), right.to_string());
        }
    }

    pub(super) fn compare_options<T: PartialEq + fmt::Display>(
        &mut self,
        what: impl Into<String>,
        left: Option<&T>,
        right: Option<&T>,
    ) {
        if left != right {
            let text = |side: Option<&T>| side.map_or_else(|| NONE.to_owned(), ToString::to_string);
            self.add(what, text(left), text(right));
        }
    }

    fn add(&mut self, what: impl Into<String>, left: String, right: String) {
        let what = what.into();
        self.0.push(Difference { what, left, right });
    }

    /// Compares lists of words under the same names, and names those together that differ alike and
    /// follow each other.
    pub(super) fn compare_alike<const N: usize>(
        &mut self,
        left: [(&str, Vec<String>); N],
        right: [(&str, Vec<String>); N],
    ) {
        let mut found = Self::default();
        for ((name, left), (_, right)) in left.iter().zip(&right) {
            found.compare_words(name, left, right);
        }
        let mut grouped: Vec<Difference> = Vec::new();
        for difference in found.0 {
            let is_alike = |last: &&mut Difference| {
                (&last.left, &last.right) == (&difference.left, &difference.right)
            };
            match grouped.last_mut().filter(is_alike) {
                Some(last) => last.what = format!("{} {}", last.what, difference.what),
                None => grouped.push(difference),
            }
        }
        self.0.extend(grouped);
    }

    /// Compares two lists of words whose order matters. Only the words that differ are named: those
    /// that one side lacks. Where the words that both have come in another order, that order is the
    /// difference, and all words between the first and the last that differ are named.
    pub(super) fn compare_words(&mut self, what: &str, left: &[String], right: &[String]) {
        if left == right {
            return;
        }
        let (left_only, left_common) = part(left, right);
        let (right_only, right_common) = part(right, left);
        if left_common == right_common {
            self.add(what, join(&left_only), join(&right_only));
            return;
        }
        let start = common(left.iter(), right.iter());
        let (left, right) = (&left[start..], &right[start..]);
        let end = common(left.iter().rev(), right.iter().rev());
        let [left, right] = [left, right].map(|words| &words[..words.len() - end]);
        self.add(what, join(left), join(right));
    }
}

/// The words that `other` does not have (as often), and the others, both in their order.
fn part<'a>(words: &'a [String], other: &[String]) -> (Vec<&'a str>, Vec<&'a str>) {
    let mut left_over: BTreeMap<&str, usize> = BTreeMap::new();
    for word in other {
        *left_over.entry(word).or_default() += 1;
    }
    words.iter().map(String::as_str).partition(|word| {
        let count = left_over.get_mut(word).filter(|count| **count > 0);
        count.map(|count| *count -= 1).is_none()
    })
}

/// How many elements are equal at the beginning.
fn common<'a>(
    left: impl Iterator<Item = &'a String>,
    right: impl Iterator<Item = &'a String>,
) -> usize {
    left.zip(right)
        .take_while(|(left, right)| left == right)
        .count()
}

fn join(words: &[impl AsRef<str>]) -> String {
    if words.is_empty() {
        return NONE.to_owned();
    }
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    words.join(" ")
}

impl BuildKey {
    /// What distinguishes the two keys, flag by flag and binding by binding, `self` on the left.
    /// Empty exactly when they are equal.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Vec<Difference> {
        let mut found = Differences::default();
        found.compare("package", &self.cpv, &other.cpv);
        found.compare("slot", &self.slot, &other.slot);
        found.compare("repository", &self.repository, &other.repository);
        found.compare(
            "ebuild and eclasses",
            &self.ebuild_digest,
            &other.ebuild_digest,
        );
        found.compare_options(
            "package.env and patches",
            self.environment_digest.as_ref(),
            other.environment_digest.as_ref(),
        );
        found.compare_options("kernel", self.kernel.as_ref(), other.kernel.as_ref());
        for flag in union(&self.use_flags, &other.use_flags) {
            let state = |key: &Self| match key.use_flags.get(flag) {
                Some(true) => format!("{flag}"),
                Some(false) => format!("-{flag}"),
                None => format!("without {flag}"),
            };
            found.compare("USE", &state(self), &state(other));
        }
        for target in union(&self.bindings, &other.bindings) {
            found.compare_options(
                format!("bound to {target}"),
                self.bindings.get(target),
                other.bindings.get(target),
            );
        }
        found.0
    }
}

/// The keys of both maps, sorted, each once.
fn union<'a, K: Ord, V>(
    left: &'a CompactMap<K, V>,
    right: &'a CompactMap<K, V>,
) -> BTreeSet<&'a K> {
    left.keys().chain(right.keys()).collect()
}

/// What one guest wants of a package, under the guest's name.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// The name of the guest.
    pub guest: &'a str,
    /// The key that it has for the package.
    pub key: &'a BuildKey,
    /// Its platform.
    pub platform: &'a Platform,
}

/// Why one binary does not serve two guests, or that it does.
///
/// Printed as one line, in which the first difference introduces the names and the others follow
/// in the same order: `web: USE -ssl, mail: USE ssl; CFLAGS -march=znver2 against
/// -march=x86-64-v3`. Where nothing differs: `one binary serves web and mail`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The name of the guest on the left of each difference.
    pub left: String,
    /// The name of the guest on the right of each difference.
    pub right: String,
    /// What differs, first in the keys and then in the platforms. Empty exactly when one binary
    /// serves both.
    pub differences: Vec<Difference>,
}

impl Explanation {
    /// Compares what two guests want.
    #[must_use]
    pub fn of(left: Wish<'_>, right: Wish<'_>) -> Self {
        let mut differences = left.key.difference(right.key);
        differences.extend(left.platform.difference(right.platform));
        Self {
            left: left.guest.to_owned(),
            right: right.guest.to_owned(),
            differences,
        }
    }

    /// Whether one binary serves both guests.
    #[must_use]
    pub fn one_binary_serves_both(&self) -> bool {
        self.differences.is_empty()
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, others)) = self.differences.split_first() else {
            return write!(
                formatter,
                "one binary serves {} and {}",
                self.left, self.right
            );
        };
        let Difference { what, left, right } = first;
        write!(
            formatter,
            "{}: {what} {left}, {}: {what} {right}",
            self.left, self.right
        )?;
        others
            .iter()
            .try_for_each(|difference| write!(formatter, "; {difference}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words_differ(left: &str, right: &str) -> Option<String> {
        let words = |text: &str| -> Vec<String> { text.split(' ').map(str::to_owned).collect() };
        let mut found = Differences::default();
        found.compare_words("CFLAGS", &words(left), &words(right));
        assert!(found.0.len() <= 1);
        found.0.first().map(ToString::to_string)
    }

    #[test]
    fn only_the_words_that_differ_are_named() {
        for (left, right, expected) in [
            ("-O2 -pipe", "-O2 -pipe", None),
            (
                "-march=znver2 -O2 -pipe",
                "-O2 -pipe -march=x86-64-v3",
                Some("CFLAGS -march=znver2 against -march=x86-64-v3"),
            ),
            ("-O2 -pipe", "-O2", Some("CFLAGS -pipe against (none)")),
            ("(none)", "-x", Some("CFLAGS (none) against -x")),
            ("-a -a -b", "-a -b", Some("CFLAGS -a against (none)")),
            // The last of contradicting flags counts, so the order is a difference of its own.
            (
                "-pipe -O2 -O3 -g",
                "-pipe -O3 -O2 -g",
                Some("CFLAGS -O2 -O3 against -O3 -O2"),
            ),
            (
                "-x -O2 -O3 -g",
                "-O3 -O2 -g",
                Some("CFLAGS -x -O2 -O3 against -O3 -O2"),
            ),
        ] {
            assert_eq!(words_differ(left, right).as_deref(), expected, "{left}");
        }
    }
}
