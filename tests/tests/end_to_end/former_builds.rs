//! A builder's own log tells how long packages take that the fleet has never built.

use std::fmt::Write as _;
use std::time::Duration;

use gentoo_updater_fleet::message::{Durations, Event, Task};
use gentoo_updater_tests::actions::{self, History, Worker, Workers};
use gentoo_updater_tests::assertions;
use gentoo_updater_tests::fixtures::{Scene, wait_until};

/// What the guest wants anew, none of which needs another, and for how many seconds an old version of
/// each was compiled on the builder.
const BUILDS: [(&str, u64); 3] = [
    ("app-misc/bigdata", 3600),
    ("app-misc/slowpoke", 900),
    ("www-servers/tinyd", 7200),
];

/// Put in as a binary, which took as long as a nightly backup of the machine did beside it.
const BINARY: &str = "app-misc/rebuildme";

/// As emerge writes it.
fn log(builds: &[(&str, u64)]) -> String {
    let mut log = String::from("1700000000: Started emerge on: Nov 14, 2023 22:13:20\n");
    let mut time = 1_700_000_000;
    for (name, seconds) in builds {
        let package = format!("{name}-0.9");
        let ebuild = format!("({package}::/var/db/repos/gentoo/{package}.ebuild)");
        let merging = time + seconds;
        let _ = write!(
            log,
            "{time}:  >>> emerge (1 of 1) {package} to /\n\
             {time}:  === (1 of 1) Cleaning {ebuild}\n\
             {time}:  === (1 of 1) Compiling/Merging {ebuild}\n\
             {merging}:  === (1 of 1) Merging {ebuild}\n\
             {merging}:  ::: completed emerge (1 of 1) {package} to /\n"
        );
        time = merging;
    }
    let end = time + 90_000;
    let binary = format!("({BINARY}-0.9::/var/cache/binpkgs/{BINARY}-0.9-1.gpkg.tar)");
    let _ = write!(
        log,
        "{time}:  >>> emerge (1 of 1) {BINARY}-0.9 to /\n\
         {time}:  === (1 of 1) Merging Binary {binary}\n\
         {end}:  ::: completed emerge (1 of 1) {BINARY}-0.9 to /\n"
    );
    log
}

/// A fleet whose builder, with one slot, has such a log, and whose guest wants the packages in it.
fn prepare(scene: &mut Scene, builds: &[(&str, u64)]) {
    scene.configuration.clean_room = "auto";
    let lab = &scene.lab;
    actions::prepare_for_v2(lab);
    actions::slow_down(lab, "b1", 0);
    let wanted: Vec<&str> = builds.iter().map(|(name, _)| *name).collect();
    actions::want_only(lab, "g1", &[&wanted[..], &[BINARY]].concat());
    lab.sh(
        "b1",
        "mkdir -p /srv/log && echo 'EMERGE_LOG_DIR=/srv/log' >> /etc/portage/make.conf",
    );
    let write = ["sh", "-c", "cat > /srv/log/emerge.log"];
    let written = lab.exec_with_input("b1", &write, &log(builds));
    assert_eq!(written.code, 0, "{}", written.stderr);
}

/// What of these packages was given out, in its order.
fn given_out(history: &History) -> Vec<String> {
    let jobs: Vec<_> = history
        .events
        .iter()
        .filter_map(|event| match &event.message {
            Event::BatchPlanned(planned) => Some(&planned.batch.jobs),
            _ => None,
        })
        .flatten()
        .collect();
    let issued = history.events.iter().filter_map(|event| {
        let Event::CommandIssued(issued) = &event.message else {
            return None;
        };
        let Task::Build(id) = &issued.work.task else {
            return None;
        };
        let job = jobs.iter().find(|job| job.id == *id)?;
        Some(job.key.cpv.category_package.to_string())
    });
    issued
        .filter(|name| BUILDS.iter().any(|(known, _)| name == known))
        .collect()
}

fn learnt(history: &History) -> Vec<(String, Durations)> {
    let told = history
        .events
        .iter()
        .filter_map(|event| match &event.message {
            Event::DurationsLearned(told) => {
                Some((told.builder.to_string(), told.durations.clone()))
            }
            _ => None,
        });
    told.collect()
}

/// Each package was given out in the order of the log, and the log was told once.
fn followed(history: &History, builds: &[(&str, u64)]) {
    let mut longest_first = builds.to_vec();
    longest_first.sort_by_key(|(_, seconds)| std::cmp::Reverse(*seconds));
    let longest_first: Vec<&str> = longest_first.iter().map(|(name, _)| *name).collect();
    assert_eq!(given_out(history), longest_first);
    let told = builds.iter();
    let told = told.map(|(name, seconds)| (name.parse().unwrap(), seconds * 1000));
    assert_eq!(learnt(history), [("b1".to_owned(), told.collect())]);
}

#[test]
fn what_lasts_longest_by_the_log_of_a_builder_is_built_first_and_a_restart_tells_nothing_again() {
    let mut scene = Scene::with_broker(1, 1);
    prepare(&mut scene, &BUILDS);
    let mut workers = Workers::start(&scene);
    let run = actions::run(&scene);
    assertions::exit_code_is(&run, 0);
    assertions::outcome_is(&run.report, "g1", "Updated");
    followed(&History::read(&scene), &BUILDS);

    let looks = |history: &History| {
        let events = history.events.iter();
        let looks = events.filter(|event| match &event.message {
            Event::WorkerRegistered(registered) => {
                let machine = registered.machine.as_ref();
                machine.is_some_and(|machine| machine.compiles_as.is_some())
            }
            _ => false,
        });
        looks.count()
    };
    let before = looks(&History::read(&scene));
    workers.kill_and_start(&Worker::builder("b1"));
    wait_until("b1 was looked at again", Duration::from_secs(120), || {
        looks(&History::read(&scene)) > before
    });
    followed(&History::read(&scene), &BUILDS);
    workers.all_still_run();
}

#[test]
#[ignore = "takes long: make test-long"]
fn another_log_makes_another_order() {
    let mut scene = Scene::embedded(1, 1);
    let longest = BUILDS.map(|(_, seconds)| seconds).into_iter().max();
    let reversed = BUILDS.map(|(name, seconds)| (name, longest.unwrap() + 60 - seconds));
    prepare(&mut scene, &reversed);
    let run = actions::run(&scene);
    assertions::exit_code_is(&run, 0);
    followed(&History::read(&scene), &reversed);
}
