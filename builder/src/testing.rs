//! What the tests of this crate share.

use std::fs;
use std::path::Path;

use gentoo_updater_fleet::message::Binary;
use gentoo_updater_portage::build_key::{BuildKey, HexDigest};

/// The key of a package without flags and bindings.
pub(crate) fn key(cpv: &str) -> BuildKey {
    BuildKey {
        cpv: cpv.parse().unwrap(),
        slot: "0".parse().unwrap(),
        repository: "gentoo".parse().unwrap(),
        ebuild_digest: "5d41402abc4b2a76b9719d911017c592".parse().unwrap(),
        use_flags: Default::default(),
        bindings: Default::default(),
        environment_digest: None,
        kernel: None,
    }
}

/// A binary of a store, whose file has this content.
pub(crate) fn stored(store: &Path, cpv: &str, content: &str) -> Binary {
    let key = key(cpv);
    let path = format!("{}/{}-1.gpkg.tar", key.cpv.category_package, key.cpv.pf());
    let binary = Binary {
        cpv: key.cpv,
        slot: key.slot,
        build_id: 1,
        build_time: 1,
        path: path.parse().unwrap(),
        size: content.len() as u64,
        sha256: HexDigest::sha256(content.as_bytes()),
        contents: Default::default(),
        signed_by: None,
    };
    let file = binary.path.below(store);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, content).unwrap();
    binary
}
