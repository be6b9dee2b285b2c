//! `gentoo-updater config check`.

use std::path::Path;
use std::process::{Command, Output};

use gentoo_updater_tests::fixtures::{Program, program};

const WRONG_USAGE: i32 = 64;

#[test]
fn an_unknown_key_is_refused_with_file_and_line() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("fleet.toml");
    let text = "[builders.b1]\naddress = \"local\"\n\n[guests.g1]\nadress = \"local\"\n";
    std::fs::write(&file, text).expect("a configuration is written");

    let output = check(&file);

    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(WRONG_USAGE), "{stderr}");
    for words in ["fleet.toml", "line 5", "adress"] {
        assert!(stderr.contains(words), "{words:?} is not in: {stderr}");
    }
}

#[test]
fn a_missing_file_is_wrong_usage() {
    let output = check(Path::new("/nonexistent/fleet.toml"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(WRONG_USAGE), "{stderr}");
    assert!(stderr.contains("/nonexistent/fleet.toml"), "{stderr}");
}

#[test]
fn the_commented_example_is_a_configuration() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/fleet.toml");
    let output = check(&example);
    assert!(
        output.status.success(),
        "{}: {}",
        example.display(),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn check(file: &Path) -> Output {
    Command::new(program(Program::Command))
        .args(["config", "check", "--config"])
        .arg(file)
        .env_clear()
        .output()
        .expect("the operator's command runs")
}
