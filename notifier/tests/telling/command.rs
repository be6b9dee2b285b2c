//! Trials by a program.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::scene::{settings, trial};

/// A program of this text.
fn program(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// What came of a trial by it.
async fn tried(folder: &TempDir, list: &[&Path]) -> Result<String, String> {
    let list: Vec<String> = list.iter().map(|it| format!("{it:?}")).collect();
    let text = format!(
        "[notifications.ops]\ntype = \"command\"\ncommand = [{}]\ntimeout_seconds = 5\n",
        list.join(", ")
    );
    trial(&settings(folder.path(), &text)).await
}

#[tokio::test]
async fn a_program_gets_the_document_and_of_the_environment_what_is_no_secret() {
    let folder = TempDir::new().unwrap();
    let (out, environment) = (folder.path().join("out"), folder.path().join("env"));
    let page = program(&folder, "page", "cat > \"$1\"; env > \"$2\"");
    tried(&folder, &[&page, &out, &environment]).await.unwrap();
    let document: Value = serde_json::from_slice(&std::fs::read(&out).unwrap()).unwrap();
    assert_eq!(document["occasion"], "needs_attention");
    let environment = std::fs::read_to_string(environment).unwrap();
    let variable = |name: &str| {
        let prefix = format!("{name}=");
        environment
            .lines()
            .find_map(|line| line.strip_prefix(&prefix))
    };
    let of_notification = |name: &str| variable(&format!("GENTOO_UPDATER_NOTIFICATION_{name}"));
    assert_eq!(of_notification("ID"), document["id"].as_str());
    assert_eq!(of_notification("OCCASION"), Some("needs_attention"));
    let subject = of_notification("SUBJECT");
    assert_eq!(subject, Some("[gentoo-updater] this is a trial"));
    assert!(variable("PATH").is_some());
    // Cargo has set it for this test.
    assert!(variable("CARGO_MANIFEST_DIR").is_none(), "{environment}");
}

#[tokio::test]
async fn a_program_that_fails_or_is_not_there_is_told() {
    let folder = TempDir::new().unwrap();
    let fails = program(&folder, "fails", "echo 'no line' >&2; exit 3");
    let cause = tried(&folder, &[&fails]).await.unwrap_err();
    assert!(cause.contains("exit status: 3: no line"), "{cause}");
    let cause = tried(&folder, &[Path::new("/no/such")]).await.unwrap_err();
    assert!(cause.contains("/no/such cannot be started"), "{cause}");
}

#[tokio::test]
async fn a_program_that_hangs_is_ended_with_all_that_it_has_started() {
    let folder = TempDir::new().unwrap();
    // It holds the file as long as it lives.
    let text = "(exec 9>\"$1\"; flock 9; echo >\"$1.is\"; exec sleep 1000) &\nwait";
    let hangs = program(&folder, "hangs", text);
    let held = folder.path().join("held");
    let cause = tried(&folder, &[&hangs, &held]).await.unwrap_err();
    assert!(cause.contains("no answer within 5 s"), "{cause}");
    assert!(folder.path().join("held.is").exists());
    let mut freed = Command::new("flock");
    freed.args(["-w", "20"]).arg(&held).arg("true");
    assert!(freed.status().unwrap().success(), "its child lives");
}

#[tokio::test]
async fn what_a_program_leaves_behind_is_not_waited_for() {
    let folder = TempDir::new().unwrap();
    let pid = folder.path().join("pid");
    let leaves = program(&folder, "leaves", "sleep 1000 & echo $! > \"$1\"");
    let begun = Instant::now();
    tried(&folder, &[&leaves, &pid]).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5));
    let pid = std::fs::read_to_string(pid).unwrap();
    let ended = Command::new("kill").arg(pid.trim()).status().unwrap();
    assert!(ended.success(), "it is gone");
}
