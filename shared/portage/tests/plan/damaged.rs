//! Recordings that lost something on their way: an error, or the whole list, never less.

use gentoo_updater_portage::plan::{Plan, parse};

use crate::{Recording, read, recording};

#[test]
fn a_line_of_the_list_that_is_dropped_or_doubled_is_an_error() {
    for name in [
        "a-NDpuv1-plain",
        "bb-softblock",
        "p-guest-full-pretend",
        "v-fetch-restricted",
    ] {
        let Recording {
            stdout,
            stderr,
            status,
        } = recording(name);
        let lines: Vec<&str> = stdout.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let in_list = ["[", "Total:", "Conflict:", "Fetch R"]
                .iter()
                .any(|s| line.starts_with(s));
            let mut dropped = lines.clone();
            dropped.remove(index);
            let mut doubled = lines.clone();
            doubled.insert(index, line);
            for changed in [dropped, doubled] {
                let result = parse(&changed.join("\n"), &stderr, status);
                if in_list {
                    assert!(result.is_err(), "{name}: {line}");
                }
            }
        }
    }
}

#[test]
fn an_output_that_is_cut_is_an_error_or_the_whole_list() {
    let Recording {
        stdout,
        stderr,
        status,
    } = recording("a-NDpuv1-plain");
    let whole = parse(&stdout, &stderr, status).unwrap();
    let end_of_list = stdout.find("0 KiB\n\nThe following").unwrap() + "0 KiB".len();
    for length in 0..stdout.len() {
        match parse(&stdout[..length], &stderr, status) {
            Ok(plan) => {
                assert!(length >= end_of_list, "cut after {length} bytes");
                assert_eq!(plan.rows, whole.rows);
            }
            Err(_) => assert!(length < end_of_list, "cut after {length} bytes"),
        }
    }
}

#[test]
fn a_row_that_is_cut_or_garbled_never_shortens_the_list() {
    let Recording {
        stdout,
        stderr,
        status,
    } = recording("a-NDpuv1-plain");
    let whole = parse(&stdout, &stderr, status).unwrap();
    let list = stdout.find("[ebuild").unwrap()..stdout.find("\nTotal:").unwrap();
    for place in list {
        for garbage in ["", "\0", "x", " ", "[", "]", "\n", "\u{fffd}", "9"] {
            let end = place + 1;
            let changed = format!("{}{garbage}{}", &stdout[..place], &stdout[end..]);
            let Ok(plan) = parse(&changed, &stderr, status) else {
                continue;
            };
            assert_eq!(
                plan.rows.len(),
                whole.rows.len(),
                "byte {place} became {garbage:?}"
            );
            let differing = plan
                .rows
                .iter()
                .zip(&whole.rows)
                .filter(|(a, b)| a != b)
                .count();
            assert!(differing <= 1, "byte {place} became {garbage:?}");
        }
    }
}

#[test]
fn a_plan_survives_json() {
    for name in ["a-NDpuv1-plain", "bb-softblock", "s-circular"] {
        let plan = read(name).unwrap();
        let json = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
    }
}

#[test]
fn a_long_list_takes_linear_time() {
    let row = "[ebuild  N     ] app-misc/hello-2.0:0/2::gentoo  USE=\"a -b\" 0 KiB\n";
    let output = |rows: usize| {
        format!(
            "Calculating dependencies ... done!\n\n{}\nTotal: {rows} packages ({rows} new), \
             Size of downloads: 0 KiB\n",
            row.repeat(rows)
        )
    };
    let time = |rows: usize| {
        let text = output(rows);
        // The shortest of three: other programs of the machine take their time too.
        let attempts = (0..3).map(|_| {
            let start = std::time::Instant::now();
            assert_eq!(parse(&text, "", 0).unwrap().rows.len(), rows);
            start.elapsed()
        });
        attempts.min().unwrap()
    };
    time(1_000);
    let (short, long) = (time(1_000), time(10_000));
    // Ten times the rows: quadratic growth would be a hundred times the time.
    assert!(long < short * 40, "{short:?} against {long:?}");
}

proptest::proptest! {
    #[test]
    fn colour_codes_anywhere_change_nothing(places in proptest::collection::vec(0usize..3000, 0..20)) {
        let Recording { stdout, stderr, status } = recording("a-NDpuv1-plain");
        let mut coloured = stdout.clone();
        for place in places {
            let place = place.min(coloured.len());
            // Not within an earlier code.
            if !coloured[..place].ends_with(['\u{1b}', '[', '3', '1', ';']) {
                coloured.insert_str(place, "\u{1b}[31;1m");
            }
        }
        let plain = parse(&stdout, &stderr, status);
        proptest::prop_assert_eq!(parse(&coloured, &stderr, status), plain);
    }

    #[test]
    fn no_text_panics(stdout in "(\\PC|\n|\u{1b}|\\[ebuild  N     \\] ){0,60}", stderr in "(\\PC|\n|!!! ){0,40}") {
        let _ = parse(&stdout, &stderr, 0);
        let list = format!("Calculating dependencies\n{stdout}");
        let _ = parse(&list, &stderr, 1);
    }
}
