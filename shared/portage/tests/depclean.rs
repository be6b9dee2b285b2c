//! What real runs of `emerge --depclean` printed.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use gentoo_updater_portage::depclean::{
    Depclean, DepcleanError, Parent, Stream, Summary, Verbosity, parse,
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/depclean")
}

fn recording(name: &str) -> (String, String, i32) {
    let read = |extension| fs::read_to_string(folder().join(format!("{name}.{extension}")));
    let status = read("rc").unwrap().trim().parse().unwrap();
    // The recorder wrote no file where stderr stayed empty.
    (
        read("out").unwrap(),
        read("err").unwrap_or_default(),
        status,
    )
}

fn parsed(name: &str, verbosity: Verbosity) -> Result<Depclean, DepcleanError> {
    let (stdout, stderr, status) = recording(name);
    parse(&stdout, &stderr, status, verbosity)
}

/// `-removed (protected|omitted) +kept (needs by parent) ?not-installed`, and the numbers.
fn describe(result: &Depclean) -> String {
    let mut parts: Vec<String> = result.removed.iter().map(|cpv| format!("-{cpv}")).collect();
    for block in &result.blocks {
        for (mark, versions) in [("!", &block.protected), ("=", &block.omitted)] {
            let versions = versions.iter();
            parts.extend(versions.map(|version| format!("{mark}{}-{version}", block.package)));
        }
    }
    for kept in &result.kept {
        let by = kept.reasons.iter().map(|reason| {
            let needs: BTreeSet<String> = reason.needs.iter().map(ToString::to_string).collect();
            let needs: Vec<String> = needs.into_iter().collect();
            format!("{} by {}", needs.join(", "), reason.parent)
        });
        let by: Vec<String> = by.collect();
        parts.push(format!("+{} ({})", kept.cpv, by.join("; ")));
    }
    parts.extend(result.not_installed.iter().map(|atom| format!("?{atom}")));
    if let Some(summary) = result.summary {
        let Summary {
            installed,
            world,
            system,
            profile,
            required,
            removed,
            pretended,
        } = summary;
        let verb = if pretended { "to remove" } else { "removed" };
        let profile = profile.map_or_else(String::new, |number| format!(" profile {number}"));
        parts.push(format!(
            "[{installed} installed, {world} world {system} system{profile}, {required} required, \
             {removed} {verb}]"
        ));
    }
    parts.join(" ")
}

/// Every recording, with what it says.
const RECORDINGS: &[(&str, Verbosity, &str)] = &[
    (
        "after-update",
        Verbosity::Normal,
        "-dev-libs/slotted-1.0 =dev-libs/slotted-2.0 \
         [23 installed, 14 world 1 system, 23 required, 1 removed]",
    ),
    (
        "after-update-pretend",
        Verbosity::Normal,
        "-dev-libs/slotted-1.0 =dev-libs/slotted-2.0 \
         [24 installed, 14 world 1 system, 23 required, 1 to remove]",
    ),
    (
        "after-update-quiet-pretend",
        Verbosity::Quiet,
        "-dev-libs/slotted-1.0 =dev-libs/slotted-2.0 \
         [24 installed, 14 world 1 system, 23 required, 1 to remove]",
    ),
    (
        "countdown",
        Verbosity::Normal,
        "-app-misc/rebuildme-1.0 [17 installed, 8 world 1 system, 17 required, 1 removed]",
    ),
    (
        "e-depclean-p",
        Verbosity::Normal,
        "-app-misc/oldblocked-1.0 -app-misc/newdep-1.0 \
         [22 installed, 13 world 1 system, 20 required, 2 to remove]",
    ),
    (
        "e2-depclean-p-cpv",
        Verbosity::Normal,
        "[22 installed, 13 world 1 system, 22 required, 0 to remove]",
    ),
    (
        "e3-depclean-cpv",
        Verbosity::Normal,
        "-app-misc/oldblocked-1.0 [21 installed, 13 world 1 system, 21 required, 1 removed]",
    ),
    ("e4-depclean-needed", Verbosity::Normal, ""),
    (
        "e5-depclean-notinstalled",
        Verbosity::Normal,
        "?=app-misc/oldblocked-1.0",
    ),
    (
        "e6-depclean-quiet-p",
        Verbosity::Quiet,
        "-app-misc/newdep-1.0 [21 installed, 13 world 1 system, 20 required, 1 to remove]",
    ),
    (
        "exclude",
        Verbosity::Normal,
        "-app-misc/postfail-1.0 +app-misc/newdep-1.0 (=app-misc/newdep-1.0 by @__excluded__; \
         app-misc/newdep by app-misc/greeter-2.0) \
         [17 installed, 7 world 1 system, 16 required, 1 to remove]",
    ),
    (
        "global-pretend",
        Verbosity::Normal,
        "[20 installed, 14 world 1 system, 20 required, 0 to remove]",
    ),
    ("global-pretend-quiet", Verbosity::Quiet, ""),
    (
        "n-depclean-tinyd",
        Verbosity::Normal,
        "-www-servers/tinyd-2.0 [19 installed, 12 world 1 system, 19 required, 1 removed]",
    ),
    (
        "needed-pretend-verbose",
        Verbosity::Normal,
        "-app-misc/hello-1.0 +dev-libs/libalpha-1.0 \
         (dev-libs/libalpha:0/1=, dev-libs/libalpha:= by dev-libs/libbeta-1.0) \
         [20 installed, 14 world 1 system, 19 required, 1 to remove]",
    ),
    (
        "needed-verbose",
        Verbosity::Normal,
        "+dev-libs/libalpha-1.0 \
         (dev-libs/libalpha:0/1=, dev-libs/libalpha:= by app-misc/hello-1.0; \
         dev-libs/libalpha:0/1=, dev-libs/libalpha:= by dev-libs/libbeta-1.0)",
    ),
    ("none-quiet", Verbosity::Quiet, ""),
    (
        "p4-guest-depclean",
        Verbosity::Quiet,
        "-dev-libs/slotted-1.0 =dev-libs/slotted-2.0 \
         [21 installed, 13 world 1 system, 20 required, 1 to remove]",
    ),
    (
        "several-real",
        Verbosity::Normal,
        "-app-misc/leaner-1.0 -app-misc/downgraded-1.0 -app-misc/failer-1.0 \
         [17 installed, 10 world 1 system, 17 required, 3 removed]",
    ),
    (
        "several-real-quiet",
        Verbosity::Quiet,
        "-app-misc/bigdata-2.0 -app-misc/gone-1.0 \
         [20 installed, 13 world 1 system, 20 required, 2 removed]",
    ),
    (
        "two-arguments-one-missing",
        Verbosity::Normal,
        "+dev-libs/libalpha-1.0 \
         (dev-libs/libalpha:0/1=, dev-libs/libalpha:= by app-misc/hello-1.0; \
         dev-libs/libalpha:0/1=, dev-libs/libalpha:= by dev-libs/libbeta-1.0) \
         ?app-misc/doesnotexist [20 installed, 14 world 1 system, 20 required, 0 to remove]",
    ),
];

/// Recordings that have tests of their own.
const OTHERS: &[&str] = &[
    "after-update-verbose-pretend",
    "global-pretend-verbose",
    "missing-dependency",
    "missing-dependency-quiet",
    "set-error",
];

#[test]
fn every_recording_says_what_it_says() {
    let mut names: BTreeSet<String> = BTreeSet::new();
    for (name, verbosity, expected) in RECORDINGS {
        assert_eq!(
            describe(&parsed(name, *verbosity).unwrap()),
            *expected,
            "{name}"
        );
        names.insert((*name).to_owned());
    }
    names.extend(OTHERS.iter().map(|name| (*name).to_owned()));
    let files = fs::read_dir(folder()).unwrap();
    let recorded: BTreeSet<String> = files
        .map(|file| file.unwrap().path())
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(recorded, names);
}

#[test]
fn what_keeps_every_package_is_told() {
    let result = parsed("global-pretend-verbose", Verbosity::Normal).unwrap();
    assert_eq!(result.kept.len(), 20);
    assert_eq!(result.summary.unwrap().required, 20);
    assert!(result.removed.is_empty());
    let sets = result.kept.iter().flat_map(|kept| &kept.reasons);
    let selected = sets.filter(|reason| reason.parent == Parent::Set("selected".to_owned()));
    assert_eq!(selected.count(), 14);
    let after = parsed("after-update-verbose-pretend", Verbosity::Normal).unwrap();
    assert_eq!(after.kept.len(), 23);
    assert_eq!(after.summary.unwrap().required, 23);
    assert_eq!(after.removed.len(), 1);
}

#[test]
fn a_refusal_names_what_is_missing() {
    for (name, verbosity) in [
        ("missing-dependency", Verbosity::Normal),
        ("missing-dependency-quiet", Verbosity::Quiet),
    ] {
        let Err(DepcleanError::Unresolved(missing)) = parsed(name, verbosity) else {
            panic!("{name} is no refusal")
        };
        assert_eq!(missing.len(), 1);
        assert_eq!(missing[0].need.to_string(), "dev-libs/libgamma");
        assert_eq!(missing[0].parent.to_string(), "www-servers/tinyd-2.0");
        let (stdout, stderr, status) = recording(name);
        let garbled = stderr.replace("pulled in by", "wanted by");
        assert!(matches!(
            parse(&stdout, &garbled, status, verbosity),
            Err(DepcleanError::Line {
                stream: Stream::Stderr,
                ..
            })
        ));
        let evaluated = stderr.replace("dev-libs/libgamma ", "dev-libs/x[a?] (dev-libs/x[a]) ");
        let error = parse(&stdout, &evaluated, status, verbosity).unwrap_err();
        assert!(
            error.to_string().contains(": dev-libs/x[a] of www"),
            "{error}"
        );
    }
    let error = parsed("set-error", Verbosity::Normal).unwrap_err();
    assert!(
        error.to_string().contains("set named 'nosuchset'"),
        "{error}"
    );
}

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

/// As `_unmerge_display` of Portage writes them, in no recording.
#[test]
fn several_versions_are_divided() {
    let numbers = "Packages installed:   9\nPackages in world:    1\nPackages in system:   2\n\
                   Packages in profile:  3\nRequired packages:    4\nNumber to remove:     2\n";
    for (rows, expected) in [
        ("a/b: 1 2 none none \n", "-a/b-1 -a/b-2"),
        ("a/b: 1 2 none 3 4 \n", "-a/b-1 -a/b-2 =a/b-3 =a/b-4"),
        ("a/b: 1 2 3 none \n", "-a/b-1 -a/b-2 !a/b-3"),
        (
            " a/b\n    selected: 1 2 \n   protected: 3 \n     omitted: 4 5 \n",
            "-a/b-1 -a/b-2 !a/b-3 =a/b-4 =a/b-5",
        ),
    ] {
        // Without equals signs before 2.2.12.
        let text = format!("{rows}\nAll selected packages: a/b-1 a/b-2\n{numbers}");
        let result = parse(&text, "", 0, Verbosity::Quiet).unwrap();
        let expected = format!(
            "{expected} [9 installed, 1 world 2 system profile 3, 4 required, 2 to remove]"
        );
        assert_eq!(describe(&result), expected);
    }
    // Three lists of which none is empty cannot be divided.
    let text = format!("a/b: 1 2 3 4 \n\nAll selected packages: a/b-1 a/b-2\n{numbers}");
    let error = parse(&text, "", 0, Verbosity::Quiet).unwrap_err();
    assert!(
        matches!(error, DepcleanError::Line { number: 1, .. }),
        "{error}"
    );
}

/// In the words of `_calc_depclean` in `_emerge/actions.py`, in no recording.
#[test]
fn libraries_and_cycles_are_reasons_too() {
    let stdout = "\nCalculating dependencies ... done!\n  a/b-1 is only required by packages that \
                  it requires\n  itself. Pass all of them at once in order to remove them:\n    \
                  emerge --depclean =a/b-1 =a/c-1\n\n>>> No packages selected for removal by \
                  depclean\n";
    let stderr = " * Broken soname dependencies found:\n * \n *   x86_64: libq.so.1 required by:\n\
                  \u{20}*     a/q-1\n * \n\
                  \u{20}* In order to avoid breakage of link level dependencies, one or more \
                  packages\n * will not be removed.\n * \n *   a/z-1 pulled in by:\n *     a/y-1 \
                  needs libz.so.1, libz.so.2\n *     a/x-1 needs libz.so.1\n * \n";
    let result = parse(stdout, stderr, 1, Verbosity::Normal).unwrap();
    assert_eq!(
        describe(&result),
        "+a/z-1 (libz.so.1, libz.so.2 by a/y-1; libz.so.1 by a/x-1)"
    );
    assert_eq!(result.cycles[0].members.len(), 2);
    let broken = &result.broken_libraries[0];
    assert_eq!(broken.cpv.to_string(), "a/q-1");
    assert_eq!(broken.reasons[0].needs[0].to_string(), "x86_64: libq.so.1");
    for (from, to) in [
        (" needs libz", " wants libz"),
        ("a/z-1 pulled", "a/z pulled"),
    ] {
        let garbled = stderr.replacen(from, to, 1);
        assert!(
            parse(stdout, &garbled, 1, Verbosity::Normal).is_err(),
            "{from}"
        );
    }
    let garbled = stdout.replace("=a/c-1", "a/c-1");
    assert!(parse(&garbled, stderr, 1, Verbosity::Normal).is_err());
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
