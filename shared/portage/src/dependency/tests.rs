use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::atom::{Candidate, PackageUse};
use crate::cpv::Cpv;
use crate::name::SlotAndSubslot;

fn reached(text: &str, enabled: &[&str]) -> String {
    let dependency: Dependency = text.parse().unwrap();
    let atoms = dependency.atoms(|flag| enabled.contains(&flag.as_str()));
    atoms
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn conditions_are_evaluated_and_alternatives_all_followed() {
    let text = "a/a:= ssl? ( b/b !c/c || ( d/d ( e/e nls? ( f/f ) ) ) ) !ssl? ( g/g ) !!h/h";
    assert_eq!(reached(text, &[]), "a/a:= g/g");
    assert_eq!(reached(text, &["ssl"]), "a/a:= b/b d/d e/e");
    assert_eq!(reached(text, &["ssl", "nls"]), "a/a:= b/b d/d e/e f/f");
    let dependency: Dependency = text.parse().unwrap();
    assert_eq!(dependency.blockers(|_| true).len(), 2);
    assert_eq!(dependency.blockers(|_| false).len(), 1);
}

#[test]
fn nothing_is_no_dependency() {
    for text in ["", " ", "\n\t "] {
        assert_eq!(text.parse::<Dependency>().unwrap(), Dependency::default());
    }
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    for (text, words) in [
        (
            "a/a )",
            "word 2 of the dependency string is wrong: the bracket was not opened",
        ),
        ("( a/a", "1 brackets are not closed"),
        ("|| a/a", "\"||\" is not followed"),
        (
            "a/a ssl?",
            "word 3 of the dependency string is wrong: \"ssl?\" is not followed",
        ),
        ("ssl? || ( a/a )", "\"ssl?\" is not followed"),
        ("||( a/a )", "not a valid package atom"),
        ("(a/a)", "not a valid package atom"),
        ("a/a;touch", "not a valid package name"),
        ("!? ( a/a )", "not a valid USE flag"),
        ("|| )", "\"||\" is not followed"),
        (">=a/a", "not a valid"),
        (
            "|| ( )",
            "word 3 of the dependency string is wrong: the group in brackets is empty",
        ),
        ("^^ ( a/a b/b )", "\"^^\" is not permitted"),
        ("?? ( a/a b/b )", "\"??\" is not permitted"),
        ("a/a -> b", "\"->\" is not permitted"),
    ] {
        let error = text.parse::<Dependency>().unwrap_err().to_string();
        assert!(error.contains(words), "{text}: {error}");
    }
}

#[test]
fn a_megabyte_of_brackets_is_a_clear_error() {
    let deep = "( ".repeat(500_000);
    let error = deep.parse::<Dependency>().unwrap_err();
    assert_eq!(error.cause, DependencyErrorCause::TooDeep);
    assert_eq!(error.word, MAXIMUM_DEPTH + 1);
    let wide = "( ) ".repeat(250_000);
    assert_eq!(wide.parse::<RequiredUse>().unwrap().nodes().len(), 250_000);
    let deepest = format!(
        "{}a/a {}",
        "( ".repeat(MAXIMUM_DEPTH),
        ") ".repeat(MAXIMUM_DEPTH)
    );
    assert_eq!(reached(&deepest, &[]), "a/a");
}

#[test]
fn what_is_empty_after_its_conditions_counts_as_the_eapi_says() {
    let dependency: Dependency = "|| ( a? ( x/x ) ) || ( y/y || ( b? ( z/z ) ) )"
        .parse()
        .unwrap();
    for (eapi, expected) in [
        ("6", "y/y"),
        ("7", "|| ( ) || ( y/y ( || ( ) ) )"),
        ("a-new-one", "|| ( ) || ( y/y ( || ( ) ) )"),
    ] {
        let reduced = dependency.reduce(&Evaluation {
            empty_any_of: EmptyAnyOf::of_eapi(eapi),
            ..Evaluation::with_flags(&|_| false)
        });
        assert_eq!(Reduced::text_of(&reduced), expected, "EAPI {eapi}");
        let is_satisfied = |part: &Reduced<Atom>| part.is_satisfied(&|_| true);
        assert_eq!(reduced.iter().all(is_satisfied), eapi == "6");
    }
}

#[test]
fn packages_satisfy_a_string_or_the_missing_part_is_named() {
    let text = "a/a || ( b/b ( c/c d/d ) ) ssl? ( e/e[x?] ) !!<f/f-2 !g/g";
    let dependency: Dependency = text.parse().unwrap();
    let (known, none) = (BTreeSet::from(["x".parse().unwrap()]), BTreeSet::new());
    let slot = SlotAndSubslot::zero();
    for (installed, satisfied, missing) in [
        (
            "a/a-1 b/b-1 e/e-1 f/f-2",
            "a/a b/b !!<f/f-2 !g/g",
            "e/e[x?]",
        ),
        (
            "a/a-1 c/c-1 g/g-1",
            "a/a !!<f/f-2",
            "|| ( b/b ( c/c d/d ) ) e/e[x?] !g/g",
        ),
        (
            "c/c-1 d/d-1 b/b-3 f/f-1",
            "b/b c/c d/d !g/g",
            "a/a e/e[x?] !!<f/f-2",
        ),
    ] {
        let cpvs: Vec<Cpv> = installed
            .split(' ')
            .map(|cpv| cpv.parse().unwrap())
            .collect();
        let packages: Vec<Candidate<'_>> = cpvs
            .iter()
            .map(|cpv| Candidate {
                cpv,
                slot: &slot,
                repository: None,
                build_id: None,
                use_flags: Some(PackageUse {
                    known: &known,
                    enabled: &none,
                }),
            })
            .collect();
        let all = |_: &UseFlag| true;
        let found = dependency.satisfaction(&packages, &Evaluation::with_flags(&all));
        assert_eq!(joined(&found.satisfied), satisfied, "{installed}");
        assert_eq!(joined(&found.missing), missing, "{installed}");
        assert!(!found.is_complete());
        // Without the flag, the dependant does not want e/e.
        let found = dependency.satisfaction(&packages, &Evaluation::with_flags(&|_| false));
        let missing = missing.replace("e/e[x?]", "").replace("  ", " ");
        assert_eq!(joined(&found.missing), missing.trim(), "{installed}");

        let reached: Vec<&Cpv> = dependency
            .reached(&packages, all)
            .iter()
            .map(|p| p.cpv)
            .collect();
        let blocked: Vec<&Cpv> = dependency
            .blocked(&packages, all)
            .iter()
            .map(|p| p.cpv)
            .collect();
        let expected = |names: &[&str]| {
            let is_one = |cpv: &&Cpv| names.contains(&cpv.category().as_str());
            cpvs.iter().filter(is_one).collect::<Vec<_>>()
        };
        assert_eq!(reached, expected(&["a", "b", "c", "d"]), "{installed}");
        let is_blocked = |cpv: &&Cpv| ["f/f-1", "g/g-1"].contains(&cpv.to_string().as_str());
        assert_eq!(blocked, cpvs.iter().filter(is_blocked).collect::<Vec<_>>());
    }
}

fn joined<T: ToString>(parts: &[T]) -> String {
    parts.iter().map(T::to_string).collect::<Vec<_>>().join(" ")
}

#[test]
fn an_unknown_flag_makes_required_use_an_error() {
    let required: RequiredUse = "a? ( !b ) ?? ( b c )".parse().unwrap();
    let unsatisfied = |enabled: &[&str], known: &[&str]| {
        let enabled = |flag: &UseFlag| enabled.contains(&flag.as_str());
        let evaluation = Evaluation::with_flags(&enabled);
        let found = required.unsatisfied(&evaluation, |flag| known.contains(&flag.as_str()));
        found.map(|parts| joined(&parts))
    };
    let all = ["a", "b", "c"];
    assert_eq!(unsatisfied(&["a"], &all).unwrap(), "");
    assert_eq!(unsatisfied(&["a", "b"], &all).unwrap(), "a? ( !b )");
    assert_eq!(unsatisfied(&["b", "c"], &all).unwrap(), "?? ( b c )");
    let error = unsatisfied(&[], &["a", "b"]).unwrap_err();
    assert_eq!(error.to_string(), "the USE flag c is not in IUSE");
}

fn trees() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec!["a/a", "!b/b", ">=c/c-1:0/2=", "d/d[x?,-y(+)]"])
        .prop_map(String::from);
    leaf.prop_recursive(5, 40, 4, |inner| {
        let kind = prop::sample::select(vec!["", "|| ", "a? ", "!b? "]);
        (kind, prop::collection::vec(inner, 1..4))
            .prop_map(|(kind, parts)| format!("{kind}( {} )", parts.join(" ")))
    })
}

proptest! {
    #[test]
    fn printing_and_parsing_are_inverse(text in trees()) {
        let parsed: Dependency = text.parse().unwrap();
        let printed = parsed.to_string();
        prop_assert_eq!(printed.parse::<Dependency>().unwrap(), parsed);
        prop_assert_eq!(
            printed.split_whitespace().collect::<Vec<_>>(),
            text.split_whitespace().collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_string_is_satisfied_when_it_is_so_reduced(
        text in trees(),
        flags in prop::collection::btree_set(prop::sample::select(vec!["a", "b", "x"]), 0..3),
        installed in prop::collection::btree_set(
            prop::sample::select(vec!["a/a-1", "b/b-1", "c/c-1", "d/d-1"]), 0..4,
        ),
        eapi in prop::sample::select(vec!["6", "8"]),
    ) {
        let dependency: Dependency = text.parse().unwrap();
        let cpvs: Vec<Cpv> = installed.iter().map(|cpv| cpv.parse().unwrap()).collect();
        let slot: SlotAndSubslot = "0/2".parse().unwrap();
        let packages: Vec<Candidate<'_>> = cpvs
            .iter()
            .map(|cpv| Candidate { cpv, slot: &slot, repository: None, build_id: None, use_flags: None })
            .collect();
        let enabled = |flag: &UseFlag| flags.contains(flag.as_str());
        let evaluation = Evaluation {
            empty_any_of: EmptyAnyOf::of_eapi(eapi),
            ..Evaluation::with_flags(&enabled)
        };
        let holds = |atom: &Atom| {
            packages.iter().any(|package| atom.matches(package)) != atom.blocker().is_some()
        };
        let found = dependency.satisfaction(&packages, &evaluation);
        let reduced = dependency.reduce(&evaluation);
        prop_assert_eq!(found.is_complete(), reduced.iter().all(|part| part.is_satisfied(&holds)));
        prop_assert!(found.satisfied.iter().all(|atom| holds(atom)));
    }

    #[test]
    fn no_text_panics(text in "([()|?!a-b/ ]|\\|\\| |\\( ){0,40}") {
        let _ = text.parse::<Dependency>();
    }
}
