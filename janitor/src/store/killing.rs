//! Killing programs that change a store, for tests of what a death in the middle leaves.

use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Kills the program of its third argument at the step of its second one.
const KILLED: &str = include_str!("../../../tests/killed.py");

/// Runs a program on a store with this input, and kills it before this step. Whether there was such a
/// step: without one it comes to its end.
pub(super) fn is_killed_at(step: u32, store: &Path, program: &str, input: &[u8]) -> bool {
    let mut running = Command::new("python3")
        .args(["-c", KILLED, store.to_str().unwrap()])
        .args([step.to_string().as_str(), program])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut standard_input = running.stdin.take().unwrap();
    standard_input.write_all(input).unwrap();
    drop(standard_input);
    let ended = running.wait().unwrap();
    if !ended.success() {
        // A program that fails by itself proves nothing.
        assert_eq!(ended.signal(), Some(9), "{step}: {ended}");
    }
    !ended.success()
}
