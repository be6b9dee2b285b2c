//! `plan_binaries` and `install_binaries`, on a guest.

use gentoo_updater_portage::command::{CommandLine, install_binaries, plan_binaries};
use gentoo_updater_portage::plan::{self, RowKind};
use gentoo_updater_tests::fixtures::Lab;

use crate::exact;
use crate::room::{Room, without, without_variable};
use crate::settings::Settings;

/// The new libalpha, and all that was bound to the old one.
const SET: [&str; 4] = [
    "dev-libs/libalpha-2.0-1",
    "dev-libs/libbeta-1.0-2",
    "app-misc/hello-2.0-1",
    "app-misc/newdep-1.0-1",
];

const INSTALLED: [&str; 6] = [
    "+app-misc/hello-2.0 #1",
    "+app-misc/newdep-1.0 #1",
    "+dev-libs/libalpha-2.0 #1",
    "-app-misc/hello-1.0",
    "-dev-libs/libalpha-1.0",
    "*dev-libs/libbeta-1.0 #2",
];

pub(crate) fn exactly_the_binaries_are_planned_and_installed_and_nothing_else_is_changed(
    lab: &Lab,
) {
    let set = exact(&SET);
    for settings in Settings::ALL {
        let room = Room::open(lab, "g1", settings);
        let done = room.act(&plan_binaries(&set));
        done.is_nothing();
        let plan = plan::parse(&done.said.stdout, &done.said.stderr, done.said.code);
        let plan = plan.unwrap_or_else(|error| panic!("{error}: {:#?}", done.said));
        assert_eq!(plan.rows.len(), SET.len(), "{plan:#?}");
        assert!(
            plan.rows.iter().all(|row| row.kind == RowKind::Binary),
            "{plan:#?}"
        );

        let done = room.act(&install_binaries(&set));
        done.is(&INSTALLED);
        done.left_the_store_alone();
        done.compiled_nothing();
    }
}

pub(crate) fn what_is_good_enough_stays_and_what_only_builds_need_is_not_installed(lab: &Lab) {
    // The store has a libbeta of another build with the same flags, and libgamma as installed.
    let set = exact(&["www-servers/tinyd-2.0-1", "app-misc/greeter-1.0-1"]);
    for settings in Settings::ALL {
        let room = Room::open(lab, "g1", settings);
        let done = room.act(&install_binaries(&set));
        done.is(&[
            "+www-servers/tinyd-2.0 #1",
            "-www-servers/tinyd-1.0",
            "*app-misc/greeter-1.0 #1",
        ]);
    }
}

pub(crate) fn without_oneshot_the_world_file_grows(lab: &Lab) {
    let room = Room::open(lab, "g1", Settings::Plain);
    let line = install_binaries(&exact(&["app-misc/newdep-1.0-1"]));
    let done = room.act(&without(line, "--oneshot"));
    assert!(done.world.contains("+app-misc/newdep"), "{:#?}", done);
}

pub(crate) fn without_respecting_use_the_wrong_binary_is_installed(lab: &Lab) {
    // Built with USE="doc -fast", and bound to the new libalpha.
    let set = exact(&[
        "dev-libs/libalpha-2.0-1",
        "dev-libs/libbeta-1.0-3",
        "app-misc/hello-2.0-1",
    ]);
    for settings in Settings::ALL {
        let room = Room::open(lab, "g1", settings);
        for line in [plan_binaries(&set), install_binaries(&set)] {
            let done = room.act(&line);
            assert_eq!(done.said.code, 1, "{:#?}", done.said);
            done.is_nothing();
        }
    }
    let room = Room::open(lab, "g1", Settings::Plain);
    let done = room.act(&without(install_binaries(&set), "--binpkg-respect-use=y"));
    assert_eq!(done.said.code, 0, "{:#?}", done.said);
    assert!(
        done.changes.contains("*dev-libs/libbeta-1.0 #3"),
        "{:#?}",
        done.changes
    );
}

pub(crate) fn without_keep_going_one_broken_binary_stops_the_others(lab: &Lab) {
    let set = exact(&["app-misc/newdep-1.0-1", "dev-libs/slotted-2.0-1"]);
    let broken = || {
        let room = Room::open(lab, "g1", Settings::Plain);
        room.sh("truncate -s 4000 /var/cache/binpkgs/app-misc/newdep/newdep-1.0-1.gpkg.tar");
        room
    };
    let done = broken().act(&install_binaries(&set));
    assert_eq!(done.said.code, 1, "{:#?}", done.said);
    assert_eq!(done.changes, ["+dev-libs/slotted-2.0 #1".to_owned()].into());
    let done = broken().act(&without(install_binaries(&set), "--keep-going=y"));
    assert_eq!(done.said.code, 1, "{:#?}", done.said);
    assert!(done.changes.is_empty(), "{:#?}", done.changes);
}

pub(crate) fn without_usepkgonly_nothing_can_be_installed_by_its_number(lab: &Lab) {
    let missing = exact(&["app-misc/newdep-1.0-1", "app-misc/slowpoke-2.0-1"]);
    for settings in Settings::ALL {
        // An ebuild is there, a binary is not: then nothing is done.
        let done = Room::open(lab, "g1", settings).act(&install_binaries(&missing));
        assert_eq!(done.said.code, 1, "{:#?}", done.said);
        done.is_nothing();
        done.compiled_nothing();
    }
    let room = Room::open(lab, "g1", Settings::Plain);
    let line = install_binaries(&exact(&["app-misc/newdep-1.0-1"]));
    let done = room.act(&without(line, "--usepkgonly"));
    assert_ne!(done.said.code, 0, "{:#?}", done.said);
    done.is_nothing();
}

/// One at a time, so that each earns its place.
pub(crate) fn without_features_the_settings_of_the_machine_do_harm(lab: &Lab) {
    let line = || without_variable(install_binaries(&exact(&SET)), "FEATURES");
    let set_to = |feature: &str| {
        let room = Room::open(lab, "g1", Settings::Plain);
        room.sh(&format!(
            "echo 'FEATURES=\"${{FEATURES}} {feature}\"' >> /etc/portage/make.conf"
        ));
        room
    };
    let backup = |line: &CommandLine| {
        let room = set_to("downgrade-backup");
        // What is installed is in the store no more.
        room.sh(
            "cd /var/cache/binpkgs && rm app-misc/downgraded/downgraded-2.0-1.*
             emaint binhost --fix",
        );
        let done = room.act(line);
        assert_eq!(done.said.code, 0, "{:#?}", done.said);
        done.store
            .iter()
            .any(|file| file.contains("downgraded-2.0"))
    };
    let downgrade = install_binaries(&exact(&["app-misc/downgraded-1.0-1"]));
    assert!(!backup(&downgrade));
    assert!(backup(&without_variable(downgrade, "FEATURES")));
    let room = set_to("-pkgdir-index-trusted");
    room.sh("cd /var/cache/binpkgs && touch -d 2001-01-01 app-misc/hello/*");
    let done = room.act(&line());
    assert!(done.store.contains("+./Packages"), "{:#?}", done.store);
}

pub(crate) fn edited_configuration_files_are_left_alone(lab: &Lab) {
    for settings in Settings::ALL {
        let room = Room::open(lab, "g1", settings);
        room.sh("echo 'listen = 10.0.0.1:80' > /etc/tinyd/tinyd.conf");
        let done = room.act(&install_binaries(&exact(&["www-servers/tinyd-2.0-1"])));
        done.is(&["+www-servers/tinyd-2.0 #1", "-www-servers/tinyd-1.0"]);
        assert!(room.holds("grep -qx 'listen = 10.0.0.1:80' /etc/tinyd/tinyd.conf"));
        assert!(room.holds("grep -q 9090 /etc/tinyd/._cfg0000_tinyd.conf"));
    }
}

pub(crate) fn who_demands_signatures_gets_an_error_and_no_package(lab: &Lab) {
    let room = Room::open(lab, "g1", Settings::Plain);
    room.sh(r#"echo 'FEATURES="${FEATURES} binpkg-request-signature"' >> /etc/portage/make.conf"#);
    let done = room.act(&install_binaries(&exact(&["app-misc/newdep-1.0-1"])));
    assert_eq!(done.said.code, 1, "{:#?}", done.said);
    assert!(done.changes.is_empty(), "{:#?}", done.changes);
}
