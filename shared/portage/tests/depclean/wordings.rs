//! What no recording holds, written as the source of Portage prints it.

use crate::recorded::describe;
use crate::*;

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
