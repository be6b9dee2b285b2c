//! What real runs of emerge became of.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use gentoo_updater_portage::outcome::{FailureKind, Outcome, last_lines, parse};

/// Every recording with emerge's exit code, the kind, and for each package that failed its own
/// kind, its repository, the phase and the message.
#[rustfmt::skip]
const RECORDINGS: &[(&str, i32, &str)] = &[
    ("a-sync", 0, "None"),
    ("a2-sync-quiet", 0, "None"),
    ("b-o-oneshot-buildpkg", 0, "None"),
    ("c-B-greeter", 0, "None"),
    ("c-K-1-bigdata", 0, "None"),
    ("c-builder-world", 0, "None"),
    ("c2-B-again", 0, "None"),
    ("d-B-fail", 1, "CompileFailure; CompileFailure app-misc/failer-2.0::gentoo (compile): compile failed"),
    ("d-K-missing", 1, "BinaryMissing"),
    ("d-tmpdir-full", 1, "DiskFull; DiskFull app-misc/bigdata-2.0::gentoo (compile): -"),
    ("d2-B-fail-quietbuild", 1, "CompileFailure; CompileFailure app-misc/failer-2.0::gentoo (compile): compile failed"),
    ("d2-K-missing-quiet", 1, "BinaryMissing"),
    ("d3-B-fail-jobs", 1, "CompileFailure; CompileFailure app-misc/failer-2.0::gentoo (compile): compile failed"),
    ("d4-B-fail-keepgoing", 1, "CompileFailure; CompileFailure app-misc/failer-2.0::gentoo (compile): compile failed"),
    ("e-K-missing-dep", 1, "BinaryMissing"),
    ("f-collision", 1, "Conflict; Conflict app-misc/collide-b-1.0::? (-): -"),
    ("f-jobs", 1, "MissingDependency"),
    ("g-K-use-mismatch", 0, "None"),
    ("g-o-hello", 0, "None"),
    ("g-pretend-fail", 1, "CompileFailure; CompileFailure app-misc/pretender-1.0::gentoo (pretend): pretender: this machine lacks /etc/portage/pretender.ok"),
    ("g2-B-hello-oldsubslot", 0, "None"),
    ("h-fetch-restricted-B", 1, "FetchFailure; FetchFailure app-misc/fetchme-1.0::? (-): -"),
    ("h-jobs", 0, "None"),
    ("h1-truncated-again", 1, "BinaryDamaged; BinaryDamaged app-misc/slowpoke-2.0::? (-): -"),
    ("h2-quiet-build", 0, "None"),
    ("i-B-gpkg-multi-1", 0, "None"),
    ("i-B-gpkg-multi-2", 0, "None"),
    ("i-B-gpkg-single-1", 0, "None"),
    ("i-B-gpkg-single-2", 0, "None"),
    ("i-B-xpak-multi-1", 0, "None"),
    ("i-B-xpak-multi-2", 0, "None"),
    ("i-B-xpak-single-1", 0, "None"),
    ("i-B-xpak-single-2", 0, "None"),
    ("i-bitflip", 1, "BinaryDamaged; BinaryDamaged app-misc/slowpoke-2.0::? (-): -"),
    ("i-fetch-fails-B", 1, "FetchFailure; FetchFailure app-misc/fetchable-1.0::? (-): -"),
    ("j-builder-full-update", 0, "None"),
    ("j-file-missing-in-index", 1, "BinaryDamaged; BinaryDamaged app-misc/slowpoke-2.0::? (-): -"),
    ("l3-ro-pkgdir-install", 0, "None"),
    ("lab-bigopt", 1, "DiskFull; DiskFull app-misc/bigopt-1.0::? (-): -"),
    ("lab-checkreqs", 1, "DiskFull; DiskFull app-misc/checkreqs-1.0::local (pretend): Build requirements not met!"),
    ("lab-digest", 1, "FetchFailure; FetchFailure app-misc/digest-1.0::? (-): -"),
    ("lab-earlyexit", 1, "CompileFailure; CompileFailure app-misc/earlyexit-1.0::? (compile): -"),
    ("lab-gitfetch", 1, "FetchFailure; FetchFailure app-misc/gitfetch-1.0::local (unpack): Unable to fetch from any of EGIT_REPO_URI"),
    ("lab-jobs-keep-going", 1, "CompileFailure; CompileFailure app-misc/failer-2.0::gentoo (compile): compile failed"),
    ("lab-jobs-signal-TERM", 143, "Killed"),
    ("lab-nodep", 1, "MissingDependency"),
    ("lab-oom", 1, "Killed; Killed app-misc/oom-1.0::local (compile): emake failed"),
    ("lab-phasekilled", 1, "Killed; Killed app-misc/phasekilled-1.0::? (compile): -"),
    ("lab-resume", 0, "None"),
    ("lab-several-jobs", 1, "CompileFailure; CompileFailure app-misc/talkfail-1.0::local (compile): emake failed; CompileFailure app-misc/oom-1.0::local (compile): emake failed"),
    ("lab-signal-INT", 130, "Killed"),
    ("lab-signal-KILL", 137, "Killed"),
    ("lab-signal-TERM", 143, "Killed"),
    ("lab-talker", 0, "None"),
    ("lab-talkfail", 1, "CompileFailure; CompileFailure app-misc/talkfail-1.0::local (compile): emake failed"),
    ("lab-testfail", 1, "CompileFailure; CompileFailure app-misc/testfail-1.0::local (test): tests failed"),
    ("lab-two-at-once", 0, "None"),
    ("lab-unmasked", 1, "Masked"),
    ("lab-usepkg", 0, "None"),
    ("m-K-tinyd", 0, "None"),
    ("o-B-libalpha2", 0, "None"),
    ("o5-guest-K-libalpha2-real", 1, "Conflict"),
    ("p2-guest-full", 0, "None"),
    ("q-postinst-fail-K", 1, "CompileFailure; CompileFailure app-misc/postfail-2.0::gentoo (postinst): postfail: pkg_postinst fails on purpose"),
    ("seed-oldblocked", 0, "None"),
    ("lab-unsigned", 1, "SignatureRefused; SignatureRefused dev-libs/tinyhdr-1.0::? (-): -"),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/outcome")
}

/// Both streams of a recorded run, one behind the other.
fn output(name: &str) -> String {
    let stdout = fs::read_to_string(folder().join(format!("{name}.out"))).unwrap();
    // The recorder wrote no file where stderr stayed empty.
    let stderr = fs::read_to_string(folder().join(format!("{name}.err"))).unwrap_or_default();
    stdout + &stderr
}

fn describe(outcome: &Outcome) -> String {
    let failures = outcome.failures.iter().map(|failure| {
        let repository = failure.repository.as_ref();
        format!(
            "; {:?} {}::{} ({}): {}",
            failure.kind,
            failure.cpv,
            repository.map_or("?", |name| name.as_str()),
            failure.phase.as_deref().unwrap_or("-"),
            failure.message.as_deref().unwrap_or("-"),
        )
    });
    format!("{:?}{}", outcome.kind, failures.collect::<String>())
}

#[test]
fn every_recording_has_its_outcome() {
    for (name, code, expected) in RECORDINGS {
        let output = output(name);
        assert_eq!(describe(&parse(&output, *code)), *expected, "{name}");
        // The streams can come in the other order, or in colour.
        let turned = fs::read_to_string(folder().join(format!("{name}.err"))).unwrap_or_default()
            + &fs::read_to_string(folder().join(format!("{name}.out"))).unwrap();
        assert_eq!(describe(&parse(&turned, *code)), *expected, "{name}");
        let coloured = output.replace(" * ", "\u{1b}[31;01m * \u{1b}[39;49;00m");
        assert_eq!(describe(&parse(&coloured, *code)), *expected, "{name}");
    }
    let names: BTreeSet<String> = RECORDINGS.iter().map(|row| row.0.to_owned()).collect();
    let files = fs::read_dir(folder()).unwrap();
    let recorded: BTreeSet<String> = files
        .map(|file| file.unwrap().path())
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(recorded, names);
}

#[test]
fn a_failure_names_its_log() {
    for (name, code, _) in RECORDINGS {
        for failure in parse(&output(name), *code).failures {
            let log = failure.log.unwrap();
            let end = format!("/portage/{}/temp/build.log", failure.cpv);
            assert!(log.ends_with(&end), "{name}: {log}");
        }
    }
}

#[test]
fn no_words_are_a_cause_in_a_run_that_ended_well() {
    let talker = output("lab-talker");
    assert!(talker.contains("No space left on device"));
    for (name, _, _) in RECORDINGS {
        let outcome = parse(&format!("{talker}{}", output(name)), 0);
        assert_eq!(outcome.kind, FailureKind::None);
        assert!(outcome.failures.is_empty(), "{name}");
    }
}

#[test]
fn words_that_a_package_says_before_it_fails_for_another_reason_are_no_cause() {
    let with = |words: &str| {
        let output = output("d-B-fail");
        let place = output.find("gcc -O2").unwrap();
        format!("{}{words}\n{}", &output[..place], &output[place..])
    };
    for words in [
        "write: No space left on device",
        "c++: fatal error: Killed signal terminated program cc1plus",
        "!!! Couldn't download 'x'. Aborting.",
        "emerge: there are no ebuilds to satisfy \"a/b\".",
        "!!! One of the following masked packages is required to complete your request:",
        " * ERROR: dev-libs/other-1.0::gentoo failed (compile phase):",
        " * Error: circular dependencies:",
    ] {
        let outcome = parse(&with(words), 1);
        assert_eq!(outcome.kind, FailureKind::CompileFailure, "{words}");
        assert_eq!(outcome.failures.len(), 1, "{words}");
    }
}

#[test]
fn the_last_words_before_a_failure_are_its_cause() {
    let with = |words: &str| {
        let text = output("lab-testfail");
        parse(&text.replace("FAIL: test 3", words), 1).kind
    };
    for words in [
        "cp: error writing '/x': No space left on device",
        "OSError: [Errno 28] No space left on device: '/x'",
        "error: could not write: No space left on device (os error 28)",
        "tar: x: Cannot write: Disk quota exceeded",
    ] {
        assert_eq!(with(words), FailureKind::DiskFull, "{words}");
    }
    for words in [
        "c++: fatal error: Killed signal terminated program cc1plus",
        "collect2: fatal error: ld terminated with signal 9 [Killed]",
        "make: *** [Makefile:5: main.o] Killed",
        "  process didn't exit successfully: `rustc` (signal: 9, SIGKILL: kill)",
        "fork: retry: Cannot allocate memory",
        " * The ebuild phase 'test' has been killed by signal 9.",
        "/x/environment: line 197: 13796 Killed                  bash -c x",
    ] {
        assert_eq!(with(words), FailureKind::Killed, "{words}");
    }
    for words in [
        "checking for No space left on device... ok",
        "No space left on device is what this test is about",
        "testing: No space left on device handling",
        "line 3: 12 Killed bugs",
        "Killed",
        "PASS: no space left",
    ] {
        assert_eq!(with(words), FailureKind::CompileFailure, "{words}");
    }
}

#[test]
fn a_signal_is_no_failure_of_the_package() {
    for code in [-1, 129, 130, 137, 143] {
        let kind = parse(&output("c-B-greeter"), code).kind;
        assert_eq!(kind, FailureKind::Killed, "{code}");
        let full = parse(&output("d-tmpdir-full"), code);
        assert_eq!(full.kind, FailureKind::DiskFull, "{code}");
    }
    assert_eq!(
        parse("\n\nExiting on signal 15\n", 1).kind,
        FailureKind::Killed
    );
    assert_eq!(
        parse("words that say nothing\n", 1).kind,
        FailureKind::Unknown
    );
}

/// In the words of Portage 2.1.6 and 2.1.9.
#[test]
fn an_error_without_repository_and_phase_is_one() {
    for text in [
        " * ERROR: app-misc/old-1.0 failed.\n * Call stack:\n",
        " * ERROR: app-misc/old-1.0 failed:\n *   emake failed\n",
    ] {
        let outcome = parse(text, 1);
        assert_eq!(outcome.failures.len(), 1);
        assert_eq!(outcome.failures[0].phase, None);
        assert_eq!(outcome.failures[0].repository, None);
    }
    for text in [
        " * ERROR: app-misc/old failed.\n",
        " * ERROR: app-misc/old-1.0 failed (Compile phase):\n",
        " * ERROR: app-misc/old-1.0 failed miserably\n",
    ] {
        assert!(parse(text, 1).failures.is_empty(), "{text}");
    }
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
fn the_last_lines_are_those_of_the_package_that_failed() {
    let lines = last_lines(&output("lab-talkfail"), 3);
    assert_eq!(lines[0], "make: *** [Makefile:5: main.o] Error 1");
    assert_eq!(lines[2], " *   emake failed");
    let lines = last_lines(&output("i-bitflip"), 5);
    assert!(lines[4].starts_with(">>> Failed to emerge app-misc/slowpoke-2.0"));
    assert!(lines.iter().any(|line| line.starts_with("!!! Expected: ")));
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
    fn no_text_panics(
        text in "(\\PC|\n|\r| \\* ERROR: |a/b-1| failed \\(|>>> Failed to emerge | \\* \\(a/b-1:0, x scheduled for                  |: No space left on device|: line 3: 4 Killed|: error: |\\* The ebuild phase '){0,40}",
        code: i32,
    ) {
        let _ = parse(&text, code);
        let _ = last_lines(&text, 5);
    }
}
