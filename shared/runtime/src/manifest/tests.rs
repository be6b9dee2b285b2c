//! Manifests of folders as they are.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{FILES, MAKE};

/// Prints what a manifest holds, by path.
const SHOW: &str = r#"
place = Place(json.loads(sys.argv[1]))
found = Manifest.load(os.path.join(place.run, b"manifest"))
print(json.dumps({
    os.fsdecode(folder + b"/" + name).encode("unicode_escape", "surrogateescape").decode():
        value.split(b" ", 7)[7].decode("latin-1")
    for folder in found.blocks for name, value in found.entries(folder).items()}))
"#;

fn wanted(root: &Path, run: &str) -> String {
    json!({
        "root": root, "state": "/state", "run": run,
        "folders": ["/etc", "/usr", "/usr/lib", "/not-there"], "left_out": ["/etc/left-out"],
    })
    .to_string()
}

fn python(program: &str, root: &Path, run: &str) -> Output {
    let mut command = Command::new("python3");
    command.args(["-I", "-c", program, &wanted(root, run)]);
    command.env("LC_ALL", "C.UTF-8").output().unwrap()
}

/// Makes a manifest, and gives what the program says.
fn make(root: &Path, run: &str, patch: &str) -> Output {
    let make = MAKE.replace("if __name__ == ", &format!("{patch}\nif __name__ == "));
    python(&format!("{FILES}{make}"), root, run)
}

fn made(root: &Path, run: &str) -> String {
    let output = make(root, run, "");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn show(root: &Path, run: &str) -> Value {
    let output = python(&format!("{FILES}{SHOW}"), root, run);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A root with all that a name can be.
fn root() -> TempDir {
    let root = TempDir::new().unwrap();
    let at = |path: &str| root.path().join(path);
    for folder in [
        "etc/left-out",
        "etc/empty",
        "usr/lib64",
        "usr/repo/profiles",
    ] {
        fs::create_dir_all(at(folder)).unwrap();
    }
    fs::write(at("etc/a b\nc"), "one").unwrap();
    fs::write(at("etc/left-out/no"), "").unwrap();
    let odd = [b"etc/".as_slice(), b"\xff"].concat();
    fs::write(root.path().join(OsStr::from_bytes(&odd)), "two").unwrap();
    fs::write(at("usr/lib64/first"), "three").unwrap();
    fs::hard_link(at("usr/lib64/first"), at("usr/second")).unwrap();
    symlink("lib64", at("usr/lib")).unwrap();
    let sparse = fs::File::create(at("usr/sparse")).unwrap();
    sparse.set_len(10_000_000).unwrap();
    fs::write(at("usr/repo/profiles/repo_name"), "mine").unwrap();
    fs::write(at("usr/repo/ebuild"), "").unwrap();
    root
}

#[test]
fn every_kind_of_name_is_in_it_once_and_what_is_left_out_is_not() {
    let root = root();
    made(root.path(), "one");
    let found = show(root.path(), "one");
    let names: Vec<&String> = found.as_object().unwrap().keys().collect();
    let expected = [
        r"/etc/\udcff",
        r"/etc/a b\nc",
        "/etc/empty",
        "/usr/lib",
        "/usr/lib64",
        "/usr/lib64/first",
        "/usr/repo",
        "/usr/second",
        "/usr/sparse",
    ];
    assert_eq!(names, expected);
    assert_eq!(found["/usr/lib"], "lib64");
    assert_eq!(found["/usr/second"], found["/usr/lib64/first"]);
    assert_eq!(found["/usr/sparse"].as_str().unwrap().len(), 40);
}

#[test]
fn a_folder_that_is_left_out_is_not_looked_at_also_where_it_is_one_of_those_that_are() {
    let root = root();
    let left_out = json!({
        "root": root.path(), "state": "/state", "run": "one",
        "folders": ["/etc", "/usr/lib", "/usr/repo"], "left_out": ["/usr/lib64", "/usr/repo", "/et"],
    });
    let show = format!("{FILES}{SHOW}");
    for program in [&format!("{FILES}{MAKE}"), &show] {
        let mut command = Command::new("python3");
        command.args(["-I", "-c", program, &left_out.to_string()]);
        let output = command.env("LC_ALL", "C.UTF-8").output().unwrap();
        assert!(output.status.success(), "{output:?}");
        if program == &show {
            let found: Value = serde_json::from_slice(&output.stdout).unwrap();
            let names: Vec<&String> = found.as_object().unwrap().keys().collect();
            let expected = [
                r"/etc/\udcff",
                r"/etc/a b\nc",
                "/etc/empty",
                "/etc/left-out",
                "/etc/left-out/no",
            ];
            assert_eq!(names, expected);
        }
    }
}

#[test]
fn a_setting_of_portage_is_no_reason_to_leave_out_what_is_to_be_looked_at() {
    let folders = ["/etc".into(), "/var/lib/x".into()];
    let named = ["/var/cache/distfiles", "/var", "/etc"].into_iter();
    let own: Vec<String> = super::own_folders(named, &folders).collect();
    assert_eq!(own, ["/var/cache/distfiles"]);
}

#[test]
fn what_has_not_changed_is_not_read_again_and_what_has_is() {
    let root = root();
    made(root.path(), "one");
    // A file that changed in the moment of the manifest may do so again unseen: it is read again
    // until a manifest is made some seconds later.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    let mut number = 0;
    loop {
        number += 1;
        if made(root.path(), &format!("settling-{number}")).contains(" 0 of them read") {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "it never settles");
    }
    let before = show(root.path(), "one");
    fs::write(root.path().join("usr/second"), "other").unwrap();
    let said = made(root.path(), "two");
    assert!(
        said.contains(" 1 of them read"),
        "two names of one file: {said}"
    );
    let after = show(root.path(), "two");
    assert_ne!(after["/usr/second"], before["/usr/second"]);
    assert_eq!(after["/usr/sparse"], before["/usr/sparse"]);
    // The run's own manifest stays what it is.
    assert_eq!(made(root.path(), "one"), "");
    assert_eq!(show(root.path(), "one"), before);
}

#[test]
fn files_that_vanish_while_it_looks_are_no_trouble() {
    let root = root();
    let vanish = "real_what = Walk.what\ndef what(self, path, status):\n    \
                  full = self.place.at(path)\n    \
                  if stat.S_ISREG(status.st_mode):\n        os.unlink(full)\n    \
                  return real_what(self, path, status)\nWalk.what = what\n";
    let output = make(root.path(), "one", vanish);
    assert!(output.status.success(), "{output:?}");
    let found = show(root.path(), "one");
    assert!(found.get("/usr/lib").is_some() && found.get("/usr/sparse").is_none());
}

/// The names in the folder of manifests.
fn names(root: &Path, folder: &str) -> Vec<OsString> {
    let entries = fs::read_dir(root.join(folder)).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

#[test]
fn a_full_disk_and_a_kill_leave_the_former_one() {
    let root = root();
    made(root.path(), "one");
    let former = fs::read(root.path().join("state/manifest")).unwrap();
    let full =
        "def full(handle):\n    raise OSError(28, 'No space left on device')\nos.fsync = full\n";
    let output = make(root.path(), "two", full);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("No space left"));
    assert!(names(root.path(), "state/runs/two").is_empty());
    let killed = "import signal\nos.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)\n";
    assert!(!make(root.path(), "two", killed).status.success());
    assert_eq!(
        fs::read(root.path().join("state/manifest")).unwrap(),
        former
    );
    assert_eq!(names(root.path(), "state/runs/two"), ["manifest.part"]);
    assert!(made(root.path(), "two").contains("files"));
    assert_eq!(names(root.path(), "state/runs/two"), ["manifest"]);
    // One that is damaged costs time and nothing else. That of the run is the same file.
    fs::remove_file(root.path().join("state/manifest")).unwrap();
    fs::write(
        root.path().join("state/manifest"),
        &former[..former.len() / 2],
    )
    .unwrap();
    let said = made(root.path(), "three");
    assert!(said.contains("cannot be used"), "{said}");
    assert_eq!(show(root.path(), "three"), show(root.path(), "two"));
}
