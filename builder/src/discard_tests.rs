//! A binary that is not what it was is taken out of a real store, and nothing else is.

use std::fs;
use std::path::PathBuf;

use gentoo_updater_fleet::message::Binary;
use gentoo_updater_hosts::{HostAddress, SshSettings, connect};
use gentoo_updater_portage::build_key::BuildKey;
use gentoo_updater_runtime::store::Record;
use tempfile::TempDir;

use crate::store::Store;
use crate::testing::{key, stored};

/// Two binaries, one of which was recorded with this content, and the index that names them with the digests
/// of `a good binary`.
struct Scene {
    folder: TempDir,
    key: BuildKey,
    binary: Binary,
}

const GOOD: &str = "a good binary";

impl Scene {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let (key, binary) = (key("a/b-1"), stored(folder.path(), "a/b-1", GOOD));
        let other = stored(folder.path(), "a/c-1", "another one");
        let scene = Self {
            folder,
            key,
            binary,
        };
        scene.index(&[(&scene.binary, GOOD), (&other, "another one")]);
        scene.record(&scene.binary);
        scene
    }

    fn index(&self, binaries: &[(&Binary, &str)]) {
        let mut text = format!("PACKAGES: {}\nTIMESTAMP: 7\nVERSION: 0\n\n", binaries.len());
        for (binary, content) in binaries {
            let md5 = md5_of(content);
            let size = content.len();
            text += &format!("MD5: {md5}\nPATH: {}\nSIZE: {size}\n\n", binary.path);
        }
        fs::write(self.folder.path().join("Packages"), text).unwrap();
    }

    fn record(&self, binary: &Binary) {
        let record = Record {
            format: Record::FORMAT,
            key: self.key.clone(),
            binary: binary.clone(),
            compiled_as: None,
        };
        let file = self.record_file();
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, serde_json::to_string(&record).unwrap()).unwrap();
    }

    fn record_file(&self) -> PathBuf {
        let name = format!(".gentoo-updater/keys/{}.json", self.key.digest());
        self.folder.path().join(name)
    }

    fn write(&self, content: &str) {
        fs::write(self.binary.path.below(self.folder.path()), content).unwrap();
    }

    async fn discard(&self) -> bool {
        let settings = SshSettings::default();
        let host = connect(&HostAddress::Local, &settings).await.unwrap();
        let store = Store::new(host, self.folder.path().to_owned());
        store.discard(&self.key, &self.binary.path).await.unwrap()
    }

    /// Whether file, record and entry are there, and that the other binary is untouched.
    fn left(&self) -> [bool; 3] {
        let index = fs::read_to_string(self.folder.path().join("Packages")).unwrap();
        assert!(index.contains("PATH: a/c/c-1-1.gpkg.tar"), "{index}");
        assert!(!self.folder.path().join(".gentoo-updater/lock.d").exists());
        let file = self.binary.path.below(self.folder.path());
        let entry = format!("PATH: {}", self.binary.path);
        [
            file.exists(),
            self.record_file().exists(),
            index.contains(&entry),
        ]
    }
}

fn md5_of(content: &str) -> String {
    let script = "printf %s \"$1\" | md5sum | cut -d ' ' -f 1";
    let mut command = std::process::Command::new("sh");
    let output = command
        .args(["-c", script, "md5", content])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn what_is_spoiled_goes_with_its_entry_and_its_record() {
    let scene = Scene::new();
    scene.write("a g00d binary");
    assert!(scene.discard().await);
    assert_eq!(scene.left(), [false; 3]);

    let scene = Scene::new();
    fs::remove_file(scene.binary.path.below(scene.folder.path())).unwrap();
    assert!(scene.discard().await);
    assert_eq!(scene.left(), [false; 3]);
}

#[tokio::test]
async fn what_is_good_when_the_lock_is_had_and_what_has_another_record_stays() {
    let scene = Scene::new();
    assert!(!scene.discard().await);
    assert_eq!(scene.left(), [true; 3]);
    // Another builder has published meanwhile.
    let path = "a/b/b-1-2.gpkg.tar".parse().unwrap();
    scene.record(&Binary {
        path,
        ..scene.binary.clone()
    });
    scene.write("a g00d binary");
    assert!(!scene.discard().await);
    assert_eq!(scene.left(), [true; 3]);
}

#[tokio::test]
async fn what_somebody_else_has_put_there_and_the_index_names_stays() {
    let scene = Scene::new();
    let content = "made by hand, under a number that was free again";
    scene.write(content);
    let other = stored(scene.folder.path(), "a/c-1", "another one");
    scene.index(&[(&scene.binary, content), (&other, "another one")]);
    assert!(scene.discard().await);
    assert_eq!(scene.left(), [true, false, true]);
}
