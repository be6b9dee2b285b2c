//! What the tests of stores share.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gentoo_updater_fleet::message::{Binary, Failure};
use gentoo_updater_hosts::{Host, HostAddress, SshSettings, connect};
use gentoo_updater_portage::build_key::{BuildKey, HexDigest};
use gentoo_updater_runtime::store::Record;
use tempfile::TempDir;

use super::catalog::Catalog;
use super::collect::{Limits, decide};
use super::machine::{Done, carry_out, look};
use super::needed::Needed;

const DAY: u64 = 24 * 3600;

/// A store with an index.
pub(super) struct Store(TempDir);

impl Store {
    pub(super) fn new() -> Self {
        let store = Self(TempDir::new().unwrap());
        fs::create_dir_all(store.path().join(".gentoo-updater/keys")).unwrap();
        store.index(&[]);
        store
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Puts a binary of this age into it, with its record unless it is somebody else's.
    pub(super) fn put(&self, cpv: &str, build_id: u32, days: u64, is_ours: bool) -> String {
        let (path, record) = self.put_binary(cpv, build_id, days);
        if is_ours {
            self.note(&path, &record);
            self.keep(&record);
        }
        path
    }

    /// Puts a binary of this age into it as a builder that dies before it has written the record.
    pub(super) fn put_orphan(&self, cpv: &str, build_id: u32, days: u64) -> (String, Record) {
        let (path, record) = self.put_binary(cpv, build_id, days);
        self.note(&path, &record);
        (path, record)
    }

    /// What a builder writes beside the number of a binary.
    pub(super) fn note(&self, path: &str, record: &Record) {
        let number = path.trim_end_matches(".gpkg.tar");
        let digest = record.key.digest();
        let name = format!(".gentoo-updater/build-ids/{number}/{digest}.json");
        self.write(&name, &serde_json::to_string(record).unwrap(), 0);
    }

    pub(super) fn keep(&self, record: &Record) {
        let name = format!(".gentoo-updater/keys/{}.json", record.key.digest());
        self.write(&name, &serde_json::to_string(record).unwrap(), 0);
    }

    pub(super) fn put_binary(&self, cpv: &str, build_id: u32, days: u64) -> (String, Record) {
        let key = key(cpv, build_id);
        let path = format!(
            "{}/{}-{build_id}.gpkg.tar",
            key.cpv.category_package,
            key.cpv.pf()
        );
        let content = format!("the content of {path}");
        self.write(&path, &content, days);
        let binary = Binary {
            cpv: key.cpv.clone(),
            slot: key.slot.clone(),
            build_id,
            build_time: 1,
            path: path.parse().unwrap(),
            size: content.len() as u64,
            sha256: HexDigest::sha256(content.as_bytes()),
            contents: Default::default(),
            signed_by: None,
        };
        let record = Record {
            format: Record::FORMAT,
            key,
            binary,
            compiled_as: None,
        };
        let mut paths = self.indexed();
        paths.push(path.clone());
        self.index(&paths);
        (path, record)
    }

    pub(super) fn write(&self, path: &str, content: &str, days: u64) {
        let file = self.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, content).unwrap();
        let age = SystemTime::now() - Duration::from_secs(days * DAY + 60);
        fs::File::open(&file).unwrap().set_modified(age).unwrap();
    }

    /// Writes an index as Portage does (`portage/getbinpkg.py`, `PackageIndex`).
    pub(super) fn index(&self, paths: &[String]) {
        let entry = |path: &String| format!("BUILD_ID: 1\nPATH: {path}\nSIZE: 1\n\n");
        let entries: String = paths.iter().map(entry).collect();
        let header = format!(
            "ARCH: amd64\nPACKAGES: {}\nTIMESTAMP: 7\nVERSION: 0\n\n",
            paths.len()
        );
        fs::write(self.path().join("Packages"), header + &entries).unwrap();
    }

    pub(super) fn indexed(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path().join("Packages")).unwrap();
        let named = text.lines().filter_map(|line| line.strip_prefix("PATH: "));
        named.map(str::to_owned).collect()
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.path().join(path).exists()
    }

    pub(super) async fn look(&self) -> Catalog {
        look(host().await.as_ref(), self.path()).await.unwrap()
    }

    /// Size, nanoseconds since 1970, and inode of a file.
    pub(super) fn state(&self, path: &str) -> [i64; 3] {
        let found = fs::metadata(self.path().join(path)).unwrap();
        let nanoseconds = found.mtime() * 1_000_000_000 + found.mtime_nsec();
        let [size, inode] = [found.size(), found.ino()].map(|it| i64::try_from(it).unwrap());
        [size, nanoseconds, inode]
    }

    /// Takes out of it what nobody needs and is old.
    pub(super) async fn collect(
        &self,
        catalog: &Catalog,
        needed: &Needed,
    ) -> Result<Done, Failure> {
        let decision = decide(catalog, needed, &MONTH, now());
        let permitted = async || Ok(());
        carry_out(
            host().await.as_ref(),
            self.path(),
            catalog,
            &decision,
            permitted,
        )
        .await
    }
}

/// This machine.
pub(super) async fn host() -> Arc<dyn Host> {
    let settings = SshSettings::default();
    connect(&HostAddress::Local, &settings).await.unwrap()
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap().as_secs()
}

pub(super) const MONTH: Limits = Limits {
    days: 30,
    bytes: None,
};

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
