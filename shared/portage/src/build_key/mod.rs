//! The build key: what decides whether one binary package serves two guests.

mod binding;
mod difference;
mod digest;
mod flags;
mod kernel;
mod platform;

use serde::{Deserialize, Serialize};

use crate::compact::CompactMap;
use crate::cpv::Cpv;
use crate::name::{RepositoryName, SlotAndSubslot, UseFlag};

pub use binding::BindingTarget;
pub use difference::{Difference, Explanation, Wish};
pub use digest::{BuildKeyDigest, HexDigest};
pub use flags::CompilerFlags;
pub use kernel::{Kernel, KernelRelease};
pub use platform::{Arch, Chost, Platform, PlatformError};

/// All that a binary package depends on within one platform. Two guests whose keys for a package
/// are equal can install one binary; where the keys differ, one binary cannot serve both.
///
/// CFLAGS, CHOST and the toolchain are not part of it: a store holds one [`Platform`] only.
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
    pub use_flags: CompactMap<UseFlag, bool>,
    /// For each `:=` dependency that its USE flags leave active: slot and subslot that the
    /// dependency will have on the guest after the run. Without these yesterday's binary, bound to
    /// the old library, would be taken for the rebuilt one.
    pub bindings: CompactMap<BindingTarget, SlotAndSubslot>,
    /// The digest of the guest's own `package.env` and user patches for the package, if any.
    pub environment_digest: Option<HexDigest>,
    /// The kernel that the guest builds modules for; absent for packages that build none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<Kernel>,
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
    /// A package that builds kernel modules has one line more, `kernel 6.6.30-gentoo 5d41402a…`.
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
        lines.push(format!("environment {environment}"));
        if let Some(Kernel {
            release,
            configuration,
        }) = &self.kernel
        {
            let configuration = configuration.as_ref().map_or("unknown", HexDigest::as_str);
            lines.push(format!("kernel {release} {configuration}"));
        }
        lines.push(String::new());
        lines.join("\n")
    }

    /// The key in one word: SHA-256 of the [`canonical_text`](Self::canonical_text).
    #[must_use]
    pub fn digest(&self) -> BuildKeyDigest {
        BuildKeyDigest::of(&self.canonical_text())
    }
}

fn word(enabled: bool) -> &'static str {
    if enabled { "enabled" } else { "disabled" }
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
            kernel: None,
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
                |key| key.use_flags.insert("ssl".parse().unwrap(), false),
                "USE ssl against -ssl",
            ),
            vary(
                |key| key.use_flags.insert("nls".parse().unwrap(), false),
                "USE without nls against -nls",
            ),
            vary(
                |key| {
                    key.bindings.insert(
                        "dev-libs/libalpha:0".parse().unwrap(),
                        "0/1".parse().unwrap(),
                    );
                },
                "bound to dev-libs/libalpha:0 0/2 against 0/1",
            ),
            vary(
                |key| key.bindings = CompactMap::default(),
                "bound to dev-libs/libalpha:0 0/2 against (none)",
            ),
            vary(
                |key| key.environment_digest = Some("1".repeat(32).parse().unwrap()),
                "package.env and patches (none) against 11111111111111111111111111111111",
            ),
            vary(
                |key| {
                    key.kernel = Some(Kernel {
                        release: "6.6.30-gentoo".parse().unwrap(),
                        configuration: Some("2".repeat(32).parse().unwrap()),
                    })
                },
                "kernel (none) against 6.6.30-gentoo, configuration 222222222222",
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
            digest.as_str(),
            "37f728105e94e8849a059534964bfe116a6656dd5a8b580a4cb8f6766f5e3644"
        );
        assert_eq!(digest.as_str().len(), 64);
        assert!(digest.as_str().starts_with(digest.short()));
        assert_eq!(digest.short().len(), 12);
    }

    #[test]
    fn a_module_is_for_one_kernel_with_one_configuration() {
        let of = |release: &str, digit: &str| BuildKey {
            kernel: Some(Kernel {
                release: release.parse().unwrap(),
                configuration: Some(digit.repeat(32).parse().unwrap()),
            }),
            ..key()
        };
        let base = of("6.6.30", "1");
        let line = format!("environment none\nkernel 6.6.30 {}\n", "1".repeat(32));
        assert!(base.canonical_text().ends_with(&line));
        for other in [of("6.6.31", "1"), of("6.6.30", "2")] {
            assert_ne!(base.digest(), other.digest());
            assert_eq!(base.difference(&other)[0].what, "kernel");
        }
        let text = serde_json::to_string(&key()).unwrap();
        assert!(
            !text.contains("kernel"),
            "a program that knows none reads it: {text}"
        );
    }

    #[test]
    fn every_field_changes_the_digest_and_is_named() {
        for (varied, words) in variations() {
            assert_ne!(varied.digest(), key().digest(), "{words}");
            let found = key().difference(&varied);
            let found: Vec<String> = found.iter().map(ToString::to_string).collect();
            assert_eq!(found, [words]);
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
    }
}
