//! Notifications without a broker, as processes.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{command, run};

/// A fleet whose one machine has no Portage, so that each run ends soon, with a failure, which `tee` is told.
fn fleet() -> TempDir {
    let folder = TempDir::new().unwrap();
    let text = format!(
        "state_directory = {:?}\n[builders.b1]\naddress = \"local\"\n[guests.g1]\naddress = \
         \"local\"\n[policy]\nattempts = 1\n[notifications.pager]\ntype = \"command\"\ncommand = \
         [\"/usr/bin/tee\", \"-a\", {:?}]\non = [\"failed\"]\n[notifications.gone]\ntype = \
         \"command\"\ncommand = [\"/no/such\"]\non = [\"failed\"]\n",
        folder.path().join("state"),
        folder.path().join("told")
    );
    std::fs::write(folder.path().join("fleet.toml"), text).unwrap();
    folder
}

#[test]
fn a_run_tells_how_it_ended_and_what_could_not_be_told_is_listed() {
    let fleet = fleet();
    for runs in 1..=2 {
        let (code, out, err) = run(&fleet, &["run"]);
        assert_eq!(code, Some(1), "{out}{err}");
        let told = std::fs::read(fleet.path().join("told")).unwrap();
        let told = serde_json::Deserializer::from_slice(&told).into_iter::<Value>();
        let told: Vec<Value> = told.map(Result::unwrap).collect();
        assert_eq!(told.len(), runs, "{told:?}");
        let newest = &told[runs - 1];
        assert_eq!(newest["occasion"], "failed");
        assert!(
            newest["run"]["report"]["guests"]["g1"].is_object(),
            "{newest}"
        );
    }
    let (code, out, err) = run(&fleet, &["notify", "list", "--json"]);
    assert_eq!(code, Some(0), "{err}");
    let list: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(list["notifications"][1]["name"], "pager");
    let undelivered = list["undelivered"].as_array().unwrap();
    assert_eq!(undelivered.len(), 2, "{out}");
    assert_eq!(undelivered[0]["notification"], "gone");
    let (code, out, _) = run(&fleet, &["notify", "list"]);
    assert_eq!(code, Some(0));
    assert!(out.contains("/no/such cannot be started"), "{out}");
    // One that nobody can read takes nothing from the others.
    let workers = std::fs::read_dir(fleet.path().join("state/workers")).unwrap();
    let mut folders = workers.map(|it| it.unwrap().path().join("undelivered"));
    let folder = folders.find(|it| it.is_dir()).unwrap();
    std::fs::write(folder.join("0000.json"), "").unwrap();
    let (code, out, err) = run(&fleet, &["notify", "list", "--json"]);
    assert_eq!(code, Some(1), "{err}");
    let list: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(list["undelivered"].as_array().unwrap().len(), 2, "{out}");
    assert_eq!(list["unreadable"].as_array().unwrap().len(), 1, "{out}");
    let (code, out, err) = run(&fleet, &["notify", "list"]);
    assert_eq!(code, Some(1));
    assert!(out.contains("/no/such cannot be started"), "{out}");
    assert!(err.contains("0000.json cannot be read: EOF"), "{err}");
}

#[test]
fn a_report_is_printed_before_anybody_is_told_who_takes_long() {
    let fleet = fleet();
    // It ends when somebody has seen the report.
    let text = std::fs::read_to_string(fleet.path().join("fleet.toml")).unwrap();
    let seen = fleet.path().join("seen");
    let waits = format!("until test -e {}; do sleep 0.1; done", seen.display());
    let waits = format!(
        "[notifications.waits]\ntype = \"command\"\ncommand = [\"/bin/sh\", \"-c\", {waits:?}]\n\
         timeout_seconds = 600\n"
    );
    std::fs::write(fleet.path().join("fleet.toml"), text + &waits).unwrap();
    let mut run = command(&fleet, &["run"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = BufReader::new(run.stdout.take().unwrap());
    let (lines, read) = mpsc::channel();
    let reading = thread::spawn(move || {
        for line in output.lines() {
            lines.send(line.unwrap()).unwrap();
        }
    });
    let first = read.recv_timeout(Duration::from_secs(50));
    std::fs::write(&seen, "").unwrap();
    let code = run.wait().unwrap().code();
    reading.join().unwrap();
    let rest: Vec<String> = read.iter().collect();
    assert!(first.unwrap().starts_with("Run "), "{rest:?}");
    assert_eq!(code, Some(1));
}

#[test]
fn a_trial_says_what_came_of_it() {
    let fleet = fleet();
    let (code, out, _) = run(&fleet, &["notify", "test", "pager"]);
    assert_eq!(code, Some(0));
    assert_eq!(out, "pager: delivered. /usr/bin/tee ended with 0\n");
    let (code, out, _) = run(&fleet, &["notify", "test", "--json"]);
    assert_eq!(code, Some(1));
    let tried: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(tried["results"][0]["delivered"], false);
    assert_eq!(tried["results"][1]["delivered"], true);
    let (code, _, err) = run(&fleet, &["notify", "test", "nobody"]);
    assert_eq!(code, Some(64));
    assert!(err.contains("it names gone, pager"), "{err}");
}
