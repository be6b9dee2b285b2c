//! The binaries that the tests install.

use gentoo_updater_tests::fixtures::Lab;

use crate::room::Room;

/// Puts binaries of v1 and v2 into the store: `libbeta-1.0-1` as the guests have it, `-2` bound
/// to the new libalpha, `-3` with other USE; all others of v2 are the first of their version.
pub(crate) fn fill_the_store(lab: &Lab) {
    lab.must(&["fill", "v1"]);
    lab.must(&["publish", "v2"]);
    let room = Room::with_shared_store(lab, "b1");
    let emerge = "emerge --ignore-default-opts --color=n --quiet --oneshot --buildpkg --jobs=3";
    room.sh(&format!(
        "{emerge} dev-libs/libalpha app-misc/hello app-misc/newdep dev-libs/slotted:2 \
             www-servers/tinyd dev-libs/tinyhdr dev-util/labgen app-misc/downgraded
         USE='doc -fast' {emerge} dev-libs/libbeta
         emaint binhost --fix"
    ));
    let expected = [
        "dev-libs/libalpha/libalpha-2.0-1",
        "dev-libs/libbeta/libbeta-1.0-2",
        "dev-libs/libbeta/libbeta-1.0-3",
        "app-misc/hello/hello-2.0-1",
        "app-misc/newdep/newdep-1.0-1",
        "dev-libs/slotted/slotted-2.0-1",
        "www-servers/tinyd/tinyd-2.0-1",
        "app-misc/downgraded/downgraded-1.0-1",
    ];
    for binary in expected {
        let path = lab.store().join(format!("{binary}.gpkg.tar"));
        assert!(path.is_file(), "the workshop made no {}", path.display());
    }
}
