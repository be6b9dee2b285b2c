use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::name::{SlotAndSubslot, UseFlag};

fn atom(text: &str) -> Atom {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn matches(text: &str, cpv: &str, slot: &str, repository: Option<&str>) -> bool {
    let package: ExactPackage = cpv.parse().unwrap();
    let repository = repository.map(|name| name.parse().unwrap());
    atom(text).matches(&Candidate {
        cpv: &package.cpv,
        slot: &slot.parse().unwrap(),
        repository: repository.as_ref(),
        build_id: package.build_id,
        use_flags: None,
    })
}

#[test]
fn name_and_version_are_compared_whatever_else_the_atom_asks_for() {
    let says = |text: &str, version: &str| atom(text).matches_version(&version.parse().unwrap());
    assert!(says("dev-libs/a:3::gentoo[ssl]", "dev-libs/a-1"));
    assert!(says("=dev-libs/a-1-2", "dev-libs/a-1"));
    assert!(says(">=dev-libs/a-1", "dev-libs/a-1.5"));
    assert!(!says("<dev-libs/a-1", "dev-libs/a-1.5"));
    assert!(!says("dev-libs/a", "dev-libs/b-1"));
}

#[test]
fn an_atom_prints_as_it_was_written() {
    for text in [
        "dev-libs/libalpha",
        "=dev-libs/libalpha-2.0",
        ">=dev-libs/libalpha-2.0-r1:0/2=",
        "<dev-libs/libalpha-2.0:0",
        "<=dev-libs/libalpha-2.0:=",
        ">dev-libs/libalpha-2.0:*",
        "~dev-libs/libalpha-2.0",
        "=dev-libs/libalpha-2*",
        "=dev-libs/libalpha-2.0-3",
        "!dev-libs/libalpha",
        "!!<dev-libs/libalpha-2:0=::gentoo[a,-b,c?,!d?,e=,!f=,g(+),-h(-),i(+)?,!j(-)=]",
        "dev-libs/libalpha::gentoo",
        "x11-libs/gtk+:3[X]",
    ] {
        assert_eq!(atom(text).to_string(), text);
    }
    assert_eq!(
        Atom::exact(&"a-b/c-1-r2".parse().unwrap()).to_string(),
        "=a-b/c-1-r2"
    );
}

#[test]
fn what_pms_forbids_is_refused() {
    for text in [
        "",
        "libalpha",
        "dev-libs/libalpha-2.0",
        "=dev-libs/libalpha",
        ">=dev-libs/libalpha-2*",
        "~dev-libs/libalpha-2*",
        "=dev-libs/libalpha*",
        ">=dev-libs/libalpha-2.0-3",
        "=dev-libs/libalpha-2.0-3*",
        "!!!dev-libs/libalpha",
        "dev-libs/libalpha:",
        "dev-libs/libalpha:0*",
        "dev-libs/libalpha:/2",
        "dev-libs/libalpha:0/",
        "dev-libs/libalpha:0:1",
        "dev-libs/libalpha::",
        "dev-libs/libalpha::a::b",
        "dev-libs/libalpha[]",
        "dev-libs/libalpha[a",
        "dev-libs/libalpha[a,]",
        "dev-libs/libalpha[-a?]",
        "dev-libs/libalpha[!a]",
        "dev-libs/libalpha[a(*)]",
        "dev-libs/libalpha[a(+),-a]",
        "dev-libs/libalpha[a(+)?,b,a(-)]",
        "dev-libs/libalpha[a]b",
        "dev-libs/libalpha[a][b]",
        "dev-libs/libalpha ",
        "dev-libs/*",
        "cat/pkg-1;touch x",
        "=cat/pkg-1;touch x",
        "=cat/pkg-1$(touch x)",
        "--sync",
        "==cat/pkg-1",
        "=!cat/pkg-1",
    ] {
        assert!(text.parse::<Atom>().is_err(), "{text:?} was accepted");
    }
}

#[test]
fn an_operator_compares_as_portage_does() {
    for (text, version, expected) in [
        ("dev-libs/a", "1", true),
        ("=dev-libs/a-1.0", "1.0", true),
        ("=dev-libs/a-1.0", "1.0-r0", true),
        ("=dev-libs/a-1.0", "1.0-r1", false),
        ("=dev-libs/a-1.0", "1.0-7", true),
        ("=dev-libs/a-1.0-7", "1.0-7", true),
        ("=dev-libs/a-1.0-7", "1.0-8", false),
        ("=dev-libs/a-1.0-7", "1.0", false),
        ("~dev-libs/a-1.0", "1.0-r1", true),
        ("~dev-libs/a-1.0", "1.0.0", false),
        ("<dev-libs/a-1.0", "1.0_rc1", true),
        ("<dev-libs/a-1.0", "1.0", false),
        ("<=dev-libs/a-1.0", "1.0-r0", true),
        ("<=dev-libs/a-1.0", "1.0-r1", false),
        (">dev-libs/a-1.0", "1.0-r1", true),
        (">=dev-libs/a-1.0", "1.0_p1", true),
        (">=dev-libs/a-1.10", "1.9", false),
        ("=dev-libs/a-1*", "1", true),
        ("=dev-libs/a-1*", "1.2", true),
        ("=dev-libs/a-1*", "10", false),
        ("=dev-libs/a-1*", "1-r3", true),
        ("=dev-libs/a-1*", "1_p2", true),
        ("=dev-libs/a-1*", "1b", true),
        ("=dev-libs/a-1.2*", "1.20", false),
        ("=dev-libs/a-01*", "1.5", true),
        ("=dev-libs/a-0*", "0.1", true),
        ("=dev-libs/a-1_p*", "1_p20", true),
        ("=dev-libs/a-1-r1*", "1-r1", true),
        ("=dev-libs/a-1-r1*", "1-r10", false),
        ("!<dev-libs/a-2", "1", true),
        ("dev-libs/b", "1", false),
    ] {
        let cpv = format!("dev-libs/a-{version}");
        assert_eq!(
            matches(text, &cpv, "0", None),
            expected,
            "{text} against {cpv}"
        );
    }
}

#[test]
fn slot_and_repository_narrow_the_choice_and_unknown_flags_do_not() {
    for (text, slot, repository, expected) in [
        ("dev-libs/a:0", "0/2", None, true),
        ("dev-libs/a:0/2", "0/2", None, true),
        ("dev-libs/a:0/1=", "0/2", None, false),
        ("dev-libs/a:0=", "0/2", None, true),
        ("dev-libs/a:2", "0/2", None, false),
        ("dev-libs/a:=", "5", None, true),
        ("dev-libs/a:*", "5", None, true),
        ("dev-libs/a::gentoo", "0", Some("gentoo"), true),
        ("dev-libs/a::gentoo", "0", Some("other"), false),
        ("dev-libs/a::gentoo", "0", None, true),
        ("dev-libs/a[x]", "0", None, true),
    ] {
        let found = matches(text, "dev-libs/a-1", slot, repository);
        assert_eq!(found, expected, "{text} against {slot} {repository:?}");
    }
    assert!(atom("dev-libs/a:0/2=").is_bound());
    assert!(atom("dev-libs/a:=").is_bound());
    assert!(!atom("dev-libs/a:0/2").is_bound());
    assert!(!atom("dev-libs/a").is_bound());
}

fn flags(names: &[&str]) -> BTreeSet<UseFlag> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

#[test]
fn use_dependencies_ask_for_the_state_that_the_dependant_gives_them() {
    // The package knows a (enabled) and b (disabled), and no x. The dependant has a and x enabled.
    let (known, enabled) = (flags(&["a", "b"]), flags(&["a"]));
    let parent = flags(&["a", "x"]);
    for (text, without_parent, with_parent, evaluated) in [
        ("c/p[a]", true, true, "c/p[a]"),
        ("c/p[-a]", false, false, "c/p[-a]"),
        ("c/p[b]", false, false, "c/p[b]"),
        ("c/p[a,-b]", true, true, "c/p[a,-b]"),
        ("c/p[a?]", true, true, "c/p[a]"),
        ("c/p[b?]", true, true, "c/p"),
        ("c/p[!b?]", true, true, "c/p[-b]"),
        ("c/p[!a?]", true, true, "c/p"),
        ("c/p[a=,b=]", true, true, "c/p[a,-b]"),
        ("c/p[!a=]", true, false, "c/p[-a]"),
        ("c/p[!b=]", true, false, "c/p[b]"),
        ("c/p[x]", false, false, "c/p[x]"),
        ("c/p[-x]", false, false, "c/p[-x]"),
        ("c/p[x(+)]", true, true, "c/p[x(+)]"),
        ("c/p[x(-)]", false, false, "c/p[x(-)]"),
        ("c/p[-x(-)]", true, true, "c/p[-x(-)]"),
        ("c/p[x?]", false, false, "c/p[x]"),
        ("c/p[!x?]", false, false, "c/p"),
        ("c/p[x(-)?]", true, false, "c/p[x(-)]"),
        ("c/p[x(+)=]", true, true, "c/p[x(+)]"),
        ("c/p:0=::r[!x(+)=]", true, false, "c/p:0=::r[-x(+)]"),
    ] {
        let atom = atom(text);
        let (cpv, slot) = ("c/p-1".parse().unwrap(), SlotAndSubslot::zero());
        let package = PackageUse {
            known: &known,
            enabled: &enabled,
        };
        let candidate = Candidate {
            cpv: &cpv,
            slot: &slot,
            repository: None,
            build_id: None,
            use_flags: Some(package),
        };
        let parent_has = |flag: &UseFlag| parent.contains(flag);
        assert_eq!(atom.matches(&candidate), without_parent, "{text}");
        let for_parent = atom.matches_for(&candidate, parent_has);
        assert_eq!(for_parent, with_parent, "{text}");
        let violated = atom.violated_by(&package, parent_has);
        assert_eq!(violated.is_empty(), with_parent, "{text}");
        assert_eq!(atom.evaluated(parent_has).to_string(), evaluated, "{text}");
    }
}

#[test]
fn an_atom_from_a_message_is_validated() {
    let error = serde_json::from_str::<Atom>("\"=cat/pkg-1;touch x\"").unwrap_err();
    assert!(
        error.to_string().contains("not a valid package atom"),
        "{error}"
    );
    let json = serde_json::to_string(&atom("~a/b-1")).unwrap();
    assert_eq!(serde_json::from_str::<Atom>(&json).unwrap(), atom("~a/b-1"));
}

proptest! {
    #[test]
    fn printing_and_parsing_are_inverse(
        text in "(!|!!)?(([<>]=?|[=~])a-b/c_-d\\+-[0-9](\\.0?[1-9])?(_(p|rc)1?)?(-r1)?|a/b-x)\
                 (:([0-9](/[0-9]\\.1)?=?|=|\\*))?(::[a-z]{1,3})?\
                 (\\[(-a|[!]?b(\\(\\+\\)|\\(-\\))?[?=]|c)(,d=)?\\])?",
    ) {
        let parsed: Atom = text.parse().unwrap();
        prop_assert_eq!(parsed.to_string(), text);
    }

    #[test]
    fn no_text_panics(text in "[!<>=~a-c/0-9.:\\[\\]*r_ -]{0,24}") {
        if let Ok(parsed) = text.parse::<Atom>() {
            prop_assert_eq!(parsed.to_string(), text);
        }
    }
}
