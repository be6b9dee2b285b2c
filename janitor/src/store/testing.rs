//! What the tests of stores share.

use gentoo_updater_portage::build_key::{BuildKey, HexDigest};

/// A key for each binary of a package.
pub(super) fn key(cpv: &str, build_id: u32) -> BuildKey {
    BuildKey {
        cpv: cpv.parse().unwrap(),
        slot: "0/1.2".parse().unwrap(),
        repository: "gentoo".parse().unwrap(),
        ebuild_digest: HexDigest::sha256(format!("{cpv}{build_id}").as_bytes()),
        use_flags: [("ssl".parse().unwrap(), true)].into(),
        bindings: Default::default(),
        environment_digest: None,
        kernel: None,
    }
}
