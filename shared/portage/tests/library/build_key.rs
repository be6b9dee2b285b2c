//! What a build key promises, for keys of all kinds.

use std::collections::{BTreeMap, BTreeSet};

use gentoo_updater_portage::atom::{Atom, SlotDependency};
use gentoo_updater_portage::build_key::{BindingTarget, BuildKey, Explanation, Platform, Wish};
use gentoo_updater_portage::dependency::Dependency;
use gentoo_updater_portage::name::{SlotAndSubslot, UseFlag};
use proptest::prelude::*;
use serde_json::json;

fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(texts).prop_map(str::to_owned)
}

fn map_of<V: std::fmt::Debug + Clone + 'static>(
    names: &'static [&'static str],
    values: impl Strategy<Value = V> + 'static,
) -> impl Strategy<Value = BTreeMap<String, V>> {
    prop::collection::btree_map(one_of(names), values, 0..3)
}

/// Keys of few different parts, so that equal ones come up often.
fn keys() -> impl Strategy<Value = BuildKey> {
    (
        one_of(&["a/b-1", "a/b-1.0", "a/b-1-r0"]),
        one_of(&["0", "0/1", "1/0"]),
        one_of(&["gentoo", "local"]),
        one_of(&["0", "1"]),
        map_of(&["ssl", "doc", "binding"], any::<bool>()),
        map_of(&["c/d", "c/d:0", "c/e:0"], one_of(&["0", "0/1", "none"])),
        prop::option::of(one_of(&["0", "1"])),
    )
        .prop_map(
            |(cpv, slot, repository, ebuild, flags, bindings, environment)| {
                let value = json!({
                    "cpv": cpv,
                    "slot": slot,
                    "repository": repository,
                    "ebuild_digest": ebuild.repeat(32),
                    "use_flags": flags,
                    "bindings": bindings,
                    "environment_digest": environment.map(|digit| digit.repeat(32)),
                });
                serde_json::from_value(value).unwrap()
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn equal_keys_and_equal_texts_and_equal_digests_and_no_difference_are_one(
        left in keys(),
        right in keys(),
    ) {
        let equal = left == right;
        prop_assert_eq!(left.canonical_text() == right.canonical_text(), equal);
        prop_assert_eq!(left.digest() == right.digest(), equal);
        prop_assert_eq!(left.difference(&right).is_empty(), equal);
        prop_assert_eq!(left.difference(&right).len(), right.difference(&left).len());
    }

    #[test]
    fn the_order_in_which_a_key_was_put_together_is_irrelevant(key in keys()) {
        let backwards = BuildKey {
            use_flags: key.use_flags.clone().into_iter().rev().collect(),
            bindings: key.bindings.clone().into_iter().rev().collect(),
            ..key.clone()
        };
        prop_assert_eq!(backwards.digest(), key.digest());
        // JSON objects have no order, and other programs write them in any.
        let value = serde_json::to_value(&key).unwrap();
        let fields = value.as_object().unwrap().iter().rev();
        let fields: Vec<String> = fields.map(|(name, value)| format!("{name:?}:{value}")).collect();
        let read: BuildKey = serde_json::from_str(&format!("{{{}}}", fields.join(","))).unwrap();
        prop_assert_eq!(read.digest(), key.digest());
    }

    /// Whatever a value holds, it is one word of one line: no value can pretend to be another field.
    #[test]
    fn no_value_reaches_beyond_its_line(key in keys(), text in "[a-z0-9 /:\\n\\r\\t\u{a0}-]{0,12}") {
        for field in ["cpv", "slot", "repository", "ebuild_digest", "environment_digest"] {
            let mut value = serde_json::to_value(&key).unwrap();
            value[field] = json!(text);
            check_lines(value)?;
        }
        for field in ["use_flags", "bindings"] {
            let mut value = serde_json::to_value(&key).unwrap();
            value[field] = json!({ &text: value[field].get("ssl").cloned().unwrap_or(json!("0")) });
            check_lines(value)?;
        }
    }
}

/// A key that can be read has the words in its text that the form has, and no others.
fn check_lines(value: serde_json::Value) -> Result<(), TestCaseError> {
    let Ok(key) = serde_json::from_value::<BuildKey>(value) else {
        return Ok(());
    };
    let text = key.canonical_text();
    prop_assert!(text.ends_with('\n'));
    let mut lines = text.lines().skip(1);
    for name in ["package", "slot", "repository", "ebuild"] {
        let words: Vec<&str> = lines
            .next()
            .unwrap_or_default()
            .split(char::is_whitespace)
            .collect();
        prop_assert_eq!(words.len(), 2);
        prop_assert_eq!(words[0], name);
    }
    for name in [
        vec!["use"; key.use_flags.len()],
        vec!["binding"; key.bindings.len()],
    ]
    .concat()
    {
        let words: Vec<&str> = lines
            .next()
            .unwrap_or_default()
            .split(char::is_whitespace)
            .collect();
        prop_assert_eq!(words.len(), 3);
        prop_assert_eq!(words[0], name);
    }
    let last: Vec<&str> = lines
        .next()
        .unwrap_or_default()
        .split(char::is_whitespace)
        .collect();
    prop_assert_eq!(last.len(), 2);
    prop_assert_eq!(last[0], "environment");
    prop_assert_eq!(lines.next(), None);
    Ok(())
}

/// The ebuild of which the guests below want a binary: `libssl` is bound where `ssl` is on.
const RDEPEND: &str = "dev-libs/libalpha:0= ssl? ( dev-libs/libssl:= ) app-misc/tool";

/// A guest: which flags it wants, and what its libraries will be after the run.
#[derive(Debug, Clone)]
struct Guest {
    flags: BTreeMap<UseFlag, bool>,
    libraries: BTreeMap<String, SlotAndSubslot>,
}

fn guests() -> impl Strategy<Value = Guest> {
    let subslots = || prop::sample::select(vec!["0/1", "0/2"]);
    (
        any::<bool>(),
        any::<bool>(),
        subslots(),
        subslots(),
        subslots(),
    )
        .prop_map(|(ssl, doc, libalpha, libssl, tool)| Guest {
            flags: [("ssl", ssl), ("doc", doc)]
                .map(|(flag, on)| (flag.parse().unwrap(), on))
                .into(),
            libraries: [
                ("dev-libs/libalpha", libalpha),
                ("dev-libs/libssl", libssl),
                ("app-misc/tool", tool),
            ]
            .map(|(name, slot)| (name.to_owned(), slot.parse().unwrap()))
            .into(),
        })
}

impl Guest {
    /// What the guest's Portage would bind: the active atoms with `:=`, and its library for each.
    fn bound(&self) -> Vec<(Atom, SlotAndSubslot)> {
        let dependency: Dependency = RDEPEND.parse().unwrap();
        let active = dependency.atoms(|flag| self.flags[flag]);
        let bound = active
            .into_iter()
            .filter(|atom| atom.slot().is_some_and(SlotDependency::is_bound));
        bound
            .map(|atom| {
                (
                    atom.clone(),
                    self.libraries[&atom.category_package().to_string()].clone(),
                )
            })
            .collect()
    }

    fn key(&self) -> BuildKey {
        let bindings = self.bound().into_iter().map(|(atom, library)| {
            let slot = match atom.slot() {
                Some(SlotDependency::Exact { slot, .. }) => Some(slot.clone()),
                _ => None,
            };
            let target = BindingTarget {
                category_package: atom.category_package().clone(),
                slot,
            };
            (target, library)
        });
        BuildKey {
            cpv: "app-misc/hello-2.0".parse().unwrap(),
            slot: SlotAndSubslot::zero(),
            repository: "gentoo".parse().unwrap(),
            ebuild_digest: "0".repeat(32).parse().unwrap(),
            use_flags: self.flags.clone().into(),
            bindings: bindings.collect(),
            environment_digest: None,
            kernel: None,
        }
    }
}

/// What Portage writes into a binary package: the flags that were on, and RDEPEND without the
/// conditions, in which `:=` holds what was bound. A key plays no part in it.
struct Binary {
    enabled: BTreeSet<UseFlag>,
    bound: Vec<Atom>,
}

impl Binary {
    fn built_for(guest: &Guest) -> Self {
        let written = guest.bound().into_iter().map(|(atom, library)| {
            let text = format!(
                "{}:{}/{}=",
                atom.category_package(),
                library.slot,
                library.subslot
            );
            text.parse().unwrap()
        });
        let on = guest.flags.iter().filter(|(_, on)| **on);
        Self {
            enabled: on.map(|(flag, _)| flag.clone()).collect(),
            bound: written.collect(),
        }
    }

    /// Whether a guest can take it: `--binpkg-respect-use=y`, and every binding is to what is there.
    fn serves(&self, guest: &Guest) -> bool {
        let wanted = guest
            .flags
            .iter()
            .all(|(flag, on)| self.enabled.contains(flag) == *on);
        let bound_to = |(_, library): &(Atom, SlotAndSubslot), written: &Atom| match written.slot()
        {
            Some(SlotDependency::Exact {
                slot,
                subslot: Some(subslot),
                bound: true,
            }) => (slot, subslot) == (&library.slot, &library.subslot),
            _ => false,
        };
        let bound = guest.bound();
        wanted
            && bound.len() == self.bound.len()
            && bound
                .iter()
                .zip(&self.bound)
                .all(|(own, written)| bound_to(own, written))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn keys_of_two_guests_are_equal_exactly_when_one_binary_serves_both(
        one in guests(),
        other in guests(),
    ) {
        prop_assert!(Binary::built_for(&one).serves(&one));
        let served = Binary::built_for(&one).serves(&other);
        prop_assert_eq!(Binary::built_for(&other).serves(&one), served);
        prop_assert_eq!(one.key() == other.key(), served);
    }
}

#[test]
fn a_library_that_a_flag_switches_off_does_not_part_two_guests() {
    let guest = |ssl, subslot: &str| Guest {
        flags: [("ssl".parse().unwrap(), ssl)].into(),
        libraries: [("dev-libs/libalpha", "0/1"), ("dev-libs/libssl", subslot)]
            .map(|(name, slot)| (name.to_owned(), slot.parse().unwrap()))
            .into(),
    };
    assert_eq!(guest(false, "0/1").key(), guest(false, "0/2").key());
    assert_ne!(guest(true, "0/1").key(), guest(true, "0/2").key());
}

fn platform(cflags: &str) -> Platform {
    let value_of = |name| match name {
        "CHOST" => Some("x86_64-pc-linux-gnu"),
        "ARCH" => Some("amd64"),
        "CFLAGS" => Some(cflags),
        _ => None,
    };
    Platform::from_variables(value_of, BTreeSet::new()).unwrap()
}

proptest! {
    #[test]
    fn platforms_differ_in_words_exactly_when_they_differ(
        left in "((-a|-b|\\(none\\)) ?){0,4}",
        right in "((-a|-b|\\(none\\)) ?){0,4}",
    ) {
        let (left, right) = (platform(&left), platform(&right));
        prop_assert_eq!(left.difference(&right).is_empty(), left == right);
    }
}

#[test]
fn an_explanation_names_both_guests_and_each_flag_that_differs() {
    let libraries: BTreeMap<String, SlotAndSubslot> =
        [("dev-libs/libalpha".to_owned(), "0/2".parse().unwrap())].into();
    let key = |ssl: bool, doc: bool| {
        let flags = [("ssl", false), ("doc", doc)];
        let guest = Guest {
            flags: flags.map(|(flag, on)| (flag.parse().unwrap(), on)).into(),
            libraries: libraries.clone(),
        };
        let mut key = guest.key();
        key.use_flags.insert("ssl".parse().unwrap(), ssl);
        key
    };
    let (zen, generic) = (
        platform("-march=znver2 -O2 -pipe"),
        platform("-march=x86-64-v3 -O2 -pipe"),
    );
    let explain = |left: (&BuildKey, &Platform), right: (&BuildKey, &Platform)| {
        let wish = |guest, (key, platform)| Wish {
            guest,
            key,
            platform,
        };
        let explanation = Explanation::of(wish("web", left), wish("mail", right));
        let same = left.0 == right.0 && left.1 == right.1;
        assert_eq!(explanation.one_binary_serves_both(), same);
        explanation.to_string()
    };
    let (plain, with_ssl, with_both) = (key(false, false), key(true, false), key(true, true));
    assert_eq!(
        explain((&plain, &zen), (&with_ssl, &generic)),
        "web: USE -ssl, mail: USE ssl; CFLAGS -march=znver2 against -march=x86-64-v3"
    );
    assert_eq!(
        explain((&plain, &zen), (&with_both, &zen)),
        "web: USE -doc, mail: USE doc; USE -ssl against ssl"
    );
    assert_eq!(
        explain((&plain, &zen), (&plain, &generic)),
        "web: CFLAGS -march=znver2, mail: CFLAGS -march=x86-64-v3"
    );
    assert_eq!(
        explain((&plain, &zen), (&plain, &zen)),
        "one binary serves web and mail"
    );
}
