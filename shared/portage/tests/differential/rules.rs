//! What Portage accepts and this crate refuses, because PMS forbids it.

use std::collections::BTreeMap;

/// One such rule.
pub(crate) struct Rule {
    /// Its name and the section of PMS that it is from.
    pub(crate) name: &'static str,
    /// Whether a text breaks it.
    pub(crate) is_broken_by: fn(&str) -> bool,
}

/// For versions. Portage's pattern is not restricted to ASCII, and its `$` permits a line feed.
pub(crate) const VERSION: [Rule; 2] = [
    Rule {
        name: "a digit is one of 0 to 9 (PMS 3.2)",
        is_broken_by: |text| !text.is_ascii(),
    },
    Rule {
        name: "no line feed follows a version (PMS 3.2)",
        is_broken_by: |text| text.ends_with('\n'),
    },
];

/// For atoms.
pub(crate) const ATOM: [Rule; 4] = [
    Rule {
        name: "a package name does not end in a version (PMS 3.1.2)",
        is_broken_by: |text| trailing_versions(package(text)).len() > 2,
    },
    Rule {
        name: "a repository name does not end in a version (PMS 3.1.5)",
        is_broken_by: |text| {
            let repository = text.split_once("::").map_or("", |(_, after)| after);
            let repository = repository.split('[').next().unwrap_or_default();
            !trailing_versions(repository).is_empty()
        },
    },
    Rule {
        name: "a BUILD_ID goes with = (PMS 8.3.1 knows none; Portage ignores it with others)",
        is_broken_by: |text| {
            trailing_versions(package(text)).len() > 1
                && !text.trim_start_matches('!').starts_with('=')
        },
    },
    Rule {
        name: "a BUILD_ID is below 2^32 (no rule of PMS: it is a counter)",
        is_broken_by: |text| match trailing_versions(package(text))[..] {
            [last, _, ..] => {
                last.bytes().all(|byte| byte.is_ascii_digit()) && last.parse::<u32>().is_err()
            }
            _ => false,
        },
    },
];

/// The part of an atom before slot, repository and USE dependencies.
fn package(text: &str) -> &str {
    text.split([':', '[']).next().unwrap_or_default()
}

/// The versions that end `text`, each after a hyphen, the last one first, without revisions.
fn trailing_versions(text: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = text.split('-').skip(1).collect();
    let mut found = Vec::new();
    while let Some(mut last) = parts.pop() {
        if is_revision(last) {
            let Some(before) = parts.pop() else { break };
            last = before;
        }
        if !is_version(last) {
            break;
        }
        found.push(last);
    }
    found
}

fn is_revision(text: &str) -> bool {
    text.strip_prefix('r')
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// The grammar of PMS 3.2 once more and on its own, without the revision.
fn is_version(text: &str) -> bool {
    let mut parts = text.split('_');
    let numbers = parts.next().unwrap_or_default();
    let numbers = numbers
        .strip_suffix(|letter: char| letter.is_ascii_lowercase())
        .unwrap_or(numbers);
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    numbers.split('.').all(|n| !n.is_empty() && all_digits(n))
        && parts.all(|part| {
            ["alpha", "beta", "pre", "rc", "p"]
                .iter()
                .any(|name| part.strip_prefix(name).is_some_and(all_digits))
        })
}

/// The words of a text as Python, and so Portage, separates them.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c))
        .filter(|word| !word.is_empty())
}

/// What a comparison of acceptance found; printed at the end.
#[derive(Default)]
pub(crate) struct Verdicts {
    accepted: usize,
    refused: usize,
    by_rule: BTreeMap<&'static str, usize>,
}

impl Verdicts {
    /// Demands that `text` is accepted here exactly when Portage accepts it and no rule is broken.
    pub(crate) fn check(
        &mut self,
        text: &str,
        here: bool,
        portage: bool,
        rules: &[&Rule],
        replay: &str,
    ) {
        let broken: Vec<&str> = rules
            .iter()
            .filter(|rule| (rule.is_broken_by)(text))
            .map(|rule| rule.name)
            .collect();
        let expected = portage && broken.is_empty();
        assert_eq!(
            here, expected,
            "{text:?}: accepted here {here}, by Portage {portage}, rules {broken:?}; {replay}"
        );
        if here {
            self.accepted += 1;
        } else if portage {
            for name in broken {
                *self.by_rule.entry(name).or_default() += 1;
            }
        } else {
            self.refused += 1;
        }
    }

    /// Prints the counts, and demands that enough of both kinds was seen to mean something.
    pub(crate) fn finish(&self, what: &str) {
        let (accepted, refused) = (self.accepted, self.refused);
        println!("{what}: {accepted} accepted and {refused} refused by both");
        for (rule, count) in &self.by_rule {
            println!("{what}: {count} by rule: {rule}");
        }
        assert!(accepted > 1000, "{what}: only {accepted} were accepted");
        assert!(refused > 1000, "{what}: only {refused} were refused");
    }
}
