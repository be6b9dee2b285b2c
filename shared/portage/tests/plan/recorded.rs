//! Each recording against what is expected of it, in the file `NAME.expected` beside it.

use std::collections::BTreeSet;
use std::fs;

use crate::{all_names, describe, folder, names, read, recording};

/// Set to write the expectations anew. Look at each difference before you keep it.
const UPDATE: &str = "UPDATE_EXPECTATIONS";

#[test]
fn every_recording_is_read_as_expected() {
    let update = std::env::var_os(UPDATE).is_some();
    let mut wrong = Vec::new();
    for name in all_names() {
        let found = describe::result(&read(&name)) + "\n";
        let path = folder(&format!("{name}.expected"));
        if update {
            fs::write(&path, &found).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        if found != expected {
            wrong.push(format!("{name}:\n{found}instead of\n{expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_recording_is_forgotten_and_none_is_half_there() {
    for (within, least) in [("", 140), ("shapes", 12)] {
        let outputs = names(within, "out");
        assert!(outputs.len() >= least, "{within}: {}", outputs.len());
        for extension in ["cmd", "rc", "expected"] {
            assert_eq!(names(within, extension), outputs, "{extension}");
        }
        let outputs: BTreeSet<String> = outputs.into_iter().collect();
        assert!(
            names(within, "err")
                .iter()
                .all(|name| outputs.contains(name))
        );
    }
}

#[test]
fn options_that_change_only_the_looks_change_no_row() {
    let rows = |name: &str| -> BTreeSet<String> {
        let plan = read(name).unwrap();
        plan.merges().map(describe::row).collect()
    };
    // Trees, terminals, colours, locales, default options that were ignored or do no harm. In the
    // second state one package was installed already.
    for (count, names) in [
        (
            14,
            "a-NDpuv1-plain b-color-n cc3-provided-world f2-defopts-ignored f3-defopts-env-empty \
             f8-defopts-bogus-ignored g-tree i-tty",
        ),
        (
            13,
            "h1 c-nonroot-pretend g2-nocolor-false h11 h12 h2 h3 h4 h5 h6 h7 h8 j-locale \
             k-colormap l-defopt--alphabetical l-defopt--ask l-defopt--autounmask-writey \
             l-defopt--colory l-defopt--columns-ignored l-defopt--getbinpkgonly-ignored \
             l-defopt--jobs4 l-defopt--quiet-ignored l-defopt--tree l-defopt--verbose \
             l-defopt--with-bdepsn n-quiet-inforce-override",
        ),
    ] {
        let mut names = names.split(' ');
        let first = rows(names.next().unwrap());
        assert_eq!(first.len(), count);
        for name in names {
            assert_eq!(rows(name), first, "{name}");
        }
    }
}

#[test]
fn streams_that_were_merged_give_the_same_plan() {
    for name in [
        "a-NDpuv1-plain",
        "n-autounmask-use",
        "o3-guest-K-libalpha2",
        "bb2-hardblock",
    ] {
        let mut merged = recording(name);
        let plain = merged.parse().unwrap();
        // Warnings of the configuration come while the dependencies are calculated, and what is
        // wrong with the plan comes after it.
        let stderr = std::mem::take(&mut merged.stderr);
        merged.stdout = merged.stdout.replacen(
            "... done!\n",
            "... done!\n!!! Problem with sandbox binary. Disabling...\n\n\
             Calculating dependencies ... done!\n",
            1,
        ) + &stderr;
        let plan = merged.parse().unwrap();
        assert_eq!(plan.rows, plain.rows, "{name}");
        assert_eq!(
            plan.objections().collect::<Vec<_>>(),
            plain.objections().collect::<Vec<_>>()
        );
        assert_eq!(plan.notices.len(), plain.notices.len() + 1, "{name}");
    }
}

#[test]
fn words_around_the_list_are_noise() {
    let mut noisy = recording("a-NDpuv1-plain");
    let plain = noisy.parse().unwrap();
    noisy.stdout = format!("Welcome!\n\n* * *\n{}\nbye\n", noisy.stdout);
    let plan = noisy.parse().unwrap();
    assert_eq!(plan.rows, plain.rows);
    assert_eq!(plan.objections().count(), plain.objections().count());
}

#[test]
fn a_plan_survives_json() {
    for name in all_names() {
        let Ok(plan) = read(&name) else { continue };
        let json = serde_json::to_string(&plan).unwrap();
        assert_eq!(
            serde_json::from_str::<gentoo_updater_portage::plan::Plan>(&json).unwrap(),
            plan
        );
    }
}
