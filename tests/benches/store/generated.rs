//! A store of very many binaries, made up: each with a record and a note beside its number, as builders
//! write them.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use gentoo_updater_fleet::message::Binary;
use gentoo_updater_portage::build_key::{BuildKey, HexDigest};
use gentoo_updater_runtime::store::Record;

/// The age of the binaries.
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// Adds so many binaries to a store. They are empty, since nobody reads them.
pub(crate) fn fill(store: &Path, packages: usize) {
    let keys = store.join(".gentoo-updater/keys");
    fs::create_dir_all(&keys).expect("a folder");
    let old = SystemTime::now() - YEAR;
    for number in 0..packages {
        let record = record(number);
        let path = record.binary.path.as_str();
        let file = store.join(path);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        let file = fs::File::create(file).expect("a binary");
        file.set_modified(old).expect("its age");
        let name = format!("{}.json", record.key.digest());
        let text = serde_json::to_string(&record).expect("a record");
        let numbers = store.join(".gentoo-updater/build-ids");
        let note = numbers.join(path.trim_end_matches(".gpkg.tar"));
        fs::create_dir_all(&note).expect("a number");
        fs::write(note.join(&name), &text).expect("a note");
        fs::write(keys.join(name), text).expect("a record");
    }
}

fn record(number: usize) -> Record {
    let (name, build_id) = (number / 10, number % 10 + 1);
    let key = BuildKey {
        cpv: format!("cat-{}/package{name}-1.2.3", name % 150)
            .parse()
            .expect("a package"),
        slot: "0/1.2".parse().expect("a slot"),
        repository: "gentoo".parse().expect("a repository"),
        ebuild_digest: HexDigest::sha256(&number.to_le_bytes()),
        use_flags: ["ssl", "X"]
            .map(|flag| (flag.parse().expect("a flag"), flag == "ssl"))
            .into(),
        bindings: [(
            "dev-libs/openssl".parse().expect("a package"),
            "0/3".parse().expect("a slot"),
        )]
        .into(),
        environment_digest: None,
        kernel: None,
    };
    let path = format!(
        "{}/{}-{build_id}.gpkg.tar",
        key.cpv.category_package,
        key.cpv.pf()
    );
    let binary = Binary {
        cpv: key.cpv.clone(),
        slot: key.slot.clone(),
        build_id: u32::try_from(build_id).expect("a number"),
        build_time: 1_700_000_000,
        path: path.parse().expect("a path"),
        size: 0,
        sha256: HexDigest::sha256(b""),
        contents: Default::default(),
        signed_by: None,
    };
    Record {
        format: Record::FORMAT,
        key,
        binary,
        compiled_as: None,
    }
}
