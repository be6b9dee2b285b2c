//! Which pages are read on which lab.

use std::path::Path;
use std::time::Duration;

use gentoo_updater_tests::actions;
use gentoo_updater_tests::fixtures::{Broker, Lab, wait_until};

use crate::page::{Step, is_as_shown, steps};
use crate::stage::{STORE, Stage};
use crate::{project, text_of};

/// Pages that bring updates without a broker, each to guests as they were before.
const UPDATES: [&str; 5] = [
    "docs/tutorial.md",
    "docs/how-to/five-guests.md",
    "docs/how-to/waves.md",
    "docs/how-to/rollback.md",
    "docs/how-to/notifications.md",
];

/// Pages for whoever has updated a fleet: the first one does that, and the others look at what is there.
const AFTER_A_RUN: [&str; 12] = [
    "README.md",
    "docs/how-to/look-at-runs.md",
    "docs/how-to/afterwards.md",
    "docs/how-to/failed-builds.md",
    "docs/how-to/trust.md",
    "docs/how-to/output-not-understood.md",
    "docs/reference/doctor.md",
    "docs/how-to/store.md",
    "docs/how-to/what-builds-leave.md",
    "docs/how-to/dashboard.md",
    "docs/how-to/schedule.md",
    "docs/how-to/signed-binaries.md",
];

/// A page for guests that do not mount the store.
const OVER_HTTP: [&str; 1] = ["docs/how-to/guests-without-the-store.md"];

/// Pages about builders.
const BUILDERS: [&str; 2] = ["docs/how-to/add-a-builder.md", "docs/how-to/clean-rooms.md"];

/// A page that builds the same with helpers.
const HELPERS: [&str; 1] = ["docs/how-to/distcc.md"];

/// Pages that have a broker, and what it has heard.
const WITH_A_BROKER: [&str; 3] = [
    "docs/how-to/five-hundred.md",
    "docs/how-to/queues.md",
    "docs/how-to/monitoring.md",
];

/// Pages that begin with an empty broker each.
const WITH_A_NEW_BROKER: [&str; 2] = [
    "docs/how-to/separate-users.md",
    "docs/how-to/lost-broker.md",
];

/// Pages whose commands a test below runs.
pub(crate) fn is_read(page: &str) -> bool {
    let lists: [&[&str]; 7] = [
        &UPDATES,
        &AFTER_A_RUN,
        &OVER_HTTP,
        &BUILDERS,
        &HELPERS,
        &WITH_A_BROKER,
        &WITH_A_NEW_BROKER,
    ];
    lists.iter().any(|pages| pages.contains(&page))
}

/// How long a page's `sh,until` may take.
const PATIENCE: Duration = Duration::from_secs(900);

/// Reads pages one after the other on a new controller, which keeps what it has from one to the next,
/// but for what stays beside the others.
fn read(pages: &[&str], lab: &Lab, names: &[(&str, &str)], broker: Option<&Broker>) {
    let mut stage = Stage::new(lab, names, broker);
    for page in pages {
        println!("reading {page}");
        read_one(page, &mut stage);
        stage.end_workers();
    }
}

/// Reads a page from top to bottom, and does what it says.
fn read_one(page: &str, stage: &mut Stage<'_>) {
    let mut printed = String::new();
    let mut steps = steps(&text_of(&project().join(page)))
        .into_iter()
        .peekable();
    while let Some(step) = steps.next() {
        match step {
            Step::Write { path, content, add } => stage.write(&path, &content, add),
            Step::Run(run) => {
                let until = match steps.peek() {
                    Some(Step::Compare(shown)) if run.until => Some(shown.clone()),
                    _ => {
                        assert!(!run.until, "{page}: what is looked for:\n{}", run.commands);
                        None
                    }
                };
                let mut said = stage.run(&run);
                if let Some(shown) = until {
                    wait_until(&format!("{page} shows\n{shown}"), PATIENCE, || {
                        said = stage.run(&run);
                        let is_shown = is_as_shown(&shown, &said.stdout);
                        if !is_shown {
                            // Of a test that fails it is printed.
                            println!("not yet: {}", said.all);
                        }
                        is_shown
                    });
                }
                assert_eq!(
                    said.code,
                    Some(run.exit),
                    "{page} (exit code left):\n{}\nprinted\n{}\nworkers logged\n{}",
                    run.commands,
                    said.all,
                    stage.logs()
                );
                printed = said.stdout;
            }
            Step::Compare(shown) => assert!(
                is_as_shown(&shown, &printed),
                "{page} shows\n{shown}\nand printed was\n{printed}"
            ),
            Step::Elsewhere { .. } | Step::Example(_) => {}
        }
    }
}

/// A lab that has updates to bring.
fn lab(guests: usize, builders: usize) -> Lab {
    let lab = Lab::up(guests, builders);
    actions::prepare_for_v2(&lab);
    lab
}

/// Guests as they were before any update. What was built for them is in the store.
fn begin_again(lab: &Lab, guests: &[&str]) {
    for guest in guests {
        lab.must(&["reset", guest]);
    }
}

#[test]
#[ignore = "takes long: make test-long"]
fn updates_reach_guests_from_the_tutorial_to_waves_and_the_way_back() {
    let names = [
        ("web", "g1"),
        ("mail", "g2"),
        ("db", "g3"),
        ("git", "g4"),
        ("fast", "b1"),
    ];
    let lab = lab(4, 1);
    for page in UPDATES {
        if page.ends_with("rollback.md") {
            actions::want_only(&lab, "g1", &["app-misc/hello", "app-misc/greeter"]);
        }
        read(&[page], &lab, &names, None);
        begin_again(&lab, &["g1", "g2"]);
    }
}

#[test]
fn a_newcomer_updates_a_fleet_by_readme_and_looks_at_it() {
    let names = [("web", "g1"), ("mail", "g2"), ("fast", "b1")];
    let lab = lab(2, 1);
    read(&AFTER_A_RUN, &lab, &names, None);
    begin_again(&lab, &["g1"]);
    let server = lab.fact("LAB_CTL_IP");
    lab.sh(
        "g1",
        &format!("umount /var/cache/binpkgs; echo '{server} {STORE}' >> /etc/hosts"),
    );
    read(&OVER_HTTP, &lab, &names, None);
}

#[test]
#[ignore = "takes long: make test-long"]
fn one_more_builder_and_distcc() {
    let names = [("web", "g1"), ("fast", "b1"), ("spare", "b2")];
    let lab = lab(1, 2);
    read(&BUILDERS, &lab, &names, None);
    begin_again(&lab, &["g1"]);
    lab.sh("b1", "find /var/cache/binpkgs -mindepth 1 -delete");
    lab.must(&["fill", "v1"]);
    let spare = lab.ip("b2");
    for builder in ["b1", "b2"] {
        lab.must(&["distcc", builder]);
        // As a Gentoo names its compiler; the name is sent to the other machine.
        lab.sh(
            builder,
            &format!(
                "ln -s gcc /usr/bin/x86_64-pc-linux-gnu-gcc
                 echo '{spare} spare.example.net' >> /etc/hosts"
            ),
        );
    }
    read(&HELPERS, &lab, &names, None);
}

#[test]
#[ignore = "takes long: make test-long"]
fn a_broker_for_five_hundred_guests_of_which_the_lab_has_two() {
    let names = [
        ("web", "g1"),
        ("mail", "g2"),
        ("fast", "b1"),
        ("spare", "b2"),
    ];
    let lab = lab(2, 2);
    let broker = Broker::start(
        lab.netns(),
        &Path::new(lab.fact("LAB_RUN")).join("rabbitmq"),
    );
    read(&WITH_A_BROKER, &lab, &names, Some(&broker));
    for page in WITH_A_NEW_BROKER {
        begin_again(&lab, &["g1", "g2"]);
        broker.forget("fleet");
        read(&[page], &lab, &names, Some(&broker));
    }
}
