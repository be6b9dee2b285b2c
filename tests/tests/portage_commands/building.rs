//! `only_dependencies`, `build_binary` and `merge_without_dependencies`, on a builder.

use gentoo_updater_portage::command::{
    CommandLine, build_binary, merge_without_dependencies, only_dependencies,
};
use gentoo_updater_tests::fixtures::Lab;

use crate::room::{Done, Room, without, without_variable};
use crate::settings::Settings;
use crate::{cpv, exact, gentoo};

/// A builder to whose `make.conf` one line was added.
fn set_to<'lab>(lab: &'lab Lab, line: &str) -> Room<'lab> {
    let room = Room::open(lab, "b1", Settings::Plain);
    room.sh(&format!(
        "cat >> /etc/portage/make.conf <<'END'\n{line}\nEND"
    ));
    room
}

fn compiled(done: &Done, packages: &[&str]) {
    let expected = packages.iter().map(|package| (*package).to_owned());
    assert_eq!(done.compiled, expected.collect(), "{:#?}", done.said);
}

pub(crate) fn only_what_the_build_needs_is_compiled_and_nothing_else_is_changed(lab: &Lab) {
    for settings in Settings::ALL {
        // Needs labgen to build, newdep to build and to run, and has libbeta.
        let room = Room::open(lab, "b1", settings);
        let done = room.act(&only_dependencies(&cpv("app-misc/greeter-2.0"), &gentoo()));
        compiled(&done, &["dev-util/labgen-1.1", "app-misc/newdep-1.0"]);
        done.is(&["+dev-util/labgen-1.1", "+app-misc/newdep-1.0"]);
        done.left_the_store_alone();
        // A second time there is nothing to do.
        let done = room.act(&only_dependencies(&cpv("app-misc/greeter-2.0"), &gentoo()));
        done.is(&[]);
    }
}

/// A package that needs a system package to build, which is not there.
const NEEDSBASE: &str = r#"
mkdir -p /var/db/repos/gentoo/app-misc/needsbase
cd /var/db/repos/gentoo/app-misc
sed 's,^RDEPEND=.*,DEPEND=sys-apps/labbase,' needskernel/needskernel-1.0.ebuild \
    > needsbase/needsbase-1.0.ebuild
rm -r /var/db/pkg/sys-apps/labbase-*"#;

pub(crate) fn without_an_option_more_or_less_than_the_dependencies_is_compiled(lab: &Lab) {
    let line = |package: &str| only_dependencies(&cpv(package), &gentoo());
    let room = || Room::open(lab, "b1", Settings::Plain);
    // Needs labkernel to run, and nothing to build.
    let done = room().act(&line("app-misc/needskernel-1.0"));
    done.is(&[]);
    let done = room().act(&without(
        line("app-misc/needskernel-1.0"),
        "--onlydeps-with-rdeps=n",
    ));
    done.is(&["+sys-kernel/labkernel-6.0"]);
    let done = room().act(&without(line("app-misc/needskernel-1.0"), "--onlydeps"));
    assert!(
        done.changes.contains("+app-misc/needskernel-1.0"),
        "{:#?}",
        done
    );
    // What installed packages were built with is not missing for this build.
    let done = room().act(&line("app-misc/leaner-1.0"));
    done.is(&[]);
    // What a build needs is no order: no binaries are made of it.
    let makes_binaries = |feature: &str, package: &str, needs: &str| {
        let room = set_to(lab, &format!("FEATURES=\"${{FEATURES}} {feature}\""));
        room.sh(NEEDSBASE);
        let done = room.act(&without_variable(line(package), "FEATURES"));
        assert_eq!(done.said.code, 0, "{:#?}", done.said);
        let is_binary = |file: &String| file.contains(needs);
        assert!(done.store.iter().any(is_binary), "{feature}: {:#?}", done);
        // On a second machine of this kind, with what they have.
        let room = set_to(lab, &format!("FEATURES=\"${{FEATURES}} {feature}\""));
        room.sh(NEEDSBASE);
        let done = room.act(&line(package));
        assert!(!done.changes.is_empty(), "{:#?}", done.said);
        done.left_the_store_alone();
    };
    makes_binaries("buildpkg", "app-misc/greeter-2.0", "app-misc/newdep/");
    makes_binaries("buildsyspkg", "app-misc/needsbase-1.0", "sys-apps/labbase/");
}

pub(crate) fn without_looking_deep_a_gap_below_an_installed_library_stays(lab: &Lab) {
    // As after a merge without dependencies: libbeta is there, and its libalpha is not.
    let gap = || {
        let room = Room::open(lab, "b1", Settings::Plain);
        room.sh(
            "emerge -q --ignore-default-opts --rage-clean dev-libs/libalpha app-misc/hello
             sed -i '/hello/d' /var/lib/portage/world",
        );
        room
    };
    let line = || only_dependencies(&cpv("app-misc/greeter-2.0"), &gentoo());
    let done = gap().act(&line());
    assert!(
        done.changes.contains("+dev-libs/libalpha-2.0"),
        "{:#?}",
        done
    );
    assert_eq!(done.said.code, 0, "{:#?}", done.said);
    let done = gap().act(&without(line(), "--deep"));
    assert!(
        !done.changes.contains("+dev-libs/libalpha-2.0"),
        "{:#?}",
        done
    );
}

pub(crate) fn without_ignoring_bindings_dependants_are_compiled_again(lab: &Lab) {
    let moved_on = || {
        let room = Room::open(lab, "b1", Settings::Plain);
        let done = room.act(&merge_without_dependencies(&exact(&[
            "dev-libs/libalpha-2.0-1",
        ])));
        done.is(&["+dev-libs/libalpha-2.0 #1", "-dev-libs/libalpha-1.0"]);
        room
    };
    let line = || only_dependencies(&cpv("app-misc/greeter-2.0"), &gentoo());
    let done = moved_on().act(&line());
    done.is(&["+dev-util/labgen-1.1", "+app-misc/newdep-1.0"]);
    let done = moved_on().act(&without(line(), "--ignore-built-slot-operator-deps=y"));
    assert!(
        done.changes.contains("-dev-libs/libalpha-2.0"),
        "the new library goes: {:#?}",
        done
    );
}

pub(crate) fn a_binary_is_built_and_nothing_is_installed(lab: &Lab) {
    for settings in Settings::ALL {
        let room = Room::open(lab, "b1", settings);
        let done = room.act(&build_binary(&cpv("app-misc/newdep-1.0"), &gentoo()));
        compiled(&done, &["app-misc/newdep-1.0"]);
        done.is(&[]);
        // Beside the index, of which newer versions of Portage write a compressed copy.
        let is_index = |file: &&String| file.contains("./Packages");
        let (index, files): (Vec<&String>, Vec<&String>) = done.store.iter().partition(is_index);
        assert!(!index.is_empty(), "{:#?}", done.said);
        let binary = "+./app-misc/newdep/newdep-1.0-2.gpkg.tar";
        assert_eq!(files, [binary], "{:#?}", done.said);
        // The number is in the binary, and the log is there for whoever looks for an error.
        assert!(room.holds("grep -q '^BUILD_ID: 2' /var/cache/binpkgs/Packages"));
        let log = ">>> Install app-misc/newdep-1.0 into";
        assert!(done.said.stdout.contains(log), "{:#?}", done.said);
        assert!(!room.holds("ls -d /var/tmp/portage/app-misc/newdep-1.0"));
    }
}

/// An installed package that cannot run with the new hello.
const PINNED: &str = r#"
mkdir -p /var/db/repos/gentoo/app-misc/pinned
cd /var/db/repos/gentoo/app-misc
sed 's,^RDEPEND=.*,RDEPEND="<app-misc/hello-2",' needskernel/needskernel-1.0.ebuild \
    > pinned/pinned-1.0.ebuild
emerge -q --ignore-default-opts --nodeps app-misc/pinned
emerge -q --ignore-default-opts --nodeps --oneshot --usepkgonly dev-libs/tinyhdr"#;

pub(crate) fn without_nodeps_installed_packages_object_to_what_is_not_installed(lab: &Lab) {
    let line = || build_binary(&cpv("app-misc/hello-2.0"), &gentoo());
    let room = Room::open(lab, "b1", Settings::Plain);
    room.sh(PINNED);
    let done = room.act(&line());
    done.is(&[]);
    compiled(&done, &["app-misc/hello-2.0"]);
    assert!(done.said.stderr.is_empty(), "{:#?}", done.said);
    let said = room.run(&without(line(), "--nodeps"));
    assert!(said.stderr.contains("slot conflict"), "{said:#?}");
}

pub(crate) fn without_buildpkgonly_the_package_is_installed(lab: &Lab) {
    let room = Room::open(lab, "b1", Settings::Plain);
    let line = build_binary(&cpv("app-misc/newdep-1.0"), &gentoo());
    let done = room.act(&without(line, "--buildpkgonly"));
    assert!(done.changes.contains("+app-misc/newdep-1.0"), "{:#?}", done);
    done.left_the_store_alone();
}

/// A package whose content is decided while it is compiled.
const FLAGGED: &str = r#"
mkdir -p /var/db/repos/gentoo/app-misc/flagged
cat > /var/db/repos/gentoo/app-misc/flagged/flagged-1.0.ebuild <<'END'
EAPI=8
DESCRIPTION="Knows whether it was built with doc"
HOMEPAGE="https://lab.invalid/"
LICENSE="GPL-2"
SLOT="0"
KEYWORDS="amd64"
IUSE="doc"
S="${WORKDIR}"
src_compile() {
    [[ ! -e /etc/portage/fail ]] || die "as it was told to"
    usex doc documented bare > state || die
}
src_install() { insinto /usr/share/flagged; doins state; }
END"#;

pub(crate) fn without_features_a_build_packs_what_another_left_behind(lab: &Lab) {
    let line = || build_binary(&cpv("app-misc/flagged-1.0"), &gentoo());
    let content = |line: &CommandLine| {
        let room = set_to(lab, "FEATURES=\"${FEATURES} keepwork\"");
        room.sh(FLAGGED);
        // The administrator built it with other flags, and kept what that left.
        room.sh("USE=-doc emerge -q --ignore-default-opts --buildpkgonly =app-misc/flagged-1.0");
        room.sh("echo 'app-misc/flagged doc' > /etc/portage/package.use/flagged");
        let done = room.act(line);
        assert_eq!(done.said.code, 0, "{:#?}", done.said);
        let binary = exact(&["app-misc/flagged-1.0-2"]);
        room.act(&merge_without_dependencies(&binary))
            .is(&["+app-misc/flagged-1.0 #2"]);
        room.sh("cat /usr/share/flagged/state")
    };
    assert_eq!(content(&line()), "documented\n");
    assert_eq!(content(&without_variable(line(), "FEATURES")), "bare\n");
}

pub(crate) fn without_features_folders_are_left_behind(lab: &Lab) {
    let line = || build_binary(&cpv("app-misc/flagged-1.0"), &gentoo());
    let is_left = |feature: &str, fails: bool, line: &CommandLine| {
        let room = set_to(lab, &format!("FEATURES=\"${{FEATURES}} {feature}\""));
        room.sh(FLAGGED);
        if fails {
            room.sh("touch /etc/portage/fail");
        }
        assert_eq!(room.run(line).code, i32::from(fails));
        room.holds("ls -d /var/tmp/portage/app-misc/flagged-1.0")
    };
    let cases = [
        ("keeptemp", false),
        ("noclean", true),
        ("-fail-clean", true),
    ];
    for (feature, fails) in cases {
        assert!(!is_left(feature, fails, &line()), "{feature}");
        let bare = without_variable(line(), "FEATURES");
        assert!(is_left(feature, fails, &bare), "{feature} does no harm");
    }
}

pub(crate) fn without_features_a_binary_has_no_number(lab: &Lab) {
    let line = || build_binary(&cpv("app-misc/newdep-1.0"), &gentoo());
    let path = |line: &CommandLine| {
        let room = set_to(lab, "FEATURES=\"${FEATURES} -binpkg-multi-instance\"");
        let done = room.act(line);
        let is_binary = |path: &&String| path.ends_with("gpkg.tar") && path.starts_with('+');
        let new: Vec<String> = done.store.iter().filter(is_binary).cloned().collect();
        new.join(" ")
    };
    assert!(path(&line()).contains("newdep-1.0-2.gpkg.tar"));
    assert!(path(&without_variable(line(), "FEATURES")).contains("newdep-1.0.gpkg.tar"));
}

pub(crate) fn binaries_are_merged_in_order_with_the_flags_they_have(lab: &Lab) {
    // The flags of libbeta are not the builder's own.
    let set = exact(&["dev-libs/libalpha-2.0-1", "dev-libs/libbeta-1.0-3"]);
    for settings in Settings::ALL {
        let room = Room::open(lab, "b1", settings);
        let done = room.act(&merge_without_dependencies(&set));
        done.is(&[
            "+dev-libs/libalpha-2.0 #1",
            "-dev-libs/libalpha-1.0",
            "*dev-libs/libbeta-1.0 #3",
        ]);
        done.left_the_store_alone();
        done.compiled_nothing();
        let place = |package: &str| done.said.stdout.find(&format!(") {package}"));
        assert!(place("dev-libs/libalpha-2.0") < place("dev-libs/libbeta-1.0"));
        // The builder's other programs still have the library that they were linked with.
        assert!(room.holds("/usr/bin/hello"), "preserve-libs");
    }
}

pub(crate) fn without_an_option_a_merge_looks_at_dependencies_or_changes_the_world(lab: &Lab) {
    let line = || merge_without_dependencies(&exact(&["dev-libs/libalpha-2.0-1"]));
    let room = || Room::open(lab, "b1", Settings::Plain);
    let done = room().act(&without(line(), "--oneshot"));
    assert!(done.world.contains("+dev-libs/libalpha"), "{:#?}", done);
    let done = room().act(&without(line(), "--nodeps"));
    assert!(
        done.said.code != 0 || done.changes.len() > 2,
        "dependants come along, or forbid it: {:#?}",
        done
    );
    let done = room().act(&without(line(), "--usepkgonly"));
    assert_ne!(
        done.said.code, 0,
        "an ebuild has no number: {:#?}",
        done.said
    );
    // Without preserve-libs the builder's other programs break.
    let room = set_to(lab, "FEATURES=\"${FEATURES} -preserve-libs\"");
    room.act(&without_variable(line(), "FEATURES"));
    assert!(!room.holds("/usr/bin/hello"));
}
