//! What `portageq envvar -v` printed, whole and damaged.

use gentoo_updater_portage::command::portageq_envvars;
use gentoo_updater_portage::envvar::{EnvvarError, Settings};

/// Printed by Portage 3.0.83.
const NEW: &str = include_str!("../fixtures/envvar/3.0.83.out");
/// As Portage 3.0.61 quotes the same values.
const OLD: &str = include_str!("../fixtures/envvar/3.0.61.out");
const UNSET: &str = include_str!("../fixtures/envvar/3.0.83-unset.out");

const NEW_NAMES: &[&str] = &[
    "CHOST",
    "CFLAGS",
    "USE",
    "FEATURES",
    "LAB_LINES",
    "LAB_QUOTES",
    "LAB_EMPTY",
    "LAB_PLAIN",
    "LAB_UMLAUT",
];
const OLD_NAMES: &[&str] = &[
    "CHOST",
    "CFLAGS",
    "LAB_LINES",
    "LAB_QUOTES",
    "LAB_EMPTY",
    "LAB_PLAIN",
    "LAB_UMLAUT",
];

fn check(settings: &Settings, quotes: &str) {
    assert_eq!(settings.get("CHOST"), Some("x86_64-pc-linux-gnu"));
    assert_eq!(settings.get("CFLAGS"), Some("-O2 -pipe"));
    assert_eq!(settings.get("LAB_LINES"), Some("one\ntwo = 2\n\nfour"));
    assert_eq!(settings.get("LAB_QUOTES"), Some(quotes));
    assert_eq!(settings.get("LAB_EMPTY"), None);
    assert_eq!(settings.get("LAB_PLAIN"), Some("a=b,c:d/e.f+g@h%i-j_k"));
    assert_eq!(settings.get("LAB_UMLAUT"), Some("schön"));
    assert_eq!(settings.get("LAB_NEVER_ASKED_FOR"), None);
    assert!(!settings.some_are_unset());
}

#[test]
fn both_ways_of_quoting_are_read() {
    // make.conf keeps the backslash before a dollar sign.
    let quotes = "it's \"quoted\" \\ and \\$HOME \\`x\\`; (a) #b";
    check(&Settings::parse(NEW, 0, NEW_NAMES).unwrap(), quotes);
    let quotes = "it's \"quoted\" \\ and $HOME `x`; (a) #b";
    check(&Settings::parse(OLD, 0, OLD_NAMES).unwrap(), quotes);
}

#[test]
fn a_variable_that_is_not_set_is_told() {
    let names = ["CHOST", "LAB_NOT_THERE", "LAB_EMPTY"];
    let settings = Settings::parse(UNSET, 1, &names).unwrap();
    assert!(settings.some_are_unset());
    assert_eq!(settings.get("LAB_NOT_THERE"), None);
    assert_eq!(settings.iter().count(), 3);
    assert_eq!(
        Settings::parse("A=b\n", 1, &["A"]),
        Err(EnvvarError::NothingUnset)
    );
}

#[test]
fn an_answer_that_is_cut_is_an_error_wherever_it_is_cut() {
    for (text, names) in [(NEW, NEW_NAMES), (OLD, OLD_NAMES)] {
        for length in 0..text.len() {
            let answer = &text.as_bytes()[..length];
            assert!(Settings::parse(answer, 0, names).is_err(), "{length}");
        }
    }
}

#[test]
fn a_line_that_is_lost_doubled_or_strange_is_an_error() {
    let lines: Vec<&str> = NEW.split_inclusive('\n').collect();
    for (index, line) in lines.iter().enumerate() {
        // Within the value of several lines a loss cannot be seen.
        if !line.contains('=') || line.starts_with("two") {
            continue;
        }
        let lost = [&lines[..index], &lines[index + 1..]].concat().concat();
        assert!(Settings::parse(lost, 0, NEW_NAMES).is_err(), "{line}");
        let doubled = [&lines[..=index], &lines[index..]].concat().concat();
        assert!(Settings::parse(doubled, 0, NEW_NAMES).is_err(), "{line}");
    }
    let error = Settings::parse(format!("noise\n{NEW}"), 0, NEW_NAMES).unwrap_err();
    assert!(
        matches!(error, EnvvarError::Line { number: 1, .. }),
        "{error}"
    );
    let error = Settings::parse(format!("{NEW}noise\n"), 0, NEW_NAMES).unwrap_err();
    assert!(
        matches!(error, EnvvarError::More { number: 13, .. }),
        "{error}"
    );
}

#[test]
fn what_a_shell_would_run_is_no_value() {
    for value in [
        "a b",
        "$HOME",
        "`x`",
        "\"$HOME\"",
        "\"`x`\"",
        "\"\\n\"",
        "a>b",
        "\\a",
        "a\tb",
    ] {
        let text = format!("A={value}\n");
        assert!(Settings::parse(&text, 0, &["A"]).is_err(), "{text}");
    }
}

#[test]
fn what_was_not_answered_is_an_error() {
    let error = Settings::parse("ERROR: insufficient parameters!\n", 2, &["A"]).unwrap_err();
    assert!(error.to_string().contains("insufficient"), "{error}");
    assert!(Settings::parse("", 0, &[""; 0]).is_err());
    assert_eq!(
        Settings::parse("A=b\n", 0, &["A*"]),
        Err(EnvvarError::Name("A*".to_owned()))
    );
    assert_eq!(
        Settings::parse(b"A=b\nB=\xff\n", 0, &["A", "B"]),
        Err(EnvvarError::NotUtf8(2))
    );
}

/// Python's `shlex.quote`.
fn new_quotes(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', "'\"'\"'"))
}

/// `_shell_quote` of Portage before 3.0.67.
fn old_quotes(value: &str) -> String {
    let special = |c: char| c.is_whitespace() || "><=*\\\"'$`;&|(){}[]#!~?".contains(c);
    if !value.contains(special) {
        return value.to_owned();
    }
    let escaped = value.chars().flat_map(|c| {
        let backslash = matches!(c, '\\' | '"' | '$' | '`').then_some('\\');
        backslash.into_iter().chain([c])
    });
    format!("\"{}\"", escaped.collect::<String>())
}

proptest::proptest! {
    #[test]
    fn what_is_quoted_is_read_back(
        first in "([^\r]|['\"\\\\$`\n]){0,20}",
        second in "([^\r]|['\"\\\\$`\n]){0,20}",
    ) {
        for quote in [new_quotes, old_quotes] {
            let text = format!("A={}\nB_2={}\n", quote(&first), quote(&second));
            let settings = Settings::parse(&text, 0, &["A", "B_2"]).unwrap();
            let values: Vec<&str> = settings.iter().map(|(_, value)| value).collect();
            proptest::prop_assert_eq!(values, [&first, &second]);
        }
    }

    #[test]
    fn no_text_panics(text in "(A=|B=|\n|['\"\\\\$`]|\\PC){0,20}", status in -1..3) {
        let _ = Settings::parse(text, status, &["A", "B"]);
    }
}

#[test]
fn the_names_of_the_call_read_its_answer() {
    let names = ["A".parse().unwrap(), "B_2".parse().unwrap()];
    let call = portageq_envvars(&names);
    assert_eq!(call.argv[3..], ["A", "B_2"]);
    let settings = Settings::parse("A=b\nB_2=\n", 0, &names).unwrap();
    assert_eq!(settings.get("A"), Some("b"));
}
