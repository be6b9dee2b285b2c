//! What `gentoo-updater store gc --dry-run` costs on a store of 100,000 packages, against its limits.
//!
//! `make bench` runs it, as root. Exit code 1: a limit is missed; 2: it could not run.
//!
//! It is the whole command on a lab: it reads the history, connects to the builder, looks into the store
//! and at the sources there, asks a guest what it has, decides, and prints each binary that would go.

#[path = "../../../shared/portage/benches/speed/quantile.rs"]
mod quantile;
#[path = "../../../shared/portage/benches/speed/table.rs"]
#[allow(dead_code)]
mod table;

#[path = "../shared/usage.rs"]
mod usage;

mod generated;

use std::process::{Command, ExitCode};
use std::time::Duration;

use gentoo_updater_tests::fixtures::{Program, Scene, program, run_bench};
use serde_json::Value;
use table::{Limit, Table};
use usage::{Usage, together};

const PACKAGES: usize = 100_000;
/// The middle of them counts.
const ROUNDS: usize = 5;

fn main() -> ExitCode {
    run_bench(measure)
}

/// Whether every limit is kept.
fn measure() -> bool {
    let scene = Scene::embedded(1, 1);
    // A run of which the history tells. It would collect what nobody needs.
    let ended = scene.command("run", &["run"], Duration::from_secs(900));
    assert!(
        ended.status.success(),
        "the guest is up to date: {}",
        ended.stderr
    );
    generated::fill(&scene.lab.store(), PACKAGES);
    let taken: Vec<Usage> = (0..ROUNDS).map(|_| look(&scene)).collect();
    let middle = Usage::middle(&taken);
    println!(
        "{:40}{:>9}{:>12}{:>9}   (the middle of {ROUNDS} rounds)",
        "", "CPU", "memory", "wall"
    );
    println!("{:40}{middle}", "gentoo-updater store gc --dry-run");
    let mut table = Table::default();
    let what = format!("gc --dry-run of {PACKAGES} packages");
    table.check(&what, middle.wall, "s", Limit::Below(5.0));
    // What is measured is MiB, the limit is MB.
    table.check(
        "memory",
        middle.memory * 1.048_576,
        "MB",
        Limit::Below(200.0),
    );
    print!("\n{table}");
    table.is_kept()
}

fn look(scene: &Scene) -> Usage {
    let mut command = Command::new(program(Program::Command));
    command
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", scene.file("logs"))
        .env("LANG", "C.UTF-8")
        .arg("--config")
        .arg(scene.write_configuration())
        .args(["store", "gc", "--dry-run", "--json"]);
    let (usage, answers) = together(scene.lab.netns(), &scene.file("logs"), vec![command]);
    let said: Value = serde_json::from_str(&answers[0]).expect("JSON");
    let removals = said["platforms"]
        .as_object()
        .and_then(|all| all.values().next());
    let removals = removals
        .and_then(|one| one["removals"].as_array())
        .map(Vec::len);
    assert_eq!(removals, Some(PACKAGES), "what would go");
    usage
}
