//! The same pretends with many versions of Portage, on one machine of a lab.
//!
//! Each plan is compared with what the resolver of the same version handed to the printer, and with
//! what is expected of the case (`shared/portage/tests/fixtures/versions/expected.txt`). Rows are
//! compared as sets.
//!
//! With `GENTOO_UPDATER_RECORD=1` the outputs are written into that folder, for the tests of
//! `shared/portage` that need no lab: from each version what differs from the next newer one.

mod cases;
#[path = "../../../shared/portage/tests/versions/expected.rs"]
mod expected;
mod record;
mod shown;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use gentoo_updater_portage::command::{neutral_environment, plan_world};
use gentoo_updater_portage::plan::parse;
use gentoo_updater_portage::version::Version;
use gentoo_updater_tests::fixtures::{Lab, Process, Said, wait_until};
use serde_json::{Value, json};

use cases::{Case, PORT, cases};
use expected::{Expectations, describe};
use shown::{lines_of_plan, lines_of_portage};

/// From the oldest that PyPI offers to the newest, on both sides of every change of the format that
/// is known. (3.0.50 and 3.0.51 are offered as sources only, and need a compiler.)
const VERSIONS: [&str; 13] = [
    "3.0.19", "3.0.26", "3.0.27", "3.0.43", "3.0.44", "3.0.49", "3.0.52", "3.0.66.1", "3.0.77",
    "3.0.78", "3.0.80", "3.0.81", "3.0.83",
];

/// The version since which a binary on a server is marked with a `g`.
const MARKS_REMOTE: &str = "3.0.78";

/// What one version printed for one case, and what its resolver had decided.
pub(crate) struct Answer {
    pub(crate) said: Said,
    shown: Vec<Value>,
}

#[test]
fn every_version_of_portage_prints_plans_that_are_read_right() {
    let lab = Lab::up(1, 0);
    lab.must(&["fill", "v2"]);
    let mut words = vec!["portage", "g1"];
    words.extend(VERSIONS);
    lab.must(&words);
    // For the runs of the program itself; the cases choose their state.
    lab.must(&["publish", "v2"]);
    // What Portage says where nothing can be fetched with is among the cases.
    lab.sh("g1", "rm $(command -v wget)");
    lab.exec_with_input(
        "g1",
        &["sh", "-c", "cat > /opt/plans.py"],
        include_str!("plans.py"),
    );
    let logs = tempfile::tempdir().expect("a folder for logs");
    let _server = start_server(&lab, logs.path());

    let cases = cases();
    let queue = Mutex::new(VERSIONS.iter().rev());
    let answers = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap().next();
                    let Some(name) = next else { return };
                    let version: Version = name.parse().unwrap();
                    let found = ask(&lab, name, &cases);
                    answers.lock().unwrap().insert(version, found);
                }
            });
        }
    });
    let answers = answers.into_inner().unwrap();
    assert_eq!(answers.len(), VERSIONS.len());

    if std::env::var_os("GENTOO_UPDATER_RECORD").is_some() {
        record::record(&answers, &cases);
    }
    let wrong = check(&answers, &cases);
    assert!(
        wrong.is_empty(),
        "{} plans are wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// The server of binary packages: the lab's store, in the guest's own network namespace.
fn start_server(lab: &Lab, logs: &Path) -> Process {
    let store = lab.store();
    let (store, port) = (store.to_str().expect("a path of letters"), PORT.to_string());
    let words = [
        "-u",
        "-m",
        "http.server",
        "--bind",
        "127.0.0.1",
        "--directory",
        store,
        &port,
    ];
    let python = Path::new("/usr/bin/python3");
    let mut server = Process::start("server", &lab.netns_of("g1"), python, words, logs);
    wait_until("the server answers", Duration::from_secs(30), || {
        assert!(
            server.is_running(),
            "{:?}",
            fs::read_to_string(&server.stderr)
        );
        fs::read_to_string(&server.stdout).is_ok_and(|said| said.contains("Serving HTTP"))
    });
    server
}

/// Asks one version for all plans, and runs its program once as an operator would.
fn ask(lab: &Lab, name: &str, cases: &[Case]) -> BTreeMap<&'static str, Answer> {
    let version: Version = name.parse().unwrap();
    let place = format!("/opt/portage-{name}");
    let wanted: Vec<&Case> = cases
        .iter()
        .filter(|case| {
            case.since
                .is_none_or(|since| since.parse::<Version>().unwrap() <= version)
        })
        .collect();
    let input: Vec<Value> = wanted
        .iter()
        .map(|case| {
            json!({
                "name": case.name,
                "state": case.state,
                "prepare": case.prepare,
                "environment": case.line.environment.iter().cloned().collect::<BTreeMap<_, _>>(),
                "argv": case.line.argv,
            })
        })
        .collect();
    let mut argv = vec!["env".to_owned()];
    argv.extend(
        neutral_environment()
            .iter()
            .map(|(name, value)| format!("{name}={value}")),
    );
    let environment = argv.clone();
    argv.extend(["python3", "/opt/plans.py", &place].map(str::to_owned));
    let words: Vec<&str> = argv.iter().map(String::as_str).collect();
    let said = lab.exec_with_input("g1", &words, &Value::from(input).to_string());
    assert!(said.code == 0, "{name}: {}\n{}", said.code, said.stderr);
    let mut answers: BTreeMap<&'static str, Answer> = BTreeMap::new();
    for (case, line) in wanted.iter().zip(said.stdout.lines()) {
        let answer: Value = serde_json::from_str(line).unwrap();
        assert_eq!(answer["name"], case.name, "{name}");
        let text = |key: &str| answer[key].as_str().expect("a text").to_owned();
        let said = Said {
            code: answer["status"].as_i64().expect("a number") as i32,
            stdout: text("stdout"),
            stderr: text("stderr"),
        };
        let shown = answer["shown"].as_array().expect("lists").clone();
        answers.insert(case.name, Answer { said, shown });
    }
    assert_eq!(
        answers.len(),
        wanted.len(),
        "{name} left cases out:\n{}",
        said.stderr
    );

    let mut argv = environment;
    argv.push(format!("PYTHONPATH={place}/lib"));
    argv.extend(plan_world(true).argv);
    let program = argv
        .iter_mut()
        .find(|word| *word == "emerge")
        .expect("a call of emerge");
    *program = format!("{place}/bin/emerge");
    let words: Vec<&str> = argv.iter().map(String::as_str).collect();
    let said = lab.exec("g1", &words);
    let shown = answers["world-v2"].shown.clone();
    answers.insert(AS_A_PROGRAM, Answer { said, shown });
    answers
}

/// The case `world-v2`, by the program itself instead of in a process of [`plans.py`].
const AS_A_PROGRAM: &str = "world-v2 as a program";

/// What is wrong, a text each; prints a table for whoever wants to see it.
fn check(
    answers: &BTreeMap<Version, BTreeMap<&'static str, Answer>>,
    cases: &[Case],
) -> Vec<String> {
    let expectations = Expectations::read();
    let mut wrong = Vec::new();
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name).collect();
    assert_eq!(
        names,
        expectations.cases(),
        "cases, and what is expected of them"
    );
    let marks: Version = MARKS_REMOTE.parse().unwrap();
    for (version, answers) in answers {
        for (name, Answer { said, shown }) in answers {
            let result = parse(&said.stdout, &said.stderr, said.code);
            let case = if *name == AS_A_PROGRAM {
                "world-v2"
            } else {
                name
            };
            let mut complaints = Vec::new();
            let expected = expectations.of(case, version);
            let found = describe(&result);
            differences("expected, not found", &expected, &found, &mut complaints);
            differences("found, not expected", &found, &expected, &mut complaints);
            assert!(shown.len() <= 1, "{version} {name}: {} lists", shown.len());
            let portage = shown.first().map_or_else(BTreeSet::new, |list| {
                lines_of_portage(list, *version >= marks)
            });
            // A plan that is refused, or not believed, has no rows.
            let read = result
                .as_ref()
                .map_or_else(|_| BTreeSet::new(), lines_of_plan);
            differences("in Portage's list only", &portage, &read, &mut complaints);
            differences("read only", &read, &portage, &mut complaints);
            println!(
                "{version:<9} {name:<28} {:>3} rows, {}",
                read.len(),
                if complaints.is_empty() {
                    "as Portage's own list"
                } else {
                    "WRONG"
                }
            );
            if !complaints.is_empty() {
                wrong.push(format!(
                    "== {version} {name}\n{}\n-- stdout\n{}\n-- stderr\n{}",
                    complaints.join("\n"),
                    said.stdout,
                    said.stderr
                ));
            }
        }
    }
    wrong
}

fn differences(
    words: &str,
    left: &BTreeSet<String>,
    right: &BTreeSet<String>,
    complaints: &mut Vec<String>,
) {
    complaints.extend(
        left.difference(right)
            .map(|line| format!("   {words}: {line}")),
    );
}
