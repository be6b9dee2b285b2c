//! Any text at all: no panic, and no more than linear time.
//!
//! Nothing measures time here. A reader that took quadratic time for a megabyte would take hours.

use gentoo_updater_portage::plan::parse;
use proptest::prelude::*;

use crate::recording;

const MEGABYTE: usize = 1 << 20;

/// Begins of lines after which the reader expects different things.
const PLACES: [&str; 10] = [
    "",
    "!!! ",
    "[ebuild  N     ] ",
    "[ebuild  N     ] a/b-1::gentoo  USE=\"",
    "[ebuild     U  ] a/b-1::gentoo [",
    "[ebuild  N     ] a/b-1::gentoo  1",
    "[ebuild  N     ] a/b-1::gentoo to /",
    "[blocks b      ] a/b (\"a/b\" is soft blocking ",
    "Total: 1 package (",
    "Conflict: ",
];

#[test]
fn a_megabyte_of_any_character_is_no_problem() {
    let characters = "[](){}<>\"',.:;/-%*=~#@!?\\ \t\r\u{1b}\u{7}\0\u{8}09aAN_+|ä\u{a0}\u{fffd}";
    for (index, character) in characters.chars().enumerate() {
        let mass: String =
            std::iter::repeat_n(character, MEGABYTE / character.len_utf8()).collect();
        // Every place for what means something there, and some for the others.
        let step = if "[]( \",:/0a".contains(character) {
            1
        } else {
            4
        };
        for place in PLACES.iter().skip(index % step).step_by(step) {
            let line = format!("Calculating dependencies ... done!\n\n{place}{mass}\n");
            let error = parse(&line, "", 0).unwrap_err().to_string();
            // An error repeats the beginning of a line, and not a megabyte.
            assert!(error.len() < 4_000, "{character:?} after {place:?}");
        }
        let _ = parse("", &mass, 1);
    }
}

#[test]
fn a_megabyte_of_short_lines_is_no_problem() {
    for line in [
        "\n",
        "[\n",
        "!!!\n",
        "!!! x\n\n",
        "x\n\n",
        "\u{1b}[\n",
        "\u{1b}]\n",
        "\u{1b}\u{1b}",
        "\u{1b}[1m",
        "[nomerge       ] a/b-1::gentoo \n",
        "[ebuild  N     ] a/b-1::gentoo  0 KiB\n",
        "[blocks b      ] a/b (is blocking c/d-1)\n",
        "Calculating dependencies\n",
        "!!! Problems have been detected with your world file\n",
        "!!! Ebuilds for the following packages are either all\n!!! masked or don't exist:\na/b\n",
        "!!! Problems have been detected with your world file\n!!! Ebuilds for the following packages are either all\n!!! masked or don't exist:\na/b\n",
        "!!! The following installed packages are masked:\n- a/b-1::gentoo (masked by: x)\n",
        "!!! Multiple package instances within a single package slot\n  (a/b-1:0/0::gentoo, installed) pulled in by\n",
        "* Error: circular dependencies:\n(a/b-1:0/0::gentoo, x) depends on\n",
        "The following USE changes are necessary to proceed:\n>=a/b-1 c\n",
        "a/b:0\n",
    ] {
        let mass = line.repeat(MEGABYTE / line.len());
        let list = format!("Calculating dependencies ... done!\n{mass}");
        let _ = parse(&list, &mass, 1);
        let nothing = recording("a2-v1-world-uptodate-bdepsn").stdout;
        let _ = parse(&format!("{nothing}{mass}"), "", 0);
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(
        stdout in proptest::collection::vec(any::<u8>(), 0..400),
        stderr in proptest::collection::vec(any::<u8>(), 0..400),
        status in any::<i32>(),
    ) {
        let stdout = String::from_utf8_lossy(&stdout);
        let stderr = String::from_utf8_lossy(&stderr);
        let _ = parse(&stdout, &stderr, status);
        let _ = parse(&format!("Calculating dependencies\n{stdout}"), &stderr, status);
    }

    #[test]
    fn no_lines_panic(
        stdout in "((\\[ebuild  N     \\]|\\[blocks b      \\]|\\[nomerge       \\]|Total:|Conflict:|!!!)? ?(\\PC|[\\[\\]\"=:/, -]){0,20}\n){0,12}",
        stderr in "((!!! |WARNING|\\* Error|- a/b-1)?\\PC{0,20}\n){0,12}",
    ) {
        let _ = parse(&stdout, &stderr, 0);
        let _ = parse(&format!("Calculating dependencies\n{stdout}"), &stderr, 1);
    }
}

#[test]
fn the_end_of_the_calculation_may_stand_on_a_line_of_its_own() {
    let total = "Total: 0 packages, Size of downloads: 0 KiB\n";
    for end in [" done!", "done!"] {
        let stdout = format!("Calculating dependencies\n\n{end}\n\n{total}");
        assert!(parse(&stdout, "", 0).is_ok(), "{:?}", parse(&stdout, "", 0));
    }
}
