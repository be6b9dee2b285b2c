//! Archives on a machine below a folder, also where something is killed.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::ExitStatusExt;

use serde_json::json;

use super::super::testing::{Machine, found, json_of};

/// A machine on which a build has left all kinds of files, and how these are.
fn littered() -> (Machine, Vec<String>, Vec<String>) {
    let machine = Machine::building();
    let clean = machine.tree("");
    machine.write("etc/a b\n.conf", "spaces and lines");
    machine.write(OsStr::from_bytes(b"etc/\xff\\.conf"), "bytes");
    machine.write("etc/-C", "an option");
    machine.write("var/lib/service/data/one", "one");
    let one = machine.path("var/lib/service/data/one");
    fs::set_permissions(&one, fs::Permissions::from_mode(0o4640)).unwrap();
    fs::hard_link(&one, machine.path("var/lib/service/two")).unwrap();
    symlink("data", machine.path("var/lib/service/link")).unwrap();
    symlink("nowhere", machine.path("opt/dangling")).unwrap();
    let sparse = fs::File::create(machine.path("opt/sparse")).unwrap();
    sparse.set_len(64_000_000).unwrap();
    fs::create_dir(machine.path("opt/empty")).unwrap();
    let full = machine.tree("");
    (machine, clean, full)
}

/// The same with few files, for what is tried often.
fn littered_little() -> (Machine, Vec<String>, Vec<String>) {
    let machine = Machine::building();
    let clean = machine.tree("");
    machine.write("etc/-C", "an option");
    machine.write("var/lib/service/data", "one");
    symlink("data", machine.path("var/lib/service/link")).unwrap();
    let folder = machine.path("var/lib/service");
    fs::set_permissions(folder, fs::Permissions::from_mode(0o2711)).unwrap();
    let full = machine.tree("");
    (machine, clean, full)
}

#[test]
fn what_was_left_goes_and_comes_back_as_it_was() {
    let (machine, clean, full) = littered();
    let told = machine.sweep(json!({}));
    assert_eq!(told["trouble"], json!(null), "{told:#}");
    assert_eq!(machine.tree(""), clean);
    let names = found(&told);
    assert!(names.contains(&r"/etc/a b\x0a.conf"), "{names:?}");
    assert!(names.contains(&r"/etc/\xff\\.conf"), "{names:?}");
    assert_eq!(told["archives"][0]["files"], full.len() - clean.len());

    let named = [r"/etc/\xff\\.conf", "/var/lib/service/two"];
    let back = machine.restore(Some(&named), false);
    let expected = [named[0], "/var/lib/service", named[1]];
    assert_eq!(back["restored"], json!(expected), "{back:#}");
    let all = machine.restore(None, false);
    assert_eq!(all["restored"], json!([]), "something is in the way");
    assert_eq!(all["in_the_way"], json!(named), "{all:#}");
    machine.restore(None, true);
    assert_eq!(machine.tree(""), full);
    let (one, two) = ("var/lib/service/data/one", "var/lib/service/two");
    let inode = |path| machine.path(path).metadata().unwrap().ino();
    assert_eq!(inode(one), inode(two), "two names of one file");
    let sparse = machine.path("opt/sparse").metadata().unwrap();
    assert!(sparse.blocks() < 1000, "{} blocks", sparse.blocks());
    // What an operator has put back is left alone.
    assert_eq!(
        found(&machine.sweep(json!({}))).len(),
        full.len() - clean.len()
    );
    assert_eq!(machine.tree(""), full);
}

/// Python that kills the program at the given call of a function.
fn killed_at(function: &str, call: usize) -> String {
    let (module, name) = function.rsplit_once('.').unwrap();
    format!(
        "import signal\ncalls = []\nreal = {function}\n\
         def counted(*arguments, **words):\n    calls.append(1)\n    \
         if len(calls) == {call}:\n        os.kill(os.getpid(), signal.SIGKILL)\n    \
         return real(*arguments, **words)\n{module}.{name} = counted\n"
    )
}

#[test]
fn killed_at_any_step_nothing_is_lost_and_the_next_cleaning_goes_on() {
    let mut deaths = 0;
    for function in [
        "os.rename",
        "os.unlink",
        "os.rmdir",
        "os.fsync",
        "subprocess.run",
    ] {
        for call in 1.. {
            let (machine, clean, full) = littered_little();
            let died = machine.clean("clean", json!({}), &killed_at(function, call));
            if died.status.success() {
                break;
            }
            assert_eq!(died.status.signal(), Some(9), "{died:?}");
            deaths += 1;
            // Whatever is not there any more is in an archive.
            let told = machine.sweep(json!({}));
            assert_eq!(told["trouble"], json!(null), "{function} {call}: {told:#}");
            assert_eq!(machine.tree(""), clean, "{function} {call}");
            assert_eq!(found(&told).len(), full.len() - clean.len());
            machine.restore(None, false);
            assert_eq!(machine.tree(""), full, "{function} {call}");
        }
    }
    assert!(deaths > 12, "{deaths}");
}

#[test]
fn a_restoration_that_is_killed_is_taken_back() {
    let mut deaths = 0;
    for function in [
        "os.rename",
        "os.mkdir",
        "os.unlink",
        "subprocess.run",
        "os.sync",
    ] {
        for call in 1.. {
            let (machine, _, full) = littered_little();
            machine.sweep(json!({}));
            machine.write("etc/-C", "newer");
            let before = machine.tree("");
            let wanted = json!({ "paths": null, "force": true, "dry_run": false });
            let died = machine.archives("restore", wanted, &killed_at(function, call));
            if died.status.success() {
                break;
            }
            assert_eq!(died.status.signal(), Some(9), "{died:?}");
            deaths += 1;
            json_of(machine.archives("list", json!({}), ""));
            // Either nothing has happened or all of it, once the journal said so.
            let after = machine.tree("");
            assert!(
                after == before || after == full,
                "{function} {call}: {after:#?}"
            );
        }
    }
    assert!(deaths >= 5, "{deaths}");
}

#[test]
fn a_restoration_that_fails_changes_nothing() {
    let (machine, ..) = littered();
    machine.sweep(json!({}));
    machine.write("etc/-C", "newer");
    let before = machine.tree("");
    let told = json_of(machine.archives("list", json!({}), ""));
    let archive = told["archives"][0]["path"].as_str().unwrap();
    let bytes = fs::read(archive).unwrap();
    fs::write(archive, &bytes[..bytes.len() / 2]).unwrap();
    let wanted = json!({ "paths": null, "force": true, "dry_run": false });
    let failed = machine.archives("restore", wanted, "");
    assert_eq!(failed.status.code(), Some(1), "{failed:?}");
    assert_eq!(machine.tree(""), before);
}

#[test]
fn a_file_that_vanishes_before_it_is_archived_and_a_link_in_the_place_of_a_folder_lead_nowhere() {
    let (machine, clean, _) = littered();
    let vanish = "real_run = subprocess.run\n\
                  def run(words, **more):\n    if words[0] == 'tar':\n        \
                  os.path.lexists(b'%s') and os.unlink(b'%s')\n    \
                  return real_run(words, **more)\nsubprocess.run = run\n";
    let sparse = machine.path("opt/sparse").display().to_string();
    let ended = machine.clean("clean", json!({}), &vanish.replace("%s", &sparse));
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(machine.tree(""), clean);
    fs::create_dir(machine.path("var/elsewhere")).unwrap();
    symlink("../elsewhere", machine.path("var/lib/service")).unwrap();
    let told = machine.restore(Some(&["/var/lib/service/link"]), true);
    assert_eq!(told["restored"], json!([]), "{told:#}");
    assert!(!machine.has("var/elsewhere/link"));
}

#[test]
fn what_changes_after_it_was_archived_stays() {
    let (machine, ..) = littered();
    let change = "real_create = create\n\
                  def create(archives, *arguments):\n    made = real_create(archives, *arguments)\n    \
                  open(archives.place.at(b'/etc/-C'), 'w').write('changed')\n    return made\n";
    let ended = machine.clean("clean", json!({}), change);
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(machine.read("etc/-C"), "changed");
    assert!(!machine.has("opt/sparse"));
}

#[test]
fn without_zstd_it_is_gzip_and_an_archive_that_cannot_be_written_removes_nothing() {
    let (machine, clean, full) = littered();
    let no_tar = "real_tar = tar_of\ntar_of = lambda path: ['false']\n";
    assert!(machine.clean("clean", json!({}), no_tar).status.success());
    let told: serde_json::Value =
        serde_json::from_str(&machine.read(&machine.of_run("cruft.json"))).unwrap();
    assert!(told["trouble"].is_string(), "{told:#}");
    assert_eq!(machine.tree(""), full);

    let no_zstd = "shutil.which = lambda name: None\n";
    assert!(machine.clean("clean", json!({}), no_zstd).status.success());
    assert_eq!(machine.tree(""), clean);
    let list = json_of(machine.archives("list", json!({}), ""));
    let path = list["archives"][0]["path"].as_str().unwrap();
    assert!(path.ends_with("files.tar.gz"), "{list:#}");
    machine.restore(None, false);
    assert_eq!(machine.tree(""), full);
}

#[test]
fn archives_go_by_their_age_and_not_while_they_are_all_that_there_is() {
    let (machine, ..) = littered();
    machine.sweep(json!({}));
    let purge = |before: u64, dry_run: bool| {
        let wanted = json!({ "paths": [], "before": before, "dry_run": dry_run });
        let gone = json_of(machine.archives("purge", wanted, ""));
        gone["archives"].as_array().unwrap().len()
    };
    assert_eq!(purge(1, false), 0);
    assert_eq!(purge(u64::from(u32::MAX), true), 1);
    assert_eq!(purge(u64::from(u32::MAX), false), 1);
    assert_eq!(purge(u64::from(u32::MAX), false), 0);
}

#[test]
fn folders_come_back_as_they_were_whichever_archive_has_them_and_what_is_in_them() {
    let machine = Machine::building();
    let folder = machine.path("var/lib/service");
    let modes = |mode: u32| {
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(&folder, mode).unwrap();
        chown(&folder, Some(7), Some(8)).unwrap();
    };
    machine.write("var/lib/service/deep/one", "one");
    modes(0o2750);
    machine.install("a/dep-1", "dir /var/lib/service\n");
    machine.note(&["a/dep-1"]);
    fs::remove_dir_all(machine.path("var/db/pkg/a/dep-1")).unwrap();
    machine.sweep(json!({}));
    machine.write("var/lib/service/two", "two");
    modes(0o1771);
    machine.sweep(json!({}));
    assert!(!machine.has("var/lib/service"));
    // The folder is in both, and what lies in it in one or the other.
    machine.restore(None, false);
    let now = machine.path("var/lib/service").metadata().unwrap();
    let found = (now.permissions().mode() & 0o7777, now.uid(), now.gid());
    assert_eq!(found, (0o1771, 7, 8));
    assert!(machine.has("var/lib/service/deep/one") && machine.has("var/lib/service/two"));
}

#[test]
fn what_comes_back_otherwise_than_it_was_is_taken_back() {
    let (machine, clean, _) = littered_little();
    machine.sweep(json!({}));
    let other = "real_unpack = Restoration.unpack\ndef unpack(self, *arguments):\n    \
        real_unpack(self, *arguments)\n    os.chmod(self.place.at(b'/etc/-C'), 0o600)\n\
        Restoration.unpack = unpack\n";
    let wanted = json!({ "paths": null, "force": false, "dry_run": false });
    let failed = machine.archives("restore", wanted, other);
    assert_eq!(failed.status.code(), Some(1), "{failed:?}");
    let said = String::from_utf8_lossy(&failed.stderr);
    assert!(said.contains("came back with mode"), "{said}");
    assert_eq!(machine.tree(""), clean);
}

#[test]
fn a_file_that_could_be_read_in_part_alone_stays() {
    let (machine, clean, full) = littered();
    // As tar does with a bad disk: the size is right, and there are zeros where nothing could be read.
    let bad_disk = "real_run = subprocess.run\n\
        def run(words, **more):\n    \
            if words[0] == 'tar' and '--create' in words:\n        \
                at = words.index('--directory') + 1\n        \
                copy = words[at] + '.copy'\n        \
                real_run(['cp', '-a', words[at], copy])\n        \
                open(copy + '/etc/-C', 'r+').write('an')\n        \
                os.truncate(copy + '/etc/-C', 2)\n        \
                os.truncate(copy + '/etc/-C', 9)\n        \
                words = words[:at] + [copy] + words[at + 1:]\n        \
                ended = real_run(words, **more)\n        \
                shutil.rmtree(copy)\n        \
                return ended\n    \
            return real_run(words, **more)\nsubprocess.run = run\n";
    let ended = machine.clean("clean", json!({}), bad_disk);
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(machine.read("etc/-C"), "an option");
    let told: serde_json::Value =
        serde_json::from_str(&machine.read(&machine.of_run("cruft.json"))).unwrap();
    assert_eq!(told["stays"]["first"][0]["path"], "/etc/-C", "{told:#}");
    assert_eq!(machine.tree("").len(), clean.len() + 1);
    // With a disk that can be read it goes, and all comes back.
    machine.sweep(json!({}));
    assert_eq!(machine.tree(""), clean);
    machine.restore(None, false);
    assert_eq!(machine.tree(""), full);
}

#[test]
fn an_index_that_is_damaged_is_named_and_stops_nothing_else() {
    let (machine, ..) = littered_little();
    let archives = |what: &str, more| machine.archives(what, more, "");
    let list = || json_of(archives("list", json!({})));
    let state = "var/lib/gentoo-updater/cruft";
    for (name, text) in [("empty", ""), ("odd", "[]"), ("cut", "{\"run\": ")] {
        machine.write(format!("{state}/{name}.1/index.json"), text);
    }
    machine.write(format!("{state}/lacking.1/notes"), "");
    let told = machine.sweep(json!({}));
    assert_eq!(told["archives"].as_array().unwrap().len(), 1, "{told:#}");
    let listed = list();
    assert_eq!(listed["archives"].as_array().unwrap().len(), 1);
    let damaged = listed["damaged"].as_array().unwrap();
    let words = damaged[1].as_str().unwrap();
    assert!(damaged.len() == 4, "{listed:#}");
    assert!(words.contains("/cruft/empty.1/index.json"), "{words}");
    assert_eq!(machine.restore(None, false)["unknown"], json!([]));
    // A run of which an archive is damaged does not come back in part.
    let run = super::super::testing::RUN;
    machine.write(format!("{state}/{run}.2/index.json"), "");
    let wanted = json!({ "paths": null, "force": true, "dry_run": false });
    let failed = archives("restore", wanted);
    assert_eq!(failed.status.code(), Some(1), "{failed:?}");
    let said = String::from_utf8_lossy(&failed.stderr);
    assert!(said.contains(&format!("{run}.2/index.json")), "{said}");
}
