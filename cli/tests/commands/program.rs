//! The program with the configuration `fleet.toml` of a folder.

use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// The program in the folder of a fleet.
pub(crate) fn command(fleet: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gentoo-updater"));
    command
        .args(["--config", "fleet.toml"])
        .args(arguments)
        .current_dir(fleet.path())
        .env_remove("RUST_LOG")
        .stdin(Stdio::null());
    command
}

/// Its exit code, and what it said.
pub(crate) fn run(fleet: &TempDir, arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command(fleet, arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}
