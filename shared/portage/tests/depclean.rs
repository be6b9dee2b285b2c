//! What real runs of `emerge --depclean` printed.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::fs;
use std::path::Path;

use gentoo_updater_portage::depclean::{Depclean, DepcleanError, parse};

fn recording(name: &str) -> (String, String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/depclean");
    let stdout = fs::read_to_string(folder.join(format!("{name}.out"))).unwrap();
    // The recorder wrote no file where stderr stayed empty.
    let stderr = fs::read_to_string(folder.join(format!("{name}.err"))).unwrap_or_default();
    (stdout, stderr)
}

fn describe(result: &Depclean) -> String {
    let mut parts: Vec<String> = result.removed.iter().map(|cpv| format!("-{cpv}")).collect();
    for kept in &result.kept {
        let by = kept
            .required_by
            .iter()
            .map(|r| format!("{} by {}", r.atoms, r.parent));
        parts.push(format!(
            "+{} ({})",
            kept.cpv,
            by.collect::<Vec<_>>().join("; ")
        ));
    }
    parts.extend(result.not_installed.iter().map(|atom| format!("?{atom}")));
    parts.join(" ")
}

fn check(name: &str, status: i32, expected: &str) {
    let (stdout, stderr) = recording(name);
    assert_eq!(
        describe(&parse(&stdout, &stderr, status).unwrap()),
        expected,
        "{name}"
    );
}

#[test]
fn what_was_removed_is_listed() {
    check("e3-depclean-cpv", 0, "-app-misc/oldblocked-1.0");
    check("n-depclean-tinyd", 0, "-www-servers/tinyd-2.0");
    check(
        "e-depclean-p",
        0,
        "-app-misc/oldblocked-1.0 -app-misc/newdep-1.0",
    );
}

#[test]
fn what_is_needed_or_not_installed_is_no_failure() {
    check("e2-depclean-p-cpv", 0, "");
    check("e4-depclean-needed", 1, "");
    check("e5-depclean-notinstalled", 1, "?=app-misc/oldblocked-1.0");
}

#[test]
fn a_package_that_stays_names_what_needs_it() {
    // In the words of show_parents in _emerge/actions.py.
    let stdout = "\nCalculating dependencies ... done!\n  dev-libs/libalpha-1.0 pulled in by:\n    \
                  @selected requires dev-libs/libalpha\n    app-misc/hello-1.0 requires \
                  dev-libs/libalpha:0/1=, dev-libs/libalpha:=\n\n>>> No packages selected for \
                  removal by depclean\nNumber removed:       0\n";
    let result = parse(stdout, "", 1).unwrap();
    assert_eq!(
        describe(&result),
        "+dev-libs/libalpha-1.0 (dev-libs/libalpha by @selected; \
         dev-libs/libalpha:0/1=, dev-libs/libalpha:= by app-misc/hello-1.0)"
    );
    let garbled = stdout.replace("@selected requires", "@selected wants");
    assert!(matches!(
        parse(&garbled, "", 1),
        Err(DepcleanError::Line { .. })
    ));
}

#[test]
fn an_output_that_is_cut_is_an_error() {
    let (stdout, stderr) = recording("e3-depclean-cpv");
    let end = stdout.find("Number removed:       1").unwrap() + "Number removed:       1".len();
    for length in 0..end {
        assert!(
            parse(&stdout[..length], &stderr, 0).is_err(),
            "cut after {length} bytes"
        );
    }
    let two = stdout.replace("=app-misc/oldblocked-1.0", "=a/b-1 =c/d-2");
    let error = parse(&two, "", 0).unwrap_err();
    assert_eq!(
        error,
        DepcleanError::Incomplete {
            listed: 2,
            counted: Some(1)
        }
    );
}

#[test]
fn a_failure_keeps_its_words() {
    let stderr = " * Dependencies could not be completely resolved due to\n * the following";
    let error = parse("\nCalculating dependencies ... done!\n", stderr, 1).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("could not be completely resolved"),
        "{error}"
    );
    let (stdout, _) = recording("e3-depclean-cpv");
    assert!(parse(&stdout, "", 143).is_err());
}
