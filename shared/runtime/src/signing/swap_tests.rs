//! What becomes of a store whose binaries get other files. The copies are made here: how a binary is
//! signed is tried where there is a Portage.

use std::fs;
use std::io::Write as _;
use std::process::{Command as Process, Stdio};
use std::sync::Arc;

use gentoo_updater_hosts::{HostAddress, SshSettings, connect};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

const NAMES: [&str; 4] = ["a", "b", "c", "d"];
const BY: &str = "39BB337317CC843D42E1BF6263136F93CB577C76";

/// A store of four binaries, with copies of two of them that are signed.
struct Store {
    folder: TempDir,
}

impl Store {
    fn new() -> Self {
        let store = Self {
            folder: TempDir::new().unwrap(),
        };
        let entries = NAMES.map(|name| {
            store.write(&path(name), &former(name));
            let digest = HexDigest::sha256(former(name).as_bytes());
            let binary = json!({
                "cpv": format!("x/{name}-1"), "path": path(name), "size": former(name).len(),
                "sha256": digest,
            });
            let record = json!({ "format": 1, "binary": binary }).to_string();
            store.write(&format!(".gentoo-updater/keys/{name}.json"), &record);
            store.write(&note(name), &record);
            let size = former(name).len();
            format!(
                "CPV: x/{name}-1\nMD5: 0\nPATH: {}\nSHA1: 0\nSIZE: {size}\nUSE: {name}\nMTIME: 1\n",
                path(name)
            )
        });
        let index = format!(
            "ARCH: amd64\nPACKAGES: 4\nTIMESTAMP: 7\n\n{}\n",
            entries.join("\n")
        );
        store.write("Packages", &index);
        store.write("Packages.gz", "packed");
        store
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, path: &str, content: &str) {
        let file = self.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path().join(path)).unwrap()
    }

    /// Signs copies of two binaries, and says so.
    fn sign(&self) -> String {
        let copies = ["b", "d"].map(|name| {
            self.write(&format!(".gentoo-updater/signing/{name}.gpkg.tar"), &signed(name));
            let of = HexDigest::sha256(signed(name).as_bytes());
            let size = signed(name).len();
            json!({
                "digest": name, "path": path(name),
                "before": HexDigest::sha256(former(name).as_bytes()),
                "signed": { "by": BY, "size": size, "sha256": of, "md5": "55", "sha1": "66", "mtime": 9 },
            })
        });
        json!(copies).to_string()
    }

    /// The program, which is killed before it changes a file for the nth time.
    fn swap(&self, input: &str, killed_at: Option<usize>) -> bool {
        let program = format!("{INDEX}{PROGRAM}");
        let at = killed_at.map_or_else(|| "-1".to_owned(), |at| at.to_string());
        let mut child = Process::new("python3")
            .args(["-c", KILLED, self.path().to_str().unwrap(), &at, &program])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).unwrap();
        drop(stdin);
        child.wait().unwrap().success()
    }

    /// Path and size of each entry of the index; each file is as the index says.
    fn indexed(&self) -> Vec<(String, usize)> {
        let text = self.read("Packages");
        let entries = text.split("\n\n").filter(|entry| entry.contains("PATH: "));
        let field = |entry: &str, name: &str| {
            let line = entry.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap().to_owned()
        };
        entries
            .map(|entry| {
                let (path, size) = (field(entry, "PATH: "), field(entry, "SIZE: "));
                let size = size.parse().unwrap();
                assert_eq!(
                    self.read(&path).len(),
                    size,
                    "{path} is not as the index says"
                );
                (path, size)
            })
            .collect()
    }

    fn binary(&self, record: &str) -> Value {
        let record: Value = serde_json::from_str(&self.read(record)).unwrap();
        record["binary"].clone()
    }
}

fn path(name: &str) -> String {
    format!("x/{name}/{name}-1-1.gpkg.tar")
}

fn note(name: &str) -> String {
    format!(".gentoo-updater/build-ids/x/{name}/{name}-1-1/{name}.json")
}

fn former(name: &str) -> String {
    format!("the binary {name}")
}

fn signed(name: &str) -> String {
    format!("the binary {name} with a signature")
}

/// Kills the program of its third argument at the step of its second one.
const KILLED: &str = include_str!("../../../../tests/killed.py");

fn is_done(store: &Store) {
    let sizes: Vec<(String, usize)> = NAMES
        .iter()
        .map(|name| {
            let content = if ["b", "d"].contains(name) {
                signed(name)
            } else {
                former(name)
            };
            assert_eq!(store.read(&path(name)), content);
            let by = if ["b", "d"].contains(name) {
                json!(BY)
            } else {
                Value::Null
            };
            for record in [format!(".gentoo-updater/keys/{name}.json"), note(name)] {
                let binary = store.binary(&record);
                assert_eq!(binary["signed_by"], by, "{record}");
                assert_eq!(binary["size"], content.len(), "{record}");
                let digest = HexDigest::sha256(content.as_bytes());
                assert_eq!(binary["sha256"], digest.as_str(), "{record}");
            }
            (path(name), content.len())
        })
        .collect();
    assert_eq!(store.indexed(), sizes);
    let index = store.read("Packages");
    assert!(
        index.contains("PACKAGES: 4\n") && !index.contains("TIMESTAMP: 7\n"),
        "{index}"
    );
    assert!(
        index.contains("MD5: 55\nPATH: x/b/b-1-1.gpkg.tar\nSHA1: 66\n"),
        "{index}"
    );
    assert!(index.contains("USE: b\nMTIME: 9\n"), "{index}");
    let left = fs::read_dir(store.path().join(".gentoo-updater/signing"));
    assert_eq!(left.unwrap().count(), 0, "something was left");
}

#[test]
fn killed_at_any_step_it_loses_nothing_and_the_next_one_ends_it() {
    let mut killed = 0;
    for step in 0.. {
        let store = Store::new();
        let ended = store.swap(&store.sign(), Some(step));
        for (path, _) in store.indexed() {
            assert!(path.starts_with("x/"));
        }
        for name in NAMES {
            let content = store.read(&path(name));
            assert!(
                [former(name), signed(name)].contains(&content),
                "{step}: {content}"
            );
        }
        let began = fs::read_dir(store.path().join(".gentoo-updater/signing"));
        let began = began
            .unwrap()
            .flatten()
            .any(|file| file.path().ends_with("d.json"));
        // Whoever comes next ends it, where all of it was written down.
        assert!(store.swap("[]", None));
        if ended || began {
            is_done(&store);
        }
        assert_eq!(store.indexed().len(), NAMES.len(), "{step}");
        if ended {
            break;
        }
        killed += 1;
    }
    assert!(killed > 20, "{killed} steps were seen");
}

#[test]
fn a_binary_that_became_another_one_meanwhile_stays_what_it_is() {
    let store = Store::new();
    let copies = store.sign();
    // Somebody built it again, and its record is about another file.
    let other = json!({ "format": 1, "binary": { "path": path("b"), "sha256": "77", "size": 3 } });
    store.write(".gentoo-updater/keys/b.json", &other.to_string());
    store.write(&path("b"), "new");
    fs::remove_file(store.path().join(".gentoo-updater/keys/d.json")).unwrap();
    let index = store
        .read("Packages")
        .replace("SIZE: 12\nUSE: b\n", "SIZE: 3\nUSE: b\n");
    store.write("Packages", &index);
    assert!(store.swap(&copies, None));
    assert_eq!(store.read(&path("b")), "new");
    assert_eq!(store.read(&path("d")), former("d"));
    assert_eq!(store.indexed().len(), 4);
    let left = fs::read_dir(store.path().join(".gentoo-updater/signing"));
    assert_eq!(left.unwrap().count(), 0);
}

#[tokio::test]
async fn what_was_begun_is_ended_by_whoever_finds_it_and_nothing_is_done_where_nothing_was() {
    let store = Store::new();
    let settings = SshSettings::default();
    let host: Arc<dyn Host> = connect(&HostAddress::Local, &settings).await.unwrap();
    assert!(!settle(host.as_ref(), store.path()).await.unwrap());
    let copies = store.sign();
    assert!(
        !settle(host.as_ref(), store.path()).await.unwrap(),
        "copies alone are nothing"
    );
    for step in 0.. {
        assert!(!store.swap(&copies, Some(step)), "it was not killed");
        if store.indexed().len() < NAMES.len() {
            break;
        }
    }
    assert!(settle(host.as_ref(), store.path()).await.unwrap());
    is_done(&store);
}
