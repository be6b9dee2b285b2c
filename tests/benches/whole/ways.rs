//! Three ways from v1 to v2, each on a new lab that is alike.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use gentoo_updater_tests::actions::{
    Workers, make_kinds, prepare_for_v2, slow_down, want_what_guests_want,
};
use gentoo_updater_tests::assertions::{compilations, compilations_in_rooms};
use gentoo_updater_tests::fixtures::{Lab, Scene, stop_if_interrupted};

use crate::cost::{Cost, Guest, taken};
use crate::processor::Processor;
use crate::work::compile;

pub(crate) const GUESTS: usize = 6;
/// How many files the compiler gets for each package: about three seconds of a processor. What takes
/// longer saves more.
const FILES: u32 = 4;
/// How long a run may take.
const PATIENCE: Duration = Duration::from_secs(3600);

/// This project, with two builders of two clean-room slots each.
pub(crate) fn updater(processor: &Processor) -> Result<Cost, Box<dyn Error>> {
    stop_if_interrupted();
    let mut scene = Scene::with_broker(GUESTS, 2);
    scene.configuration.clean_room = "auto";
    scene.configuration.slots = 2;
    scene.configuration.policy.clear();
    let lab = &scene.lab;
    let guests = prepare(lab, &lab.guests(), &lab.builders());
    let mut workers = Workers::start(&scene);
    workers.wait_until_ready();
    let mut ended = None;
    let (wall, cpu) = taken(processor, || {
        ended = Some(scene.command("run", &["run"], PATIENCE));
    })?;
    let ended = ended.ok_or("there was no run")?;
    // A panic, so that the scene tells what happened.
    assert!(
        ended.status.success(),
        "the run ended with {}:\n{}{}",
        ended.status,
        ended.stdout,
        ended.stderr
    );
    workers.all_still_run();
    Ok(Cost {
        wall,
        processor: cpu,
        compilations: compilations_in_rooms(lab).len(),
        guests: Guest::ask(lab, guests),
    })
}

/// Each guest compiles for itself, all at once. The lab's guests have no compiler: its builders are
/// the guests here.
pub(crate) fn each_for_itself(processor: &Processor) -> Result<Cost, Box<dyn Error>> {
    stop_if_interrupted();
    let lab = Lab::up(0, GUESTS);
    let names = lab.builders();
    let guests = prepare(&lab, &names, &names);
    let update = |guest: &String| {
        let said = lab.exec(guest, &["emerge", "--color=n", "-uDN1", "@world"]);
        assert_eq!(said.code, 0, "{guest}:\n{}{}", said.stdout, said.stderr);
    };
    let (wall, cpu) = taken(processor, || {
        std::thread::scope(|scope| {
            for guest in &names {
                scope.spawn(move || update(guest));
            }
        });
    })?;
    let compiled = names.iter().map(|guest| compilations(&lab, guest).len());
    Ok(Cost {
        wall,
        processor: cpu,
        compilations: compiled.sum(),
        guests: Guest::ask(&lab, guests),
    })
}

/// How the builder of the script comes to what packages need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ByHand {
    /// It installs what is missing, before each package.
    Missing,
    /// Before all that it updates itself, and wants what the guests want: then nothing is built with a
    /// library that guests will not have any more.
    BuilderFirst,
}

/// A shell script with one builder that has the flags of the first kind, step by step, and the calls
/// in it that failed.
pub(crate) fn by_hand(
    how: ByHand,
    processor: &Processor,
) -> Result<(Cost, String), Box<dyn Error>> {
    stop_if_interrupted();
    let lab = Lab::up(GUESTS, 1);
    let builders = lab.builders();
    let guests = prepare(&lab, &lab.guests(), &builders);
    let folder = Path::new(lab.fact("LAB_RUN")).join("by-hand");
    fs::create_dir_all(&folder)?;
    if how == ByHand::BuilderFirst {
        for builder in &builders {
            want_what_guests_want(&lab, builder);
        }
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/whole/by_hand.sh");
    let mut command = Command::new("ip");
    command
        .args(["netns", "exec", lab.netns()])
        .arg(script)
        .args((how == ByHand::BuilderFirst).then_some("--builder-first"))
        .args([lab.fact("LAB_SSH_CONFIG").as_ref(), folder.as_os_str()])
        .args(&builders)
        .args(lab.guests())
        .stdin(Stdio::null());
    let mut ended = None;
    let (wall, cpu) = taken(processor, || ended = Some(command.status()))?;
    let ended = ended.ok_or("nothing was called")??;
    if !ended.success() {
        return Err(format!("by_hand.sh ended with {ended}").into());
    }
    let compiled = builders.iter().map(|one| compilations(&lab, one).len());
    let cost = Cost {
        wall,
        processor: cpu,
        compilations: compiled.sum(),
        guests: Guest::ask(&lab, guests),
    };
    Ok((cost, fs::read_to_string(folder.join("problems"))?))
}

/// A lab of the three kinds before its update, in which each package has something to compile.
fn prepare(lab: &Lab, guests: &[String], compiling: &[String]) -> Vec<(String, &'static str)> {
    prepare_for_v2(lab);
    let kinds = make_kinds(lab, guests);
    // Portage skips phases that an ebuild does not define; all of them install something.
    let bashrc = format!(
        "bench_work() {{\n\tcd \"${{T}}\" || die\n{}\n}}\n\
         if [[ ${{EBUILD_PHASE}} == install ]]; then ( bench_work ) || die; fi\n",
        compile(FILES)
    );
    for machine in compiling {
        slow_down(lab, machine, 0);
        let said = lab.exec_with_input(machine, &["tee", "/etc/portage/bashrc"], &bashrc);
        assert_eq!(said.code, 0, "{machine}: {}", said.stderr);
    }
    kinds
}
