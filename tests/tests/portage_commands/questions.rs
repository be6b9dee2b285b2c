//! `fix_index` and `portageq_…`.

use gentoo_updater_portage::command::{
    fix_index, portageq_envvars, portageq_match, portageq_metadata_installed, portageq_repositories,
};
use gentoo_updater_tests::fixtures::Lab;

use crate::cpv;
use crate::room::{Room, without_variable};
use crate::settings::Settings;

/// The binaries that the index names.
fn indexed(room: &Room<'_>) -> Vec<String> {
    let text = room.sh("cat /var/cache/binpkgs/Packages");
    let mut paths: Vec<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("PATH: "))
        .map(str::to_owned)
        .collect();
    paths.sort();
    paths
}

pub(crate) fn an_index_is_mended_and_a_good_one_is_left_alone(lab: &Lab) {
    for settings in Settings::ALL {
        let room = Room::open(lab, "b1", settings);
        let whole = indexed(&room);
        let done = room.act(&fix_index());
        done.is(&[]);
        assert!(done.store.is_empty(), "{settings:?}: {:#?}", done);
        let damages = [
            ": > Packages",
            "rm Packages*",
            // Behind a line. Of one that ends within a name it dies, as is seen below.
            "sed -i 40q Packages",
            "echo garbage > Packages",
            "sed -i '/^CPV: app-misc.hello-2.0/,/^$/d' Packages",
        ];
        for damage in damages {
            room.sh(&format!("cd /var/cache/binpkgs && {damage}"));
            let said = room.run(&fix_index());
            assert_eq!(said.code, 0, "{damage}: {said:#?}");
            assert_eq!(indexed(&room), whole, "{damage}: {said:#?}");
        }
        // A builder that meets such a one puts it aside (publish.sh).
        room.sh(
            "cd /var/cache/binpkgs && cp Packages whole && sed '/^CPV: app-misc.hello-2.0/q' whole |
             head -c -6 > Packages",
        );
        let said = room.run(&fix_index());
        assert_ne!(said.code, 0, "{said:#?}");
        room.sh("cd /var/cache/binpkgs && mv whole Packages");
        room.sh("rm /var/cache/binpkgs/app-misc/hello/hello-2.0-1.gpkg.tar");
        let said = room.run(&fix_index());
        assert_eq!(said.code, 0, "{said:#?}");
        assert_eq!(
            indexed(&room).len() + 1,
            whole.len(),
            "a file that is gone: {said:#?}"
        );
    }
}

/// Newer versions of Portage do so; 3.0.61 does not.
pub(crate) fn without_features_a_good_index_is_written_again(lab: &Lab) {
    let room = Room::open(lab, "b1", Settings::Hostile);
    let done = room.act(&without_variable(fix_index(), "FEATURES"));
    assert!(done.store.contains("+./Packages"), "{:#?}", done);
}

pub(crate) fn portageq_answers_the_same_whatever_the_machine_is_set_to(lab: &Lab) {
    let atom = |text: &str| text.parse().expect("an atom");
    let names = ["CHOST", "CFLAGS", "ARCH"].map(|name| name.parse().expect("a variable"));
    let metadata = ["SLOT", "repository", "BUILD_ID"].map(|name| name.parse().expect("a variable"));
    let lines = [
        (
            portageq_envvars(&names),
            "CHOST=x86_64-pc-linux-gnu\nCFLAGS=-O2 -pipe\nARCH=amd64\n",
        ),
        (
            portageq_match(&atom("dev-libs/libalpha")),
            "dev-libs/libalpha-1.0\n",
        ),
        (portageq_match(&atom("dev-libs/libalpha:0/2")), ""),
        (
            portageq_metadata_installed(&cpv("dev-libs/libalpha-1.0"), &metadata),
            "0/1\ngentoo\n1\n",
        ),
        (portageq_repositories(), "location = /var/db/repos/gentoo\n"),
    ];
    for settings in Settings::ALL {
        let room = Room::open(lab, "g1", settings);
        for (line, expected) in &lines {
            let done = room.act(line);
            done.is_nothing();
            // Some versions of Portage quote every value, others those with spaces.
            let stdout = done.said.stdout.replace(['\'', '"'], "");
            let whole = stdout == *expected;
            assert!(
                whole || (line.argv[1] == "repos_config" && stdout.contains(expected)),
                "{line:?}: {:#?}",
                done.said
            );
        }
    }
}
