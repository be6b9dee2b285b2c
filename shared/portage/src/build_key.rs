//! The build key: what decides whether one binary package serves two guests.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::cpv::Cpv;
use crate::name::{
    CategoryPackage, NameError, RepositoryName, Slot, SlotAndSubslot, UseFlag,
    string_serialization, validated_string,
};

/// A checksum in lower-case hexadecimal digits, of 32 (MD5) to 128 (SHA-512, BLAKE2B) digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HexDigest(String);

impl HexDigest {
    fn check(input: &str) -> Result<(), NameError> {
        if (32..=128).contains(&input.len()) && input.len().is_multiple_of(2) && is_lower_hex(input)
        {
            return Ok(());
        }
        let rule = "it is an even number of lower-case hexadecimal digits, 32 to 128 of them";
        Err(NameError::new("digest", input, rule))
    }

    /// The SHA-256 of `bytes`.
    #[must_use]
    pub fn sha256(bytes: &[u8]) -> Self {
        Self(sha256_hex(bytes))
    }
}

validated_string!(HexDigest, NameError);

/// The dependency that a `:=` operator binds: the package, and the slot where the atom names one.
///
/// Printed as `dev-libs/libalpha`, or `dev-libs/libalpha:0`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BindingTarget {
    /// The package that is depended on.
    pub category_package: CategoryPackage,
    /// The slot that the atom names; absent for `cat/pn:=`.
    pub slot: Option<Slot>,
}

impl FromStr for BindingTarget {
    type Err = NameError;

    fn from_str(input: &str) -> Result<Self, Self::Err> {
        Ok(match input.split_once(':') {
            None => Self {
                category_package: input.parse()?,
                slot: None,
            },
            Some((name, slot)) => Self {
                category_package: name.parse()?,
                slot: Some(slot.parse()?),
            },
        })
    }
}

impl fmt::Display for BindingTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.category_package)?;
        match &self.slot {
            Some(slot) => write!(formatter, ":{slot}"),
            None => Ok(()),
        }
    }
}

string_serialization!(BindingTarget, NameError);

/// All that a binary package depends on within one platform. Two guests whose keys for a package
/// are equal can install one binary; where the keys differ, one binary cannot serve both.
///
/// CFLAGS, CHOST and the toolchain are not part of it: a store holds one platform only, and the
/// platform names them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuildKey {
    /// The package and its version.
    pub cpv: Cpv,
    /// The slot and subslot that the ebuild gives it.
    pub slot: SlotAndSubslot,
    /// The ebuild repository.
    pub repository: RepositoryName,
    /// The digest of the ebuild and its eclasses: one version number can hide two ebuilds.
    pub ebuild_digest: HexDigest,
    /// Every flag of its IUSE, and whether it is enabled.
    pub use_flags: BTreeMap<UseFlag, bool>,
    /// For each `:=` dependency that its USE flags leave active: slot and subslot that the
    /// dependency will have on the guest after the run. Without these yesterday's binary, bound to
    /// the old library, would be taken for the rebuilt one.
    pub bindings: BTreeMap<BindingTarget, SlotAndSubslot>,
    /// The digest of the guest's own `package.env` and user patches for the package, if any.
    pub environment_digest: Option<HexDigest>,
}

impl BuildKey {
    /// The text whose SHA-256 is the [`digest`](Self::digest): one line a field, each ended by a
    /// line feed, sorted within a kind by the name.
    ///
    /// ```text
    /// gentoo-updater build key 1
    /// package app-misc/hello-2.0
    /// slot 0/0
    /// repository gentoo
    /// ebuild 5d41402abc4b2a76b9719d911017c592
    /// use doc disabled
    /// use ssl enabled
    /// binding dev-libs/libalpha:0 0/2
    /// environment none
    /// ```
    ///
    /// No field can hold white space, so two different keys have different texts. The slot is
    /// written with its subslot even where both are the same.
    #[must_use]
    pub fn canonical_text(&self) -> String {
        let full = |slot: &SlotAndSubslot| format!("{}/{}", slot.slot, slot.subslot);
        let mut lines = vec![
            "gentoo-updater build key 1".to_owned(),
            format!("package {}", self.cpv),
            format!("slot {}", full(&self.slot)),
            format!("repository {}", self.repository),
            format!("ebuild {}", self.ebuild_digest),
        ];
        lines.extend(
            self.use_flags
                .iter()
                .map(|(flag, on)| format!("use {flag} {}", word(*on))),
        );
        lines.extend(
            self.bindings
                .iter()
                .map(|(target, slot)| format!("binding {target} {}", full(slot))),
        );
        let environment = self
            .environment_digest
            .as_ref()
            .map_or("none", HexDigest::as_str);
        lines.push(format!("environment {environment}\n"));
        lines.join("\n")
    }

    /// The key in one word: SHA-256 of the [`canonical_text`](Self::canonical_text).
    #[must_use]
    pub fn digest(&self) -> BuildKeyDigest {
        BuildKeyDigest(sha256_hex(self.canonical_text().as_bytes()))
    }

    /// What distinguishes the two keys, one sentence a field, `self` on the left. Empty exactly
    /// when they are equal.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let mut compare = |what: &str, left: &dyn fmt::Display, right: &dyn fmt::Display| {
            let (left, right) = (left.to_string(), right.to_string());
            if left != right {
                found.push(format!("{what} {left} against {right}"));
            }
        };
        compare("package", &self.cpv, &other.cpv);
        compare("slot", &self.slot, &other.slot);
        compare("repository", &self.repository, &other.repository);
        compare(
            "ebuild and eclasses",
            &self.ebuild_digest,
            &other.ebuild_digest,
        );
        let none = "none";
        let digest = |key: &Self| match &key.environment_digest {
            Some(digest) => digest.to_string(),
            None => none.to_owned(),
        };
        compare("package.env and patches", &digest(self), &digest(other));
        for flag in union(&self.use_flags, &other.use_flags) {
            let state = |key: &Self| match key.use_flags.get(flag) {
                Some(true) => format!("{flag}"),
                Some(false) => format!("-{flag}"),
                None => format!("without {flag}"),
            };
            compare("USE", &state(self), &state(other));
        }
        for target in union(&self.bindings, &other.bindings) {
            let state = |key: &Self| match key.bindings.get(target) {
                Some(slot) => slot.to_string(),
                None => none.to_owned(),
            };
            compare(&format!("bound to {target}"), &state(self), &state(other));
        }
        found
    }
}

/// The keys of both maps, sorted, each once.
fn union<'a, K: Ord, V>(
    left: &'a BTreeMap<K, V>,
    right: &'a BTreeMap<K, V>,
) -> std::collections::BTreeSet<&'a K> {
    left.keys().chain(right.keys()).collect()
}

fn word(enabled: bool) -> &'static str {
    if enabled { "enabled" } else { "disabled" }
}

/// A build key in one word: 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BuildKeyDigest(String);

impl BuildKeyDigest {
    fn check(input: &str) -> Result<(), NameError> {
        if input.len() == 64 && is_lower_hex(input) {
            return Ok(());
        }
        Err(NameError::new(
            "build key",
            input,
            "it is 64 lower-case hexadecimal digits",
        ))
    }

    /// The first 12 digits, for people.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

validated_string!(BuildKeyDigest, NameError);

fn is_lower_hex(input: &str) -> bool {
    input
        .bytes()
        .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> BuildKey {
        BuildKey {
            cpv: "app-misc/hello-2.0".parse().unwrap(),
            slot: SlotAndSubslot::zero(),
            repository: "gentoo".parse().unwrap(),
            ebuild_digest: "5d41402abc4b2a76b9719d911017c592".parse().unwrap(),
            use_flags: [
                ("ssl".parse().unwrap(), true),
                ("doc".parse().unwrap(), false),
            ]
            .into(),
            bindings: [(
                "dev-libs/libalpha:0".parse().unwrap(),
                "0/2".parse().unwrap(),
            )]
            .into(),
            environment_digest: None,
        }
    }

    /// Every way in which a key can differ, with the words that say so.
    fn variations() -> Vec<(BuildKey, &'static str)> {
        let vary = |change: fn(&mut BuildKey), words| {
            let mut varied = key();
            change(&mut varied);
            (varied, words)
        };
        vec![
            vary(
                |key| key.cpv = "app-misc/hello-2.0-r0".parse().unwrap(),
                "package app-misc/hello-2.0 against app-misc/hello-2.0-r0",
            ),
            vary(
                |key| key.slot = "0/1".parse().unwrap(),
                "slot 0 against 0/1",
            ),
            vary(
                |key| key.repository = "other".parse().unwrap(),
                "repository gentoo against other",
            ),
            vary(
                |key| key.ebuild_digest = "0".repeat(32).parse().unwrap(),
                "ebuild and eclasses 5d41402abc4b2a76b9719d911017c592 \
                 against 00000000000000000000000000000000",
            ),
            vary(
                |key| _ = key.use_flags.insert("ssl".parse().unwrap(), false),
                "USE ssl against -ssl",
            ),
            vary(
                |key| _ = key.use_flags.insert("nls".parse().unwrap(), false),
                "USE without nls against -nls",
            ),
            vary(
                |key| {
                    drop(key.bindings.insert(
                        "dev-libs/libalpha:0".parse().unwrap(),
                        "0/1".parse().unwrap(),
                    ))
                },
                "bound to dev-libs/libalpha:0 0/2 against 0/1",
            ),
            vary(
                |key| key.bindings.clear(),
                "bound to dev-libs/libalpha:0 0/2 against none",
            ),
            vary(
                |key| key.environment_digest = Some("1".repeat(32).parse().unwrap()),
                "package.env and patches none against 11111111111111111111111111111111",
            ),
        ]
    }

    #[test]
    fn the_canonical_text_and_digest_never_change() {
        let text = "gentoo-updater build key 1\npackage app-misc/hello-2.0\nslot 0/0\n\
                    repository gentoo\nebuild 5d41402abc4b2a76b9719d911017c592\n\
                    use doc disabled\nuse ssl enabled\nbinding dev-libs/libalpha:0 0/2\n\
                    environment none\n";
        assert_eq!(key().canonical_text(), text);
        let digest = key().digest();
        assert_eq!(
            digest.to_string(),
            HexDigest::sha256(text.as_bytes()).to_string()
        );
        assert_eq!(digest.as_str().len(), 64);
        assert!(digest.as_str().starts_with(digest.short()));
        assert_eq!(digest.short().len(), 12);
    }

    #[test]
    fn every_field_changes_the_digest_and_is_named() {
        for (varied, words) in variations() {
            assert_ne!(varied.digest(), key().digest(), "{words}");
            assert_eq!(key().difference(&varied), [words]);
        }
        assert!(key().difference(&key()).is_empty());
    }

    #[test]
    fn a_key_survives_json_and_a_bad_one_does_not() {
        for (key, _) in variations() {
            let json = serde_json::to_string(&key).unwrap();
            assert_eq!(serde_json::from_str::<BuildKey>(&json).unwrap(), key);
        }
        let json = serde_json::to_string(&key()).unwrap();
        for (from, to) in [
            ("hello-2.0", "hello-2.0;touch x"),
            ("\"ssl\"", "\"s sl\""),
            ("5d41", "../"),
        ] {
            assert!(json.contains(from));
            assert!(serde_json::from_str::<BuildKey>(&json.replace(from, to)).is_err());
        }
        for text in ["", "abc", &"A".repeat(64), &"g".repeat(64), &"0".repeat(63)] {
            assert!(text.parse::<BuildKeyDigest>().is_err());
        }
    }

    #[test]
    fn sha256_is_that_of_the_standard() {
        assert_eq!(
            HexDigest::sha256(b"abc").to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
