//! Packages that a test adds to the ebuild repository of its lab.

use std::fs;
use std::path::Path;

use gentoo_updater_portage::cpv::Cpv;

use crate::fixtures::Lab;

/// What stands in each of them, and what it installs.
const HEADER: &str = r#"EAPI=8
inherit labpkg
DESCRIPTION="A package of a test"
HOMEPAGE="https://lab.invalid/"
LICENSE="GPL-2"
SLOT="0"
KEYWORDS="amd64"
S="${WORKDIR}"
src_install() { echo "${PVR}" > "${PN}.txt"; insinto /usr/share/lab; doins "${PN}.txt"; }
"#;

/// From now on the ebuild repository has this version of a package and no other, with these further
/// lines.
pub fn publish_only(lab: &Lab, cpv: &Cpv, lines: &str) {
    let name = &cpv.category_package;
    let folder = Path::new(lab.fact("LAB_REPO")).join(name.to_string());
    // There may be none yet.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the lab's repository can be written");
    let file = folder.join(format!("{}.ebuild", cpv.pf()));
    fs::write(file, format!("{HEADER}{lines}")).expect("an ebuild is written");
}
