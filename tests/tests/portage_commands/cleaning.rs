//! `depclean`, on a builder.

use gentoo_updater_portage::command::{CommandLine, depclean};
use gentoo_updater_portage::depclean::{Depclean, Verbosity, parse};
use gentoo_updater_tests::fixtures::Lab;

use crate::cpv;
use crate::room::{Done, Room, without, without_variable};
use crate::settings::Settings;

/// A builder on which somebody built hello with what that needs.
fn after_a_build(lab: &Lab, settings: Settings) -> Room<'_> {
    let room = Room::open(lab, "b1", settings);
    room.sh(
        "emerge -q --ignore-default-opts --oneshot --nodeps --usepkgonly \
             =dev-libs/tinyhdr-1.0-1 =dev-libs/libalpha-2.0-1 =app-misc/newdep-1.0-1",
    );
    room
}

fn understood(done: &Done) -> Depclean {
    parse(
        &done.said.stdout,
        &done.said.stderr,
        done.said.code,
        Verbosity::Normal,
    )
    .unwrap_or_else(|error| panic!("{error}: {:#?}", done.said))
}

fn line(packages: &[&str]) -> CommandLine {
    depclean(&packages.iter().map(|name| cpv(name)).collect::<Vec<_>>())
}

/// tinyhdr was needed to build hello and libalpha is needed to run it; tinyd is in the world file.
const PACKAGES: [&str; 4] = [
    "dev-libs/tinyhdr-1.0",
    "dev-libs/libalpha-2.0",
    "www-servers/tinyd-1.0",
    "app-misc/newdep-1.0",
];

pub(crate) fn what_nothing_needs_goes_and_the_rest_is_named(lab: &Lab) {
    for settings in Settings::ALL {
        let room = after_a_build(lab, settings);
        let done = room.act(&line(&PACKAGES));
        done.is(&["-dev-libs/tinyhdr-1.0", "-app-misc/newdep-1.0"]);
        done.left_the_store_alone();
        let depclean = understood(&done);
        assert_eq!(depclean.removed.len(), 2, "{depclean:#?}");
        let kept: Vec<String> = depclean
            .kept
            .iter()
            .map(|kept| kept.cpv.to_string())
            .collect();
        assert_eq!(
            kept,
            ["dev-libs/libalpha-2.0", "www-servers/tinyd-1.0"],
            "{depclean:#?}"
        );
        assert!(
            depclean.kept.iter().all(|kept| !kept.reasons.is_empty()),
            "{depclean:#?}"
        );
        // What is gone by then, and what all is needed, is no accident.
        let done = room.act(&line(&PACKAGES));
        done.is_nothing();
        assert_eq!(understood(&done).not_installed.len(), 2, "{:#?}", done.said);
    }
}

pub(crate) fn without_deselect_the_world_file_loses_a_package(lab: &Lab) {
    let room = after_a_build(lab, Settings::Plain);
    let done = room.act(&without(line(&["www-servers/tinyd-1.0"]), "--deselect=n"));
    assert!(done.world.contains("-www-servers/tinyd"), "{:#?}", done);
}

pub(crate) fn without_bdeps_what_was_needed_to_build_stays(lab: &Lab) {
    let room = after_a_build(lab, Settings::Plain);
    let done = room.act(&without(line(&PACKAGES), "--with-bdeps=n"));
    assert!(
        !done.changes.contains("-dev-libs/tinyhdr-1.0"),
        "{:#?}",
        done
    );
}

pub(crate) fn without_ignoring_bindings_a_library_in_use_goes(lab: &Lab) {
    // While its ebuild is there, an installed package needs what that says, and not what it is
    // bound to.
    let without_ebuilds = || {
        let room = after_a_build(lab, Settings::Plain);
        room.sh("rm -r /var/db/repos/gentoo/app-misc/hello /var/db/repos/gentoo/dev-libs/libbeta");
        room
    };
    let done = without_ebuilds().act(&line(&PACKAGES));
    done.is(&["-dev-libs/tinyhdr-1.0", "-app-misc/newdep-1.0"]);
    let option = "--ignore-built-slot-operator-deps=y";
    let done = without_ebuilds().act(&without(line(&PACKAGES), option));
    assert!(
        done.said.code != 0 || done.changes.contains("-dev-libs/libalpha-2.0"),
        "{:#?}",
        done
    );
}

pub(crate) fn without_verbose_nobody_knows_what_needs_a_package(lab: &Lab) {
    let room = after_a_build(lab, Settings::Plain);
    let done = room.act(&without(line(&PACKAGES), "--verbose"));
    let depclean = parse(
        &done.said.stdout,
        &done.said.stderr,
        done.said.code,
        Verbosity::Normal,
    );
    let knows = depclean.is_ok_and(|depclean| {
        depclean.kept.len() == 2 && depclean.kept.iter().all(|kept| !kept.reasons.is_empty())
    });
    assert!(!knows, "{:#?}", done.said);
}

pub(crate) fn without_clean_delay_it_counts_down(lab: &Lab) {
    let room = after_a_build(lab, Settings::Hostile);
    let counts_down = |done: &Done| done.said.stdout.contains(">>> Waiting 2 seconds");
    let done = room.act(&line(&["dev-libs/tinyhdr-1.0"]));
    assert!(!counts_down(&done), "{:#?}", done.said);
    let done = room.act(&without_variable(
        line(&["app-misc/newdep-1.0"]),
        "CLEAN_DELAY",
    ));
    assert!(counts_down(&done), "{:#?}", done.said);
}

pub(crate) fn without_features_it_leaves_binaries_in_the_store(lab: &Lab) {
    let backup = |line: &CommandLine| {
        let room = Room::open(lab, "b1", Settings::Plain);
        room.sh(
            "echo 'FEATURES=\"${FEATURES} unmerge-backup\"' >> /etc/portage/make.conf
             emerge -q --ignore-default-opts --oneshot sys-kernel/labkernel",
        );
        let done = room.act(line);
        done.is(&["-sys-kernel/labkernel-6.0"]);
        let is_backup = |file: &String| file.contains("sys-kernel/labkernel/");
        done.store.iter().any(is_backup)
    };
    let line = || line(&["sys-kernel/labkernel-6.0"]);
    assert!(!backup(&line()));
    assert!(backup(&without_variable(line(), "FEATURES")));
}
