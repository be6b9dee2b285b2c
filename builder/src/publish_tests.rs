//! Builders that write one store at once, with and without locks of the share.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gentoo_updater_portage::build_key::HexDigest;
use gentoo_updater_runtime::store::LOCK;
use tempfile::TempDir;

const PUBLISH: &str = include_str!("publish.sh");

/// What brings an index up to date, and loses what comes while it works. As Portage, it dies of an index
/// that ends within the name of a package.
const INDEX: &str = "if tail -n 1 \"$1/Packages\" 2>&1 | grep -q '^CPV: [a-z-]*$'; then exit 1; fi; \
                     files=$(cd \"$1\" && find . -name '*.gpkg.tar' | sort); sleep 0.3; \
                     printf '%s\\n\\n' \"$files\" > \"$1/Packages\"";

/// A store, and what builders need to write to it.
struct Scene {
    folder: TempDir,
}

impl Scene {
    /// With locks, or with a `flock` that does nothing, as on a share that has none.
    fn new(with_locks: bool) -> Self {
        let folder = TempDir::new().unwrap();
        fs::create_dir_all(folder.path().join("programs")).unwrap();
        fs::create_dir_all(folder.path().join("store")).unwrap();
        if !with_locks {
            let flock = folder.path().join("programs/flock");
            fs::write(&flock, "#!/bin/sh\nexit 0\n").unwrap();
            fs::set_permissions(&flock, fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self { folder }
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    fn lock(&self) -> PathBuf {
        self.store().join(".gentoo-updater/lock.d")
    }

    /// A builder that has built this package, and publishes it under this key.
    fn publish(&self, package: &str, key: &str, silence: u32) -> Child {
        self.publish_with(package, key, silence, INDEX)
    }

    /// As [`Scene::publish`], where this brings the index up to date: a program of the shell, whose
    /// first argument is the store.
    fn publish_with(&self, package: &str, key: &str, silence: u32, index: &str) -> Child {
        self.publish_after(package, key, silence, index, ["", ""])
    }

    /// As [`Scene::publish`], in the place of a record with this digest, which names this path.
    fn publish_after(
        &self,
        package: &str,
        key: &str,
        silence: u32,
        index: &str,
        former: [&str; 2],
    ) -> Child {
        let work = self
            .folder
            .path()
            .join("work")
            .join(format!("{package}-{key}"));
        let path = format!("app-misc/{package}/{package}-1-1.gpkg.tar");
        let file = work.join("packages").join(&path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, package).unwrap();
        let programs = self.folder.path().join("programs");
        let search = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
        Command::new("sh")
            .args(["-c", &format!("{LOCK}{PUBLISH}"), "publish.sh"])
            .args([&work, &self.store()])
            .args([&path, key, &format!("{{\"of\":\"{package}\"}}"), "60"])
            .arg(silence.to_string())
            .args(former)
            .args(["sh", "-c", index, "index"])
            .arg(self.store())
            .env("PATH", search)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// What stands beside the number of a package, for this key.
    fn note(&self, package: &str, key: &str) -> PathBuf {
        let numbers = self.store().join(".gentoo-updater/build-ids/app-misc");
        numbers.join(format!("{package}/{package}-1-1/{key}.json"))
    }

    fn set_index(&self, content: &str) {
        fs::write(self.store().join("Packages"), content).unwrap();
    }

    fn index(&self) -> String {
        fs::read_to_string(self.store().join("Packages")).unwrap()
    }
}

/// Standard output and standard error of one that went well.
fn ended(child: Child) -> (String, String) {
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let said = text(output.stderr);
    assert!(output.status.success(), "{:?}: {said}", output.status);
    (text(output.stdout), said)
}

fn wait_for(path: &Path) {
    let limit = Instant::now() + Duration::from_secs(30);
    while !path.exists() {
        assert!(Instant::now() < limit, "{} did not come", path.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn every_file_is_in_the_index_when_all_have_written_with_and_without_locks_of_the_share() {
    for with_locks in [true, false] {
        let scene = Scene::new(with_locks);
        let packages = ["a", "b", "c", "d"];
        let builders = packages.map(|package| scene.publish(package, package, 30));
        let _ = builders.map(ended);
        for package in packages {
            let row = format!("./app-misc/{package}/{package}-1-1.gpkg.tar\n");
            assert!(
                scene.index().contains(&row),
                "{with_locks}: {}",
                scene.index()
            );
        }
        assert!(!scene.lock().exists(), "the lock was given back");
    }
}

#[test]
fn of_two_results_for_one_key_the_first_counts_and_the_other_is_discarded() {
    let scene = Scene::new(false);
    let both = [scene.publish("a", "key", 30), scene.publish("b", "key", 30)].map(ended);
    assert_eq!(both[0].0, both[1].0, "both tell of one record");
    let of_a = both[0].0.contains("\"a\"");
    let files = ["a", "b"].map(|p| scene.store().join(format!("app-misc/{p}/{p}-1-1.gpkg.tar")));
    assert_eq!(files.map(|file| file.exists()), [of_a, !of_a]);
}

#[test]
fn a_record_that_is_of_no_use_is_replaced_once_and_its_binary_stays_with_a_note() {
    let scene = Scene::new(true);
    ended(scene.publish("old", "key", 30));
    let record = scene.store().join(".gentoo-updater/keys/key.json");
    let former = fs::read_to_string(&record).unwrap();
    let digest = HexDigest::sha256(former.as_bytes()).to_string();
    let path = "app-misc/old/old-1-1.gpkg.tar";
    fs::remove_file(scene.note("old", "key")).unwrap();
    // Two builders have found it so, and both have built another one.
    let replace = |package| scene.publish_after(package, "key", 30, INDEX, [&digest, path]);
    let both = [replace("a"), replace("b")].map(ended);
    assert_eq!(both[0].0, both[1].0, "the first counts");
    assert_eq!(fs::read_to_string(&record).unwrap(), both[0].0);
    assert!(!both[0].0.contains("old"), "{}", both[0].0);
    assert!(scene.store().join(path).exists());
    assert!(scene.index().contains(path));
    assert_eq!(
        fs::read_to_string(scene.note("old", "key")).unwrap(),
        former
    );
}

#[test]
fn who_dies_before_the_record_is_written_leaves_a_note_whose_the_binary_is() {
    let scene = Scene::new(true);
    let store = scene.store();
    // In the middle of the index, when the binary is there.
    let child = scene.publish("a", "key", 30);
    wait_for(&store.join("app-misc/a/a-1-1.gpkg.tar"));
    let id = child.id().to_string();
    let killed = Command::new("kill").args(["-9", &id]).status().unwrap();
    assert!(killed.success());
    child.wait_with_output().unwrap();
    let note = scene.note("a", "key");
    assert_eq!(fs::read_to_string(&note).unwrap(), "{\"of\":\"a\"}\n");
    let record = store.join(".gentoo-updater/keys/key.json");
    assert!(!record.exists());

    // Whoever has the same once more ends it.
    ended(scene.publish("a", "key", 1));
    let (note, record) = (fs::read(&note).unwrap(), fs::read(&record).unwrap());
    assert_eq!(note, record);
}

#[test]
fn an_index_that_was_cut_off_is_made_anew_and_one_that_is_whole_is_left_as_it_is() {
    let scene = Scene::new(true);
    scene.set_index("PACKAGES: 2\n\nCPV: app-m");
    let (_, said) = ended(scene.publish("a", "a", 30));
    assert!(said.contains("is cut off"), "{said}");
    assert!(scene.index().contains("./app-misc/a/"));
    let control = scene.store().join(".gentoo-updater");
    assert_eq!(fs::read_dir(control.join("incoming")).unwrap().count(), 0);

    // Nothing but a cut is a reason to read a whole store.
    let whole = "PACKAGES: 1\n\nCPV: app-m\n\n";
    scene.set_index(whole);
    let dies = "printf x >> \"$1/died\"; exit 1";
    let child = scene.publish_with("b", "b", 30, dies);
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(32));
    assert_eq!(scene.index(), whole);
    assert_eq!(fs::read_to_string(scene.store().join("died")).unwrap(), "x");

    // What Portage cannot write anew, either, stays where it was.
    scene.set_index("PACKAGES: 2\n\nCPV: app-m");
    let child = scene.publish_with("c", "c", 30, dies);
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(32));
    assert_eq!(scene.index(), "PACKAGES: 2\n\nCPV: app-m");
    assert_eq!(
        fs::read_to_string(scene.store().join("died")).unwrap(),
        "xxx"
    );
}

#[test]
fn a_lock_that_somebody_left_who_died_is_taken_over_and_one_that_is_held_is_not() {
    let scene = Scene::new(false);
    fs::create_dir_all(scene.lock()).unwrap();
    fs::write(scene.lock().join("owner"), "elsewhere 1 1\n").unwrap();
    let (_, said) = ended(scene.publish("a", "a", 2));
    assert!(said.contains("was left by: elsewhere 1 1"), "{said}");
    assert!(scene.index().contains("./app-misc/a/"));

    // One who gives signs of life is waited for.
    fs::create_dir(scene.lock()).unwrap();
    fs::write(scene.lock().join("owner"), "elsewhere 2 2\n").unwrap();
    let waiting = scene.publish("b", "b", 4);
    let until = Instant::now() + Duration::from_secs(8);
    let mut beat = 0;
    while Instant::now() < until {
        beat += 1;
        fs::write(scene.lock().join("beat"), beat.to_string()).unwrap();
        std::thread::sleep(Duration::from_millis(300));
    }
    let owner = fs::read_to_string(scene.lock().join("owner")).unwrap();
    assert_eq!(owner, "elsewhere 2 2\n");
    fs::remove_dir_all(scene.lock()).unwrap();
    let (_, said) = ended(waiting);
    assert!(!said.contains("was left"), "{said}");
}

#[test]
fn who_is_ended_while_it_holds_the_lock_gives_it_back() {
    let scene = Scene::new(false);
    let child = scene.publish("a", "a", 30);
    wait_for(&scene.lock().join("owner"));
    let id = child.id().to_string();
    assert!(Command::new("kill").arg(&id).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(31));
    assert!(!scene.lock().exists());
}
