//! Every dependency string of every ebuild of the lab's repository.

use std::path::Path;
use std::process::{Command, Stdio};

use gentoo_updater_portage::atom::Atom;
use gentoo_updater_portage::dependency::{
    Evaluation, FlagState, Leaf, LicenseName, RestrictToken, SourceUri, Tree,
};
use gentoo_updater_portage::name::UseFlag;
use serde_json::{Map, Value, json};

use crate::dependencies::{Reduction, assert_inverse};
use crate::oracle::{ask, checkout, folder, python};

/// The variables that hold dependency strings, and the kind of their leaves.
const VARIABLES: [(&str, &str); 9] = [
    ("DEPEND", "DEPEND"),
    ("RDEPEND", "DEPEND"),
    ("BDEPEND", "DEPEND"),
    ("PDEPEND", "DEPEND"),
    ("IDEPEND", "DEPEND"),
    ("LICENSE", "LICENSE"),
    ("RESTRICT", "RESTRICT"),
    ("PROPERTIES", "RESTRICT"),
    ("SRC_URI", "SRC_URI"),
];

/// The metadata of all ebuilds, read by Portage in a scratch folder.
fn ebuilds() -> Vec<Map<String, Value>> {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("differential-ebuilds-{}", std::process::id()));
    let repository = scratch.join("repository");
    let status = Command::new(checkout().join("tests/lab/repo/mkrepo.sh"))
        .arg(&repository)
        .status()
        .unwrap();
    assert!(status.success(), "mkrepo.sh failed");
    let output = Command::new(python())
        .arg(folder().join("ebuilds.py"))
        .arg(scratch.join("root"))
        .args(["v1", "v2", "v2b"].map(|state| repository.join(state)))
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "ebuilds.py failed");
    std::fs::remove_dir_all(&scratch).unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Nothing, each flag of IUSE on its own, and all of them.
fn flag_sets(iuse: &str) -> Vec<Vec<&str>> {
    let flags: Vec<&str> = iuse
        .split(' ')
        .map(|flag| flag.trim_start_matches(['+', '-']))
        .filter(|flag| !flag.is_empty())
        .collect();
    let mut sets = vec![Vec::new(), flags.clone()];
    sets.extend(flags.iter().map(|flag| vec![*flag]));
    sets
}

fn text<'a>(ebuild: &'a Map<String, Value>, variable: &str) -> &'a str {
    ebuild[variable].as_str().unwrap()
}

#[test]
fn every_string_of_the_labs_repository_reduces_as_for_portage() {
    let ebuilds: &'static [_] = ebuilds().leak();
    let mut cases = Vec::new();
    for ebuild in ebuilds {
        for flags in flag_sets(text(ebuild, "IUSE")) {
            for (variable, kind) in VARIABLES {
                for mode in ["flags", "all", "none"] {
                    let reduction = Reduction {
                        flags: if mode == "flags" {
                            flags.clone()
                        } else {
                            Vec::new()
                        },
                        mode,
                        eapi: Some(text(ebuild, "EAPI")),
                    };
                    cases.push((kind, text(ebuild, variable), reduction));
                }
            }
        }
    }
    let questions: Vec<Value> = cases
        .iter()
        .map(|(kind, text, reduction)| reduction.question(text, kind))
        .collect();
    let mut filled = 0;
    for ((kind, text, reduction), answer) in cases.iter().zip(ask(&questions)) {
        let here = match *kind {
            "DEPEND" => reduced::<Atom>(text, reduction),
            "LICENSE" => reduced::<LicenseName>(text, reduction),
            "RESTRICT" => reduced::<RestrictToken>(text, reduction),
            _ => reduced::<SourceUri>(text, reduction),
        };
        assert_eq!(here, answer, "{kind} {text:?}");
        filled += usize::from(!text.is_empty());
    }
    println!(
        "lab's repository: {} ebuilds, {filled} reductions of strings that are not empty, all equal",
        ebuilds.len()
    );
    assert!(ebuilds.len() > 50 && filled > 500, "too few");
    check_required_use(ebuilds);
}

fn reduced<L: Leaf + std::fmt::Debug>(text: &str, reduction: &Reduction) -> Value {
    let tree: Tree<L> = text.parse().unwrap();
    assert_inverse(&tree);
    reduction.of(&tree)
}

fn check_required_use(ebuilds: &[Map<String, Value>]) {
    let mut cases = Vec::new();
    for ebuild in ebuilds {
        let sets = flag_sets(text(ebuild, "IUSE"));
        let known = sets[1].clone();
        for flags in sets {
            cases.push((text(ebuild, "REQUIRED_USE"), flags, known.clone()));
        }
    }
    let questions: Vec<Value> = cases
        .iter()
        .map(|(text, flags, known)| json!(["required_use", text, flags, known, "8"]))
        .collect();
    let mut filled = 0;
    for ((text, flags, known), answer) in cases.iter().zip(ask(&questions)) {
        let tree: Tree<FlagState> = text.parse().unwrap();
        let enabled = |flag: &UseFlag| flags.contains(&flag.as_str());
        let unsatisfied = tree
            .unsatisfied(&Evaluation::with_flags(&enabled), |flag| {
                known.contains(&flag.as_str())
            })
            .unwrap();
        assert_eq!(
            unsatisfied.is_empty(),
            answer.as_bool().unwrap(),
            "{text:?} {flags:?}"
        );
        filled += usize::from(!text.is_empty());
    }
    println!("lab's repository: {filled} checks of REQUIRED_USE, all equal");
    assert!(filled > 0, "there is no REQUIRED_USE");
}
