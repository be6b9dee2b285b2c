//! Which lines of a log say why a build failed: on recordings of real runs, and on logs in the forms
//! of many compilers and build systems.

use std::path::Path;

use gentoo_updater_portage::outcome::{decisive_line, decisive_lines, last_lines};

fn recording(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/outcome");
    std::fs::read_to_string(folder.join(format!("{name}.out"))).unwrap()
}

#[test]
fn what_a_compiler_said_in_a_real_run_is_found() {
    let gcc = "failer.c:1:24: error: ‘undeclared_thing’ undeclared (first use in this function)";
    for (name, expected) in [
        ("d-B-fail", Some(gcc)),
        ("d2-B-fail-quietbuild", Some(gcc)),
        ("d3-B-fail-jobs", Some(gcc)),
        // The log of one that says nothing that anybody knows: the last lines are all there is.
        ("g-pretend-fail", None),
        ("f-collision", None),
    ] {
        let log = recording(name);
        assert_eq!(decisive_line(&log).as_deref(), expected, "{name}");
        let lines = decisive_lines(&log, 25);
        match expected {
            Some(line) => {
                assert!(
                    lines.iter().any(|found| found == line),
                    "{name}: {lines:#?}"
                );
                let last = lines.last().unwrap();
                assert!(last.contains("compile failed"), "{name}: {last}");
            }
            None => assert_eq!(lines, last_lines(&log, 25), "{name}"),
        }
    }
}

#[test]
fn a_disk_that_is_full_is_named_by_whoever_noticed_it_first() {
    let line = decisive_line(&recording("d-tmpdir-full")).unwrap();
    assert!(line.contains("No space left on device"), "{line}");
}

/// A log as a long build leaves it: this in the middle, hundreds of lines of what runs beside it
/// before and behind, and Portage's words at the end.
fn log(failure: &str, noise: usize) -> String {
    let mut log = String::from(
        ">>> Emerging (1 of 1) dev-libs/other-1.0::gentoo\nother.c:1:1: error: of another package\n\
         >>> Emerging (1 of 1) app-misc/pkg-1.0::gentoo\n>>> Compiling source in /work ...\n\
         checking for error: recoverable... no\n",
    );
    let compile = |log: &mut String, part: &str| {
        for number in 0..noise {
            log.push_str(&format!(
                "gcc -O2 -c -o {part}{number}.o {part}{number}.c\n"
            ));
        }
    };
    compile(&mut log, "before");
    log.push_str(failure.trim_matches('\n'));
    log.push('\n');
    compile(&mut log, "behind");
    log.push_str(
        " * ERROR: app-misc/pkg-1.0::gentoo failed (compile phase):\n *   emake failed\n * \n * Call \
         stack:\n *   ebuild.sh, line 143:  Called src_compile\n\n>>> Failed to emerge \
         app-misc/pkg-1.0, Log file:\n",
    );
    log
}

/// The failure, and the line of it that counts.
const FAILURES: &[(&str, &str, &str)] = &[
    (
        "gcc",
        "main.c: In function 'main':\nmain.c:7:12: error: 'undeclared_thing' undeclared (first use in \
         this function)\n    7 |     return undeclared_thing;\n      |            ^~~~~~~~\nmake[2]: *** \
         [Makefile:12: main.o] Error 1\nmake[1]: *** [Makefile:5: all] Error 2",
        "main.c:7:12: error: 'undeclared_thing' undeclared (first use in this function)",
    ),
    (
        "gcc, a header",
        "In file included from a.c:1:\na.h:3:10: fatal error: missing.h: No such file or directory\n    3 \
         | #include <missing.h>\ncompilation terminated.\nmake: *** [Makefile:2: a.o] Error 1",
        "a.h:3:10: fatal error: missing.h: No such file or directory",
    ),
    (
        "clang",
        "src/a.cc:10:3: error: use of undeclared identifier 'foo'\n  foo();\n  ^\n1 error \
         generated.\ngmake: *** [a.o] Error 1",
        "src/a.cc:10:3: error: use of undeclared identifier 'foo'",
    ),
    (
        "a linker",
        "/usr/bin/ld: main.o: in function `main':\nmain.c:(.text+0x5): undefined reference to \
         `alpha_new'\ncollect2: error: ld returned 1 exit status\nmake: *** [Makefile:9: prog] Error 1",
        "main.c:(.text+0x5): undefined reference to `alpha_new'",
    ),
    (
        "a library that is not there",
        "/usr/bin/ld: cannot find -lalpha: No such file or directory\ncollect2: error: ld returned 1 \
         exit status\nmake: *** [prog] Error 1",
        "/usr/bin/ld: cannot find -lalpha: No such file or directory",
    ),
    (
        "lld",
        "ld.lld: error: undefined symbol: alpha_new\n>>> referenced by main.c\nclang: error: linker \
         command failed with exit code 1",
        "ld.lld: error: undefined symbol: alpha_new",
    ),
    (
        "ninja, which says so before",
        "[12/40] Building C object a.o\nFAILED: a.o\ncc -c a.c\na.c:1:1: error: unknown type name \
         'foo'\nninja: build stopped: subcommand failed.",
        "a.c:1:1: error: unknown type name 'foo'",
    ),
    (
        "cmake",
        "-- Checking for one of the modules\nCMake Error at CMakeLists.txt:12 (find_package):\n  Could \
         not find a package configuration file provided by \"Alpha\"\n-- Configuring incomplete, errors \
         occurred!",
        "CMake Error at CMakeLists.txt:12 (find_package):",
    ),
    (
        "meson",
        "Run-time dependency alpha found: NO\n\nmeson.build:5:0: ERROR: Dependency \"alpha\" not \
         found, tried pkgconfig\n\nA full log can be found at /var/tmp/portage/meson-log.txt",
        "meson.build:5:0: ERROR: Dependency \"alpha\" not found, tried pkgconfig",
    ),
    (
        "configure",
        "checking for alpha... no\nconfigure: error: alpha 2.0 or later is needed\n\n!!! Please attach \
         the following file when seeking support:",
        "configure: error: alpha 2.0 or later is needed",
    ),
    (
        "rust",
        "   Compiling pkg v1.0.0\nerror[E0425]: cannot find value `thing` in this scope\n --> \
         src/main.rs:2:5\n  |\n2 |     thing\n  |     ^^^^^ not found in this scope\n\nerror: aborting \
         due to 1 previous error\n\nerror: could not compile `pkg` (bin \"pkg\") due to 1 previous error",
        "error[E0425]: cannot find value `thing` in this scope",
    ),
    (
        "python",
        "Traceback (most recent call last):\n  File \"setup.py\", line 3, in <module>\n    import \
         missing\nModuleNotFoundError: No module named 'missing'",
        "ModuleNotFoundError: No module named 'missing'",
    ),
    (
        "a python that does not parse",
        "  File \"a.py\", line 1\n    print 1\n    ^^^^^^^\nSyntaxError: Missing parentheses in call to \
         'print'",
        "SyntaxError: Missing parentheses in call to 'print'",
    ),
    (
        "go",
        "# example.net/pkg\n./main.go:5:2: undefined: thing",
        "./main.go:5:2: undefined: thing",
    ),
    (
        "java",
        "src/A.java:3: error: cannot find symbol\n  symbol: class B\n1 error\nBUILD FAILED",
        "src/A.java:3: error: cannot find symbol",
    ),
    (
        "a disk that is full",
        "/usr/bin/as: a.o: No space left on device\nmake: *** [a.o] Error 1",
        "/usr/bin/as: a.o: No space left on device",
    ),
    (
        "too little memory",
        "x86_64-pc-linux-gnu-g++: fatal error: Killed signal terminated program cc1plus\ncompilation \
         terminated.\nmake: *** [a.o] Error 1",
        "x86_64-pc-linux-gnu-g++: fatal error: Killed signal terminated program cc1plus",
    ),
    (
        "make itself",
        "make[1]: *** No rule to make target 'doc.1', needed by 'all'.  Stop.\nmake: *** \
         [Makefile:3: all] Error 2",
        "make[1]: *** No rule to make target 'doc.1', needed by 'all'.  Stop.",
    ),
    (
        "a program that nobody here knows",
        "frobnicate failed\nmake: *** [Makefile:3: frob] Error 3",
        "make: *** [Makefile:3: frob] Error 3",
    ),
];

#[test]
fn the_line_that_counts_is_found_in_the_forms_of_many_tools() {
    for (name, failure, expected) in FAILURES {
        for noise in [0, 5, 400] {
            let log = log(failure, noise);
            let found = decisive_line(&log);
            assert_eq!(found.as_deref(), Some(*expected), "{name}, {noise}");
            let lines = decisive_lines(&log, 25);
            assert!(lines.len() <= 25, "{name}, {noise}: {lines:#?}");
            assert!(
                lines.iter().any(|line| line.trim() == *expected),
                "{name}: {lines:#?}"
            );
            let end = [
                " * ERROR: app-misc/pkg-1.0::gentoo failed (compile phase):",
                " *   emake failed",
            ];
            assert!(
                lines.ends_with(&end.map(str::to_owned)),
                "{name}: {lines:#?}"
            );
        }
    }
}

#[test]
fn what_leads_to_the_complaint_is_shown_and_what_is_left_out_is_marked() {
    let (_, failure, _) = FAILURES[0];
    let lines = decisive_lines(&log(failure, 400), 25);
    assert!(
        lines.contains(&"main.c: In function 'main':".to_owned()),
        "{lines:#?}"
    );
    assert_eq!(
        lines.iter().filter(|line| *line == "…").count(),
        1,
        "{lines:#?}"
    );
}

#[test]
fn a_complaint_that_nobody_heeded_is_no_cause() {
    let early = "tests/a.c:1:1: error: expected by this test\n";
    let ignored = "make: [Makefile:2: probe] Error 1 (ignored)\n";
    let noise = "gcc -c x.c\n".repeat(400);
    let (_, failure, expected) = FAILURES[0];
    let log = log(&format!("{early}{ignored}{noise}{failure}"), 10);
    assert_eq!(decisive_line(&log).as_deref(), Some(expected));
}

#[test]
fn a_log_in_which_nobody_complains_is_told_by_its_last_lines() {
    let log = log("it just ends", 40);
    assert_eq!(decisive_line(&log), None);
    assert_eq!(decisive_lines(&log, 25), last_lines(&log, 25));
    assert_eq!(decisive_lines("", 25), Vec::<String>::new());
}
