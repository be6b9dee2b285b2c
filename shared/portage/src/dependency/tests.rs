use super::*;
use proptest::prelude::*;

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
    fn no_text_panics(text in "([()|?!a-b/ ]|\\|\\| |\\( ){0,40}") {
        let _ = text.parse::<Dependency>();
    }
}
