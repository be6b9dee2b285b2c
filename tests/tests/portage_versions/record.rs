//! Writes what was printed into the fixtures of `shared/portage`.

use std::collections::BTreeMap;
use std::fs;

use gentoo_updater_portage::version::Version;

use crate::cases::Case;
use crate::expected::folder;
use crate::{AS_A_PROGRAM, Answer};

/// The case that is recorded with every version. Of the other cases only what differs in more than
/// the words around the list, which differ in the same way in all of them.
const ALWAYS: &str = "world-v2";

/// Replaces all records.
pub(crate) fn record(answers: &BTreeMap<Version, BTreeMap<&'static str, Answer>>, cases: &[Case]) {
    let folder = folder();
    let mut newer: BTreeMap<&str, (Vec<String>, Vec<String>, i32)> = BTreeMap::new();
    for (version, answers) in answers.iter().rev() {
        let place = folder.join(version.to_string());
        if place.exists() {
            fs::remove_dir_all(&place).unwrap();
        }
        fs::create_dir_all(&place).unwrap();
        for (name, Answer { said, .. }) in answers {
            if *name == AS_A_PROGRAM {
                continue;
            }
            let essence = (essence(&said.stdout), essence(&said.stderr), said.code);
            if newer.get(name) == Some(&essence) && *name != ALWAYS {
                continue;
            }
            newer.insert(name, essence);
            for (extension, text) in [("out", &said.stdout), ("err", &said.stderr)] {
                if !text.is_empty() {
                    fs::write(place.join(format!("{name}.{extension}")), text).unwrap();
                }
            }
            fs::write(place.join(format!("{name}.rc")), format!("{}\n", said.code)).unwrap();
        }
    }
    let calls: Vec<String> = cases.iter().map(call).collect();
    fs::write(folder.join("calls.txt"), calls.join("\n")).unwrap();
}

/// The lines, sorted, without those that differ from run to run or in every case alike.
fn essence(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text
        .lines()
        .map(str::trim)
        .filter(|line| {
            let words = ["Calculating dependencies", "Dependency resolution took"];
            !line.is_empty() && !words.iter().any(|start| line.starts_with(start))
        })
        // A folder for this run, and lines of Python's report of where it was.
        .map(|line| match line.split_once("/var/tmp/tmp") {
            Some((before, _)) => before.to_owned(),
            None => line.to_owned(),
        })
        .filter(|line| !line.starts_with("File \"") && !line.starts_with('^'))
        // Which of several parents is named as an example is chance.
        .filter(|line| !line.contains(" required by (") && !line.starts_with("(and "))
        .collect();
    lines.sort();
    lines
}

fn call(case: &Case) -> String {
    let Case {
        name,
        state,
        prepare,
        line,
        ..
    } = case;
    let environment: Vec<String> = line
        .environment
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut lines = vec![format!("== {name}, repository {state}")];
    lines.extend(prepare.lines().map(|line| line.trim().to_owned()));
    lines.push(format!("{} {}", environment.join(" "), line.argv.join(" ")));
    lines.join("\n") + "\n"
}
