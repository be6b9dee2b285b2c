//! `plan_world`.

use std::collections::BTreeSet;

use gentoo_updater_portage::command::{CommandLine, plan_world};
use gentoo_updater_portage::plan;
use gentoo_updater_tests::fixtures::{Lab, Said};

use crate::room::{Room, without, without_variable};
use crate::settings::Settings;

/// The packages of a plan as it was printed, without the order, which emerge does not promise.
fn rows(said: &Said) -> BTreeSet<String> {
    let lines = said.stdout.lines();
    let rows: BTreeSet<String> = lines
        .filter(|line| line.starts_with('[') || line.starts_with("Total: "))
        .map(str::to_owned)
        .collect();
    assert!(!rows.is_empty(), "no plan: {said:#?}");
    rows
}

fn mentions(rows: &BTreeSet<String>, package: &str) -> bool {
    rows.iter().any(|row| row.contains(&format!(" {package}")))
}

pub(crate) fn the_plan_of_the_world_is_the_same_whatever_the_machine_is_set_to(lab: &Lab) {
    for with_build_dependencies in [false, true] {
        let line = plan_world(with_build_dependencies);
        let mut plans = Vec::new();
        for settings in Settings::ALL {
            let room = Room::open(lab, "g1", settings);
            let done = room.act(&line);
            assert_eq!(done.said.code, 0, "{:#?}", done.said);
            done.is_nothing();
            done.compiled_nothing();
            let plan = plan::parse(&done.said.stdout, &done.said.stderr, done.said.code);
            let plan = plan.unwrap_or_else(|error| panic!("{settings:?}: {error}"));
            assert!(plan.rows.len() > 10, "{plan:#?}");
            plans.push(rows(&done.said));
        }
        assert_eq!(
            plans[0], plans[1],
            "plain settings (left) and hostile ones (right)"
        );
    }
}

/// A guest that has everything at v1, and nothing that it would need to compile it.
fn at_v1(lab: &Lab) -> Room<'_> {
    let room = Room::open(lab, "g1", Settings::Plain);
    room.sh("sed -i s,/var/db/repos/gentoo$,/var/db/repos/gentoo-v1, /etc/portage/repos.conf/*");
    room
}

pub(crate) fn build_dependencies_are_planned_when_they_are_wanted_only(lab: &Lab) {
    let room = at_v1(lab);
    let plan = rows(&room.run(&plan_world(false)));
    assert!(
        plan.iter().any(|row| row.starts_with("Total: 0 packages")),
        "{plan:?}"
    );
    let plan = rows(&room.run(&plan_world(true)));
    assert!(mentions(&plan, "dev-libs/tinyhdr-1.0"), "{plan:?}");
    assert!(mentions(&plan, "dev-util/labgen-1.0"), "{plan:?}");
    // Emerge's own way is to plan them.
    let plan = rows(&room.run(&without(plan_world(false), "--with-bdeps=n")));
    assert!(mentions(&plan, "dev-util/labgen-1.0"), "{plan:?}");
}

pub(crate) fn without_an_option_the_plan_of_the_world_lacks_something(lab: &Lab) {
    let room = Room::open(lab, "g1", Settings::Plain);
    let line = || plan_world(false);
    let whole = rows(&room.run(&line()));
    // An installed dependency of a package that is not itself replaced.
    let lost = [
        ("--newuse", "app-misc/rebuildme-1.0"),
        ("--update", "app-misc/hello-2.0"),
        ("--deep", "sys-apps/labbase-1.0-r1"),
    ];
    for (option, package) in lost {
        assert!(mentions(&whole, package), "{package}: {whole:?}");
        let said = room.run(&without(line(), option));
        assert_ne!(rows(&said), whole, "without {option} the plan is the same");
    }
    // Slots and repositories are shown with --verbose only.
    let said = room.run(&without(line(), "--verbose"));
    assert!(
        plan::parse(&said.stdout, &said.stderr, said.code).is_err(),
        "{said:#?}"
    );
    without_features_binaries_are_planned(lab, line());
}

/// `FEATURES=getbinpkg` turns binaries on, local ones as well.
fn without_features_binaries_are_planned(lab: &Lab, line: CommandLine) {
    let room = Room::open(lab, "g1", Settings::Plain);
    room.sh(r#"echo 'FEATURES="${FEATURES} getbinpkg"
        PORTAGE_BINHOST="http://127.0.0.1:9/nothing-listens-here"' >> /etc/portage/make.conf"#);
    let is_binary = |row: &String| row.starts_with("[binary");
    assert!(!rows(&room.run(&line)).iter().any(is_binary));
    let line = without_variable(without_variable(line, "FEATURES"), "PKGDIR");
    assert!(rows(&room.run(&line)).iter().any(is_binary));
}
