//! What the installer's transaction costs a guest over the bare emerge, on guests that are alike.
//!
//! `make bench` runs it, as root. Exit code 1: the limit is missed; 2: it could not run.
//!
//! Both install the same binaries with the same command line, in turns, each on a guest of its own.
//! The transaction is all from the order to start it until its end is known and its log read: the
//! note of what was ordered, the detached job under its lock, and following it over ssh. The bare
//! emerge is timed on the guest itself. Proof and verification are shown, and are not part of it.

#[path = "../../../shared/portage/benches/speed/quantile.rs"]
mod quantile;
#[path = "../../../shared/portage/benches/speed/table.rs"]
#[allow(dead_code)]
mod table;

#[path = "../shared/bare.rs"]
mod bare;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use gentoo_updater_portage::command::install_binaries;
use gentoo_updater_portage::cpv::ExactPackage;
use gentoo_updater_runtime::emerge::in_own_environment;
use gentoo_updater_tests::actions::prepare_for_v2;
use gentoo_updater_tests::assertions::installed;
use gentoo_updater_tests::fixtures::{Scene, run_bench, stop_if_interrupted};
use quantile::middle;
use serde_json::Value;
use table::{Limit, Table};

const PACKAGES: usize = 12;
/// How often each installs. The middle counts.
const ROUNDS: usize = 5;
const PATIENCE: Duration = Duration::from_secs(600);
/// Where guests see the store.
const STORE: &str = "/var/cache/binpkgs";

fn main() -> ExitCode {
    run_bench(measure)
}

/// The parts of one installation, in seconds.
#[derive(Debug, Clone, Copy)]
struct Parts {
    proof: f64,
    transaction: f64,
    verification: f64,
}

/// Whether the limit is kept.
fn measure() -> bool {
    let mut scene = Scene::embedded(2 * ROUNDS + 2, 1);
    scene.configuration.policy.clear();
    prepare_for_v2(&scene.lab);
    let mut guests = scene.lab.guests().into_iter();
    let mut next = || guests.next().expect("a guest for each installation");
    // What is needed is built, and files come into memory.
    let (first, warmed) = (next(), next());
    let (_, report) = update(&scene, &first);
    let set = set_of(&scene, &first, &report);
    bare_emerge(&scene, &warmed, &set);
    let (mut ours, mut emerge, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        stop_if_interrupted();
        let (one, other) = (next(), next());
        let (parts, seconds) = if round % 2 == 0 {
            let (parts, _) = update(&scene, &one);
            (parts, bare_emerge(&scene, &other, &set))
        } else {
            let seconds = bare_emerge(&scene, &other, &set);
            (update(&scene, &one).0, seconds)
        };
        assert_eq!(
            installed(&scene.lab, &one),
            installed(&scene.lab, &other),
            "{one} and {other} have the same binaries"
        );
        ours.push(parts);
        emerge.push(seconds);
        ratios.push(parts.transaction / seconds);
    }
    drop(scene);
    let bare = format!("bare emerge of {PACKAGES} packages");
    let middle_of = |part: fn(&Parts) -> f64| middle(ours.iter().map(part).collect());
    let mut table = Table::default();
    table.show(&bare, middle(emerge), "s");
    table.show("transaction", middle_of(|parts| parts.transaction), "s");
    table.check(
        "transaction / emerge, the middle of all pairs",
        middle(ratios),
        "",
        Limit::Below(1.05),
    );
    table.show("proof beforehand", middle_of(|parts| parts.proof), "s");
    table.show(
        "verification afterwards",
        middle_of(|parts| parts.verification),
        "s",
    );
    print!("{table}");
    table.is_kept()
}

/// Updates a guest as an operator does. Gives what the log says of how long the installer's parts
/// took, and the report.
fn update(scene: &Scene, guest: &str) -> (Parts, Value) {
    let name = format!("run-{guest}");
    let args = ["--log-format", "json", "run", guest, "--json"];
    let ended = scene.command(&name, &args, PATIENCE);
    assert!(
        ended.status.success(),
        "{guest} was not updated: {}\n{}\n{}",
        ended.status,
        ended.stdout,
        ended.stderr
    );
    let mut installations = ended.stderr.lines().filter_map(|line| {
        let fields: Value = serde_json::from_str(line).ok()?;
        let fields = fields.get("fields")?.clone();
        fields.get("transaction_ms").is_some().then_some(fields)
    });
    let fields = installations.next();
    let fields = fields.unwrap_or_else(|| panic!("no installation is logged:\n{}", ended.stderr));
    assert!(installations.next().is_none(), "one round is enough");
    assert_eq!(fields["packages"], PACKAGES, "{fields}");
    let seconds = |part: &str| {
        let milliseconds = fields[part].as_f64();
        milliseconds.unwrap_or_else(|| panic!("no {part}: {fields}")) / 1000.0
    };
    let parts = Parts {
        proof: seconds("proof_ms"),
        transaction: seconds("transaction_ms"),
        verification: seconds("verification_ms"),
    };
    let report = serde_json::from_str(&ended.stdout).expect("a report is JSON");
    (parts, report)
}

/// Seconds that emerge takes by itself.
fn bare_emerge(scene: &Scene, guest: &str, set: &[ExactPackage]) -> f64 {
    let command = in_own_environment(install_binaries(set), &[("PKGDIR", Path::new(STORE))]);
    bare::seconds(&scene.lab, guest, &command)
}

/// The binaries that a run has put on a guest.
fn set_of(scene: &Scene, guest: &str, report: &Value) -> Vec<ExactPackage> {
    let installed = installed(&scene.lab, guest);
    let changes = report["guests"][guest]["changes"].as_array();
    let changes = changes.expect("a report lists what changed");
    let names = changes.iter().filter_map(|change| change["after"].as_str());
    names
        .map(|name| ExactPackage {
            cpv: name.parse().expect("a package and version"),
            build_id: Some(installed[name].build_id.parse().expect("a binary's number")),
        })
        .collect()
}
