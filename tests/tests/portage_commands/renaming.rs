//! Package moves: who applies them, and to what.

use gentoo_updater_portage::command::{
    CommandLine, apply_package_moves, build_binary, depclean, install_binaries,
    merge_without_dependencies, only_dependencies, plan_binaries, plan_world,
};
use gentoo_updater_portage::plan;
use gentoo_updater_tests::fixtures::Lab;

use crate::room::{Room, without, without_variable};
use crate::settings::Settings;
use crate::{cpv, exact, gentoo};

/// A machine whose repository has a new name for `app-misc/bigdata`, and which wants it.
fn renamed<'lab>(lab: &'lab Lab, machine: &'static str, settings: Settings) -> Room<'lab> {
    let room = Room::open(lab, machine, settings);
    room.sh("cd /var/db/repos/gentoo
         mkdir -p profiles/updates
         mv app-misc/bigdata app-misc/hugedata
         for file in app-misc/hugedata/*.ebuild; do mv $file ${file/bigdata-/hugedata-}; done
         rm metadata/md5-cache/app-misc/bigdata-*
         echo 'move app-misc/bigdata app-misc/hugedata' > profiles/updates/1Q-2026
         echo 'app-misc/bigdata nls' > /etc/portage/package.use/bigdata");
    room
}

pub(crate) fn new_names_are_applied_to_the_machine_and_the_store_is_left_alone(lab: &Lab) {
    for (machine, line) in [("b1", apply_package_moves()), ("g1", plan_world(false))] {
        for settings in Settings::ALL {
            let room = renamed(lab, machine, settings);
            let done = room.act(&line);
            assert_eq!(done.said.code, 0, "{:#?}", done.said);
            // As an administrator's own `emerge --pretend` would.
            let names = |set: &std::collections::BTreeSet<String>| -> Vec<String> {
                set.iter().cloned().collect()
            };
            assert_eq!(names(&done.changes)[1..], ["-app-misc/bigdata-1.0"]);
            assert!(names(&done.changes)[0].starts_with("+app-misc/hugedata-1.0"));
            assert_eq!(
                names(&done.world),
                ["+app-misc/hugedata", "-app-misc/bigdata"]
            );
            assert!(room.holds("grep -rq hugedata /etc/portage/package.use"));
            done.left_the_store_alone();
            done.compiled_nothing();
            if machine == "g1" {
                let plan = plan::parse(&done.said.stdout, &done.said.stderr, done.said.code);
                let plan = plan.unwrap_or_else(|error| panic!("{error}: {:#?}", done.said));
                let new = cpv("app-misc/hugedata-2.0");
                assert!(plan.rows.iter().any(|row| row.cpv == new), "{plan:#?}");
            }
            // They are new once only.
            let done = room.act(&apply_package_moves());
            done.is(&[]);
        }
    }
}

pub(crate) fn without_its_pkgdir_a_plan_renames_binaries_in_the_store(lab: &Lab) {
    for line in [apply_package_moves(), plan_world(false)] {
        let room = renamed(lab, "b1", Settings::Plain);
        let done = room.act(&without_variable(line, "PKGDIR"));
        assert!(
            done.store
                .iter()
                .any(|file| file.contains("app-misc/hugedata/")),
            "{:#?}",
            done.store
        );
    }
}

pub(crate) fn without_package_moves_off_a_step_renames_binaries_in_the_store(lab: &Lab) {
    let set = exact(&["app-misc/newdep-1.0-1"]);
    let package = cpv("app-misc/newdep-1.0");
    let lines: [CommandLine; 6] = [
        plan_binaries(&set),
        install_binaries(&set),
        merge_without_dependencies(&set),
        only_dependencies(&package, &gentoo()),
        build_binary(&package, &gentoo()),
        depclean(&[package]),
    ];
    let is_renamed = |file: &String| file.contains("app-misc/hugedata/");
    for line in lines {
        let room = renamed(lab, "b1", Settings::Plain);
        let done = room.act(&line);
        assert!(!done.store.iter().any(is_renamed), "{line:?}: {:#?}", done);
        assert!(room.has("app-misc/bigdata-1.0"), "{line:?}");
        let done = room.act(&without(line.clone(), "--package-moves=n"));
        assert!(done.store.iter().any(is_renamed), "{line:?}: {:#?}", done);
    }
}
