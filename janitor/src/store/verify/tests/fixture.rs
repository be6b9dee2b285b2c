//! A store, made by Portage.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use gentoo_updater_fleet::message::Binary;
use gentoo_updater_hosts::{Host, HostAddress, SshSettings, connect};
use gentoo_updater_portage::build_key::{BuildKeyDigest, HexDigest};
use gentoo_updater_runtime::store::{LOCK, Record};
use tempfile::TempDir;

use super::super::*;
use crate::store::testing;

pub(super) const DAY: u64 = 24 * 3600;

/// Holds the lock while a program runs, and says when it has it.
const HOLD: &str = "hold_store \"$1\" 60 30\n: > \"$1/held\"\nsleep 2\nshift\n\"$@\"\n";

/// A store, and a configuration of Portage that is its own.
pub(super) struct Store {
    folder: TempDir,
    store: PathBuf,
}

pub(super) async fn host() -> Arc<dyn Host> {
    let settings = SshSettings::default();
    connect(&HostAddress::Local, &settings).await.unwrap()
}

pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap().as_secs()
}

/// The folder of programs of a Python that has Portage.
fn programs() -> &'static Path {
    static PROGRAMS: OnceLock<PathBuf> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let output = Command::new(checkout.join("tests/portage-venv.sh")).output();
        let output = output.unwrap();
        assert!(output.status.success(), "tests/portage-venv.sh failed");
        let python = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim_end());
        python.parent().unwrap().to_owned()
    })
}

/// `app-misc/a/a-1-1.gpkg.tar` of `a-1-1`.
pub(super) fn path_of(name: &str) -> String {
    let package = name.split('-').next().unwrap();
    format!("app-misc/{package}/{name}.gpkg.tar")
}

impl Store {
    /// With these binaries, which the index names.
    pub(super) fn with(names: &[&str]) -> Self {
        let store = Self::below(TempDir::new().unwrap());
        let configuration = [
            (
                "etc/portage/make.conf",
                "BINPKG_COMPRESS=\"gzip\"\n".to_owned(),
            ),
            (
                "etc/portage/make.profile/make.defaults",
                "ARCH=\"amd64\"\n".to_owned(),
            ),
            ("repository/profiles/repo_name", "test\n".to_owned()),
            ("repository/profiles/categories", "app-misc\n".to_owned()),
            ("repository/metadata/layout.conf", "masters =\n".to_owned()),
            (
                "etc/portage/repos.conf",
                format!(
                    "[DEFAULT]\nmain-repo = test\n[test]\nlocation = {}/repository\n",
                    store.folder.path().display()
                ),
            ),
        ];
        for (name, content) in configuration {
            let file = store.folder.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, content).unwrap();
        }
        fs::create_dir_all(store.path().join(".gentoo-updater/keys")).unwrap();
        store.make(names);
        store.fix_index();
        store
    }

    /// One that is as this one is now, of the same files, which nobody writes in place.
    pub(super) fn copy(&self) -> Self {
        let folder = TempDir::new().unwrap();
        let from = self.folder.path().join(".");
        let mut copy = Command::new("cp");
        let copied = copy.arg("-al").arg(from).arg(folder.path()).status();
        assert!(copied.unwrap().success());
        Self::below(folder)
    }

    fn below(folder: TempDir) -> Self {
        let store = folder.path().join("store");
        Self { folder, store }
    }

    pub(super) fn path(&self) -> &Path {
        &self.store
    }

    /// A program of Portage, for this store.
    pub(super) fn portage(&self, program: &str) -> Vec<String> {
        let path = format!("PATH={}:/usr/bin:/bin", programs().display());
        let root = self.folder.path().display();
        let variables = [
            path,
            "HOME=/root".to_owned(),
            "FEATURES=pkgdir-index-trusted".to_owned(),
            format!("PORTAGE_CONFIGROOT={root}"),
            format!("PKGDIR={root}/store"),
        ];
        let program = programs().join(program).display().to_string();
        let words = ["env".to_owned(), "-i".to_owned()].into_iter();
        words.chain(variables).chain([program]).collect()
    }

    fn run(&self, program: &str, arguments: &[&str]) -> String {
        let line = self.portage(program);
        let output = Command::new(&line[0])
            .args(&line[1..])
            .args(arguments)
            .output();
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{program} {arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Makes these binaries anew.
    pub(super) fn make(&self, names: &[&str]) {
        let store = self.path().display().to_string();
        let packages: Vec<String> = names
            .iter()
            .map(|name| format!("app-misc/{name}"))
            .collect();
        let mut arguments = vec!["-c", include_str!("../packages.py"), &store];
        arguments.extend(packages.iter().map(String::as_str));
        self.run("python", &arguments);
    }

    pub(super) fn fix(&self) -> Vec<String> {
        let mut line = self.portage("emaint");
        line.extend(["binhost", "--fix"].map(str::to_owned));
        line
    }

    pub(super) fn fix_index(&self) {
        self.run("emaint", &["binhost", "--fix"]);
    }

    /// Has Portage take every binary that the index names as far as it does before it merges one.
    pub(super) fn installs(&self) {
        let number = self.run("python", &["-c", include_str!("../install.py")]);
        assert_eq!(number.trim(), self.indexed().len().to_string());
    }

    pub(super) fn portage_agrees(&self) {
        self.run("emaint", &["binhost", "--check"]);
    }

    pub(super) fn key(&self, package: &str) -> BuildKeyDigest {
        testing::key(&format!("app-misc/{package}"), 1).digest()
    }

    /// A record of this binary as it is, for the key of this package.
    fn record_of(&self, name: &str, package: &str) -> Record {
        let key = testing::key(&format!("app-misc/{package}"), 1);
        let content = fs::read(self.path().join(path_of(name))).unwrap();
        let binary = Binary {
            cpv: key.cpv.clone(),
            slot: key.slot.clone(),
            build_id: name.rsplit('-').next().unwrap().parse().unwrap(),
            build_time: 1_700_000_000,
            path: path_of(name).parse().unwrap(),
            size: content.len() as u64,
            sha256: HexDigest::sha256(&content),
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

    pub(super) fn record(&self, name: &str) {
        let package = name.rsplit_once('-').unwrap().0;
        let record = self.record_of(name, package);
        let file = format!(".gentoo-updater/keys/{}.json", record.key.digest());
        self.write(&file, &serde_json::to_string(&record).unwrap(), 0);
    }

    pub(super) fn unrecord(&self, package: &str) {
        let file = format!(".gentoo-updater/keys/{}.json", self.key(package));
        fs::remove_file(self.path().join(file)).unwrap();
    }

    /// What its builder wrote of this binary, which is so old, for the key of this package.
    pub(super) fn note(&self, name: &str, package: &str, days: u64) {
        let record = self.record_of(name, package);
        let number = path_of(name);
        let number = number.trim_end_matches(".gpkg.tar");
        let digest = record.key.digest();
        let file = format!(".gentoo-updater/build-ids/{number}/{digest}.json");
        self.write(&file, &serde_json::to_string(&record).unwrap(), 0);
        self.age(&path_of(name), days);
    }

    pub(super) fn write(&self, path: &str, content: &str, days: u64) {
        let file = self.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, content).unwrap();
        self.age(path, days);
    }

    /// Makes a file so many days old, and a minute.
    pub(super) fn age(&self, path: &str, days: u64) {
        let time = SystemTime::now() - Duration::from_secs(days * DAY + 60);
        let file = fs::File::open(self.path().join(path)).unwrap();
        file.set_modified(time).unwrap();
    }

    /// Changes a few bytes of a binary, which keeps size and time, as a bad disk does.
    pub(super) fn spoil(&self, name: &str) {
        let file = self.path().join(path_of(name));
        let mut bytes = fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle..middle + 8]
            .iter_mut()
            .for_each(|byte| *byte = !*byte);
        let modified = fs::metadata(&file).unwrap().modified().unwrap();
        fs::write(&file, bytes).unwrap();
        let file = fs::File::options().write(true).open(&file).unwrap();
        file.set_modified(modified).unwrap();
    }

    pub(super) fn remove(&self, name: &str) {
        fs::remove_file(self.path().join(path_of(name))).unwrap();
    }

    pub(super) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path().join(path)).unwrap()
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.path().join(path).exists()
    }

    pub(super) fn indexed(&self) -> BTreeSet<String> {
        let text = fs::read_to_string(self.path().join("Packages")).unwrap_or_default();
        let named = text.lines().filter_map(|line| line.strip_prefix("PATH: "));
        named.map(str::to_owned).collect()
    }

    pub(super) fn binaries(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for package in fs::read_dir(self.path().join("app-misc")).unwrap() {
            let package = package.unwrap().path();
            for file in fs::read_dir(&package).unwrap() {
                let path = file.unwrap().path();
                let path = path.strip_prefix(self.path()).unwrap();
                found.insert(path.display().to_string());
            }
        }
        found.retain(|path| path.ends_with(".gpkg.tar"));
        found
    }

    pub(super) async fn verify(&self) -> Verified {
        let host = host().await;
        let verified = verify(host.as_ref(), self.path(), now(), |_| {});
        verified.await.unwrap()
    }

    pub(super) async fn repair(&self, verified: &Verified) -> Repaired {
        let host = host().await;
        let repaired = repair_with(host.as_ref(), self.path(), verified, self.fix());
        repaired.await.unwrap()
    }

    /// Holds the lock as a builder does, until it has brought the index up to date. It has it when this
    /// returns.
    pub(super) fn hold_lock_until_indexed(&self) -> JoinHandle<()> {
        let mut child = Command::new("sh")
            .args(["-c", &format!("{LOCK}{HOLD}"), "hold"])
            .arg(self.path())
            .args(self.fix())
            .spawn()
            .unwrap();
        while !self.has("held") {
            assert!(
                child.try_wait().unwrap().is_none(),
                "it cannot hold the lock"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        std::thread::spawn(move || assert!(child.wait().unwrap().success()))
    }
}
