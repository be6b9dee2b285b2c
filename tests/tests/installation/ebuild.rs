//! The ebuild of the finished programs, with the real Portage.

use std::fs;
use std::path::Path;
use std::process::Command;

use gentoo_updater_tests::fixtures::Lab;
use tempfile::TempDir;

use crate::tree::{checkout, programs};

/// Where the repository lies on the guest.
const REPOSITORY: &str = "var/db/repos/gentoo-updater";

/// The repository of the lab has no eclass of Gentoo's. These do what counts here: the user and its home.
const ECLASSES: [(&str, &str); 2] = [
    (
        "acct-group",
        r#"SLOT=0
KEYWORDS="amd64"
S=${WORKDIR}
acct-group_pkg_preinst() { getent group "${PN}" >/dev/null || groupadd --system "${PN}" || die; }
EXPORT_FUNCTIONS pkg_preinst
"#,
    ),
    (
        "acct-user",
        r#"SLOT=0
KEYWORDS="amd64"
S=${WORKDIR}
acct-user_add_deps() { RDEPEND="${ACCT_USER_GROUPS[*]/#/acct-group/}"; }
acct-user_src_install() { keepdir "${ACCT_USER_HOME}"; }
acct-user_pkg_preinst() {
	getent passwd "${PN}" >/dev/null || useradd --system --gid "${ACCT_USER_GROUPS[0]}" \
		--home-dir "${ACCT_USER_HOME}" --shell "${ACCT_USER_SHELL}" "${PN}" || die
	fowners "${PN}:${ACCT_USER_GROUPS[0]}" "${ACCT_USER_HOME}"
	fperms "${ACCT_USER_HOME_PERMS}" "${ACCT_USER_HOME}"
}
EXPORT_FUNCTIONS src_install pkg_preinst
"#,
    ),
];

const EMERGE: &str = "ACCEPT_KEYWORDS='amd64 ~amd64' ACCEPT_LICENSE='*' emerge --color=n --quiet";

/// Every file of a guest, but for what Portage itself keeps and logs.
fn files(lab: &Lab) -> String {
    lab.sh(
        "g1",
        "find / -xdev \\( -path /var/db -o -path /var/cache -o -path /var/log -o -path /var/lib/portage \
         -o -path /var/tmp -o -path /tmp -o -path /root \\) -prune -o -not -type d -print | sort",
    )
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    let status = Command::new("cp")
        .arg("-r")
        .arg(from.join("."))
        .arg(to)
        .status();
    assert!(status.unwrap().success(), "{}", from.display());
}

#[test]
fn portage_installs_programs_services_and_user_and_takes_them_out_again() {
    let lab = Lab::up(1, 0);
    let version = env!("CARGO_PKG_VERSION");
    let put = TempDir::new().unwrap();
    let repository = put.path().join(REPOSITORY);
    copy(&checkout().join("packaging/gentoo"), &repository);
    fs::create_dir_all(repository.join("eclass")).unwrap();
    for (name, text) in ECLASSES {
        fs::write(repository.join(format!("eclass/{name}.eclass")), text).unwrap();
    }
    let configuration = put.path().join("etc/portage");
    fs::create_dir_all(configuration.join("repos.conf")).unwrap();
    fs::create_dir_all(configuration.join("profile")).unwrap();
    let place = format!("[gentoo-updater]\nlocation = /{REPOSITORY}\n");
    fs::write(configuration.join("repos.conf/gentoo-updater.conf"), place).unwrap();
    // Debian's is there.
    fs::write(
        configuration.join("profile/package.provided"),
        "virtual/openssh-0\n",
    )
    .unwrap();
    let (_folder, programs) = programs();
    let made = Command::new(checkout().join("packaging/dist.sh"))
        .arg(programs)
        .arg(put.path().join("var/cache/distfiles"))
        .arg("programs")
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    lab.must(&["put", "g1", put.path().to_str().unwrap()]);

    let ebuild =
        format!("/{REPOSITORY}/app-admin/gentoo-updater-bin/gentoo-updater-bin-{version}.ebuild");
    lab.sh("g1", &format!("ebuild {ebuild} manifest"));
    // What emerge makes on a new system the first time.
    lab.sh("g1", "env-update");
    let before = files(&lab);
    lab.sh(
        "g1",
        &format!("{EMERGE} --oneshot app-admin/gentoo-updater-bin"),
    );

    let said = lab.sh("g1", "gentoo-updater-builder --version");
    assert!(said.contains(version), "{said}");
    let checked = "printf '[builders.b1]\naddress = \"local\"\n[guests.g1]\naddress = \"local\"\n' \
                   > /etc/gentoo-updater/fleet.toml && gentoo-updater config check";
    lab.sh("g1", checked);
    for what in [
        "test -x /etc/init.d/gentoo-updater",
        "test -e /etc/conf.d/gentoo-updater",
        "test -e /usr/lib/systemd/system/gentoo-updater-builder@.service",
        "ls /usr/share/man/man1/gentoo-updater-planner.1*",
        "test -e /usr/share/bash-completion/completions/gentoo-updater",
        "test \"$(stat -c %U:%a /var/lib/gentoo-updater/home)\" = gentoo-updater:750",
        "test \"$(stat -c %U:%G:%a /var/lib/gentoo-updater/workers)\" = root:gentoo-updater:1770",
        "ls /usr/share/doc/gentoo-updater-bin-*/fleet.toml*",
    ] {
        assert!(lab.holds("g1", what), "{what}");
    }
    assert_ne!(files(&lab), before);

    lab.sh("g1", "rm /etc/gentoo-updater/fleet.toml");
    let packages =
        "app-admin/gentoo-updater-bin acct-user/gentoo-updater acct-group/gentoo-updater";
    lab.sh("g1", &format!("{EMERGE} --unmerge {packages}"));
    assert_eq!(files(&lab), before, "nothing is left");
}
