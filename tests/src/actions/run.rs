//! Runs of the fleet, as an operator starts them.

use std::time::Duration;

use serde_json::Value;

use crate::fixtures::{Process, Program, Scene};

/// How long a run of a whole world may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(420);

/// A run that is over.
#[derive(Debug)]
pub struct Run {
    /// The exit code of the command that followed it.
    pub code: i32,
    /// The report, as JSON.
    pub report: Value,
    /// Standard error of the command.
    pub stderr: String,
}

impl Run {
    fn read(code: Option<i32>, stdout: &str, stderr: String) -> Self {
        let report = serde_json::from_str(stdout).unwrap_or_else(|error| {
            panic!("the report is no JSON ({error}), exit code {code:?}:\n{stdout}\n{stderr}")
        });
        Self {
            code: code.unwrap_or(-1),
            report,
            stderr,
        }
    }
}

/// Runs the whole fleet.
pub fn run(scene: &Scene) -> Run {
    run_guests(scene, &[])
}

/// Runs some guests.
pub fn run_guests(scene: &Scene, guests: &[&str]) -> Run {
    call(scene, "run", guests)
}

/// Runs the whole fleet, and brings its ebuild repositories up to date first.
pub fn run_synced(scene: &Scene) -> Run {
    call(scene, "run", &["--sync"])
}

/// Shows what is pending.
pub fn scan(scene: &Scene) -> Run {
    call(scene, "scan", &[])
}

/// Shows what is pending, also of guests on which nothing has changed.
pub fn scan_anew(scene: &Scene) -> Run {
    call(scene, "scan", &["--force"])
}

fn call(scene: &Scene, subcommand: &str, guests: &[&str]) -> Run {
    let mut args = vec![subcommand, "--json"];
    args.extend(guests);
    let ended = scene.command(subcommand, &args, PATIENCE);
    Run::read(ended.status.code(), &ended.stdout, ended.stderr)
}

/// A run that goes on.
pub struct Running {
    process: Process,
}

/// Starts a run and does not wait for it. Each has a name of its own.
pub fn start_run(scene: &Scene, name: &str) -> Running {
    let process = scene.start(name, Program::Command, ["run", "--json"]);
    Running { process }
}

impl Running {
    /// Kills the command with SIGKILL.
    pub fn kill(self) {
        self.process.kill();
    }

    /// Waits for the end of the run.
    pub fn to_the_end(mut self) -> Run {
        let status = self.process.wait(PATIENCE);
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        Run::read(
            status.code(),
            &read(&self.process.stdout),
            read(&self.process.stderr),
        )
    }
}
