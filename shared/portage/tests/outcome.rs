//! What real runs of emerge became of.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::fs;
use std::path::Path;

use gentoo_updater_portage::outcome::{FailureKind, Outcome, last_lines, parse};

/// Both streams of a recorded run, one behind the other.
fn output(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/outcome");
    let stdout = fs::read_to_string(folder.join(format!("{name}.out"))).unwrap();
    // The recorder wrote no file where stderr stayed empty.
    let stderr = fs::read_to_string(folder.join(format!("{name}.err"))).unwrap_or_default();
    stdout + &stderr
}

fn describe(outcome: &Outcome) -> String {
    let failures = outcome.failures.iter().map(|failure| {
        let repository = failure
            .repository
            .as_ref()
            .map_or("?", |name| name.as_str());
        format!(
            "; {failure} ({repository}, {})",
            failure.log.as_deref().unwrap_or("no log")
        )
    });
    format!("{:?}{}", outcome.kind, failures.collect::<String>())
}

fn check(name: &str, code: i32, expected: &str) {
    assert_eq!(describe(&parse(&output(name), code)), expected, "{name}");
}

const FAILER: &str = "CompileFailure; app-misc/failer-2.0 failed in its compile phase (gentoo, \
                      /var/tmp/portage/app-misc/failer-2.0/temp/build.log)";

#[test]
fn a_compile_failure_names_package_phase_and_log() {
    check("d-B-fail", 1, FAILER);
    check("d3-B-fail-jobs", 1, FAILER);
    check("d4-B-fail-keepgoing", 1, FAILER);
    check(
        "q-postinst-fail-K",
        1,
        "CompileFailure; app-misc/postfail-2.0 failed in its postinst phase (gentoo, \
         /var/tmp/portage/app-misc/postfail-2.0/temp/build.log)",
    );
    check(
        "g-pretend-fail",
        1,
        "CompileFailure; app-misc/pretender-1.0 failed in its pretend phase (gentoo, \
         /var/tmp/portage/app-misc/pretender-1.0/temp/build.log)",
    );
}

#[test]
fn other_causes_are_told_apart() {
    check("c-B-greeter", 0, "None");
    check(
        "d-tmpdir-full",
        1,
        "DiskFull; app-misc/bigdata-2.0 failed in its compile phase (gentoo, \
         /mnt/t/portage/app-misc/bigdata-2.0/temp/build.log)",
    );
    check(
        "h-fetch-restricted-B",
        1,
        "FetchFailure; app-misc/fetchme-1.0 failed (?, \
         /var/tmp/portage/app-misc/fetchme-1.0/temp/build.log)",
    );
    check(
        "i-fetch-fails-B",
        1,
        "FetchFailure; app-misc/fetchable-1.0 failed (?, \
         /var/tmp/portage/app-misc/fetchable-1.0/temp/build.log)",
    );
    check(
        "i-bitflip",
        1,
        "BinaryDamaged; app-misc/slowpoke-2.0 failed (?, \
         /var/tmp/portage/app-misc/slowpoke-2.0/temp/build.log)",
    );
    check(
        "j-file-missing-in-index",
        1,
        "BinaryDamaged; app-misc/slowpoke-2.0 failed (?, \
         /var/tmp/portage/app-misc/slowpoke-2.0/temp/build.log)",
    );
    check("d-K-missing", 1, "BinaryMissing");
    check("e-K-missing-dep", 1, "BinaryMissing");
    check("f-jobs", 1, "MissingDependency");
    check("o5-guest-K-libalpha2-real", 1, "Conflict");
}

#[test]
fn a_file_collision_is_a_conflict() {
    assert_eq!(parse(&output("f-collision"), 1).kind, FailureKind::Conflict);
}

#[test]
fn a_signal_is_no_failure_of_the_package() {
    for code in [-1, 129, 130, 137, 143] {
        assert_eq!(
            parse(&output("c-B-greeter"), code).kind,
            FailureKind::Killed,
            "{code}"
        );
    }
    let words = "c++: fatal error: Killed signal terminated program cc1plus\n";
    let output = format!("{words}{}", output("d-B-fail"));
    assert_eq!(parse(&output, 1).kind, FailureKind::Killed);
    assert_eq!(
        parse("words that say nothing\n", 1).kind,
        FailureKind::Unknown
    );
}

#[test]
fn the_last_lines_hold_what_the_compiler_said() {
    let lines = last_lines(&output("d-B-fail"), 8);
    let expected = [
        "gcc -O2 -pipe  -o failer failer.c",
        "failer.c: In function ‘main’:",
        "failer.c:1:24: error: ‘undeclared_thing’ undeclared (first use in this function)",
        "    1 | int main(void){ return undeclared_thing; }",
        "      |                        ^~~~~~~~~~~~~~~~",
        "failer.c:1:24: note: each undeclared identifier is reported only once for each function \
         it appears in",
        " * ERROR: app-misc/failer-2.0::gentoo failed (compile phase):",
        " *   compile failed",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn lines_are_clean_and_bounded() {
    let log = format!(
        "10%\r20%\r100%\n\u{1b}[31mred\u{1b}[0m\ttab\u{8}\n\n{}\nend\n",
        "x".repeat(5000)
    );
    let lines = last_lines(&log, 10);
    assert_eq!(lines[0], "100%");
    assert_eq!(lines[1], "red tab");
    assert_eq!(lines[2].len(), 400);
    assert_eq!(lines[3], "end");
    assert_eq!(last_lines(&log, 1), ["end"]);
    assert!(last_lines("", 5).is_empty());
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "(\\PC|\n|\r| \\* ERROR: |a/b-1| failed \\(|>>> Failed to emerge ){0,40}", code: i32) {
        let _ = parse(&text, code);
        let _ = last_lines(&text, 5);
    }
}
