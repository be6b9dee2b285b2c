//! What a clean-room slot costs over the bare `emerge --buildpkgonly`, on one builder.
//!
//! `make bench` runs it, as root. Exit code 1: the limit is missed; 2: it could not run.
//!
//! Both build the same package with the same command line, in turns, in a new version each round. The
//! slot's time is that of the whole job as its worker tells it: the question what is installed, the
//! room with its mounts, the names of packages, the look for missing dependencies, the build, and the
//! end of the room, all followed over ssh. The bare emerge is timed on the builder itself, where all
//! that the build needs is installed. One package takes the compiler a while, as most do; what one
//! costs that compiles nothing is shown, and says what each job costs in any case.

#[path = "../../../shared/portage/benches/speed/quantile.rs"]
mod quantile;
#[path = "../../../shared/portage/benches/speed/table.rs"]
#[allow(dead_code)]
mod table;

#[path = "../shared/bare.rs"]
mod bare;
#[path = "../shared/work.rs"]
mod work;

use std::path::Path;
use std::process::ExitCode;

use gentoo_updater_portage::command::build_binary;
use gentoo_updater_portage::cpv::Cpv;
use gentoo_updater_runtime::emerge::in_own_environment;
use gentoo_updater_tests::actions::{History, prepare_for_v2, publish_only, run_guests, want_only};
use gentoo_updater_tests::fixtures::{Lab, Scene, run_bench, stop_if_interrupted};
use quantile::middle;
use table::{Limit, Table};

/// How often each builds. The middle counts.
const ROUNDS: u32 = 5;

/// How many files of some hundred functions are compiled.
const FILES: u32 = 16;

fn main() -> ExitCode {
    run_bench(measure)
}

/// A package that both build.
#[derive(Debug, Clone, Copy)]
struct Package {
    name: &'static str,
    files: u32,
}

impl Package {
    /// What its ebuild has of its own.
    fn ebuild(self) -> String {
        match self.files {
            0 => String::new(),
            files => format!("src_compile() {{\n{}}}\n", work::compile(files)),
        }
    }
}

const LONG: Package = Package {
    name: "long",
    files: FILES,
};
const SHORT: Package = Package {
    name: "short",
    files: 0,
};

/// Whether the limit is kept.
fn measure() -> bool {
    let mut scene = Scene::embedded(1, 1);
    scene.configuration.clean_room = "auto";
    prepare_for_v2(&scene.lab);
    let world = [LONG, SHORT].map(|package| format!("app-misc/{}", package.name));
    want_only(&scene.lab, "g1", &world.each_ref().map(String::as_str));
    let mut all = [Times::default(), Times::default()];
    // Round 0 brings files into memory.
    for round in 0..=ROUNDS {
        stop_if_interrupted();
        for package in [LONG, SHORT] {
            publish_only(&scene.lab, &version(package, round), &package.ebuild());
        }
        let bare_of = |package| bare_emerge(&scene.lab, &version(package, round));
        let early = (round % 2 == 0).then(|| [LONG, SHORT].map(bare_of));
        in_slots(&scene, round);
        let bare = early.unwrap_or_else(|| [LONG, SHORT].map(bare_of));
        if round == 0 {
            continue;
        }
        let history = History::read(&scene);
        for ((package, times), bare) in [LONG, SHORT].into_iter().zip(&mut all).zip(bare) {
            let cpv = version(package, round);
            let mut built = history.built().filter(|built| built.binary.cpv == cpv);
            let built = built
                .next()
                .unwrap_or_else(|| panic!("{cpv} was not built"));
            #[allow(clippy::cast_precision_loss)]
            times.add(built.duration_ms as f64 / 1000.0, bare);
        }
    }
    drop(scene);
    let [long, short] = all;
    let mut table = Table::default();
    table.show("bare emerge", middle(long.bare), "s");
    table.show("clean-room slot", middle(long.slot), "s");
    table.check(
        "slot / emerge, the middle of all pairs",
        middle(long.ratios),
        "",
        Limit::Below(1.15),
    );
    table.show("bare emerge that compiles nothing", middle(short.bare), "s");
    table.show("slot that compiles nothing", middle(short.slot), "s");
    print!("{table}");
    table.is_kept()
}

#[derive(Debug, Default)]
struct Times {
    slot: Vec<f64>,
    bare: Vec<f64>,
    ratios: Vec<f64>,
}

impl Times {
    fn add(&mut self, slot: f64, bare: f64) {
        self.slot.push(slot);
        self.bare.push(bare);
        self.ratios.push(slot / bare);
    }
}

fn version(package: Package, round: u32) -> Cpv {
    let text = format!("app-misc/{}-{}", package.name, round + 1);
    text.parse().expect("a package and version")
}

/// The run of a fleet whose guest wants the new versions.
fn in_slots(scene: &Scene, round: u32) {
    let run = run_guests(scene, &["g1"]);
    assert!(
        run.code == 0 && run.stderr.contains("builds in clean rooms"),
        "round {round} ended with {}:\n{:#}\n{}",
        run.code,
        run.report,
        run.stderr
    );
}

/// Seconds that emerge takes by itself.
fn bare_emerge(lab: &Lab, cpv: &Cpv) -> f64 {
    let repository = "gentoo".parse().expect("a name");
    let own = [("PKGDIR", Path::new("/tmp/bare"))];
    let command = in_own_environment(build_binary(cpv, &repository), &own);
    bare::seconds(lab, "b1", &command)
}
