//! Outputs that are cut, damaged, or contradict themselves.

use crate::recorded::RECORDINGS;
use crate::*;

#[test]
fn an_output_that_is_cut_is_an_error_wherever_it_is_cut() {
    for (name, _, expected) in RECORDINGS {
        if !expected.ends_with(']') {
            continue;
        }
        let (stdout, stderr, status) = recording(name);
        let number = stdout.find("Number ").unwrap();
        let end = number + stdout[number..].find('\n').unwrap();
        for length in 0..end {
            // The digits of a number are no end.
            if stdout.as_bytes()[length - usize::from(length > 0)].is_ascii_digit() {
                continue;
            }
            assert!(
                parse(&stdout[..length], &stderr, status, Verbosity::Normal).is_err(),
                "{name} cut after {length} bytes"
            );
        }
    }
}

#[test]
fn a_line_that_is_lost_or_doubled_is_an_error_or_changes_no_list() {
    for (name, verbosity, _) in RECORDINGS {
        let (stdout, stderr, status) = recording(name);
        let whole = parse(&stdout, &stderr, status, *verbosity).unwrap();
        let lines: Vec<&str> = stdout.split_inclusive('\n').collect();
        for index in 0..lines.len() {
            let lost = [&lines[..index], &lines[index + 1..]].concat().concat();
            let doubled = [&lines[..=index], &lines[index..]].concat().concat();
            for changed in [lost, doubled] {
                let Ok(result) = parse(&changed, &stderr, status, *verbosity) else {
                    continue;
                };
                let line = lines[index];
                assert_eq!(result.removed, whole.removed, "{name}: {line}");
                // One of two reasons can go unseen; a package cannot.
                let is_reason = line.starts_with("    ");
                assert!(
                    is_reason || line.ends_with("pulled in by:\n") || result.kept == whole.kept,
                    "{name}: {line}"
                );
            }
        }
    }
}

#[test]
fn lists_that_do_not_agree_are_an_error() {
    let (stdout, stderr, status) = recording("several-real");
    for (from, to) in [
        ("=app-misc/failer-1.0\n", "\n"),
        ("=app-misc/failer-1.0\n", "=app-misc/failer-1.1\n"),
        ("removed:       3", "removed:       2"),
        (">>> Unmerging (3 of 3) app-misc/failer-1.0...\n", ""),
        (
            "app-misc/failer\n    selected: 1.0",
            "app-misc/failer\n    selected: 1.1",
        ),
    ] {
        assert!(stdout.contains(from), "{from}");
        let changed = stdout.replacen(from, to, 1);
        let error = parse(&changed, &stderr, status, Verbosity::Normal).unwrap_err();
        assert!(
            matches!(error, DepcleanError::Incomplete { .. }),
            "{from}: {error}"
        );
    }
    for (from, to) in [
        ("    selected: 1.0", "    chosen: 1.0"),
        ("     omitted: none", "     omitted: "),
        ("=app-misc/failer-1.0\n", "app-misc\n"),
        ("Required packages:", "Required:"),
        ("(3 of 3) app-misc/failer-1.0...", "(3 of 3) app-misc..."),
    ] {
        assert!(stdout.contains(from), "{from}");
        let changed = stdout.replacen(from, to, 1);
        let error = parse(&changed, &stderr, status, Verbosity::Normal).unwrap_err();
        assert!(
            matches!(error, DepcleanError::Line { .. }),
            "{from}: {error}"
        );
    }
}

#[test]
fn a_run_that_ended_early_names_what_it_began() {
    let (stdout, _, _) = recording("several-real");
    let place = stdout.find(">>> Unmerging (3").unwrap();
    let error = parse(&stdout[..place], "terminated", 143, Verbosity::Normal).unwrap_err();
    let DepcleanError::Failed {
        status,
        words,
        begun,
    } = error
    else {
        panic!("{error}")
    };
    assert_eq!(
        (status, words.as_str(), begun.len()),
        (143, "terminated", 2)
    );
}

#[test]
fn silence_is_understood_only_when_it_was_asked_for() {
    for status in [0, 1] {
        assert!(parse("", "", status, Verbosity::Quiet).is_ok());
        assert!(parse("", "", status, Verbosity::Normal).is_err());
        assert!(parse("", "trouble\n", status, Verbosity::Quiet).is_err());
    }
}

proptest::proptest! {
    #[test]
    fn no_text_panics(
        text in "(  a/b-1 pulled in by:|    @x requires a/b| a/b|    selected: |none |1 |a/b: 1 none\
                 |All selected packages: =a/b-1|Packages installed: 1|Number removed: 1|\n| \\* |\\PC){0,40}",
        status in -1..3,
    ) {
        for verbosity in [Verbosity::Normal, Verbosity::Quiet] {
            let _ = parse(&text, "", status, verbosity);
            let _ = parse("", &text, status, verbosity);
        }
    }
}

#[test]
fn an_output_without_its_numbers_is_told_in_words() {
    let (stdout, stderr, status) = recording("several-real");
    let cut = &stdout[..stdout.len() / 2];
    let error = parse(cut, &stderr, status, Verbosity::Normal).unwrap_err();
    let words = error.to_string();
    assert!(
        words.ends_with("and counts none: the output was cut"),
        "{words}"
    );
}
