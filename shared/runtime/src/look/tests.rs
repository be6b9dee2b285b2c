//! What the script makes of trees that are changed in one place each.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::*;

const NOTHING: &str = "-";

fn question() -> HexDigest {
    HexDigest::sha256(b"a question")
}

/// What a call prints, with another PATH if one is given.
fn call(shell: &str, argv: &[String], path: Option<&Path>) -> String {
    let mut command = Command::new(shell);
    command.args(&argv[1..]).stdin(Stdio::null());
    if let Some(path) = path {
        command.env("PATH", path);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.trim_end().to_owned()
}

fn fingerprint_by(shell: &str, words: &[String], path: Option<&Path>) -> String {
    let mut argv = take(&question());
    argv.extend_from_slice(words);
    argv.push("--".to_owned());
    call(shell, &argv, path)
}

fn fingerprint(words: &[String]) -> String {
    fingerprint_by("/bin/sh", words, None)
}

/// The fingerprint when nothing has changed for a while: the same twice.
fn settled(words: &[String]) -> String {
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut last = fingerprint(words);
    loop {
        std::thread::sleep(Duration::from_millis(200));
        let next = fingerprint(words);
        assert_ne!(next, NOTHING, "{words:?}");
        if next == last {
            return next;
        }
        assert!(Instant::now() < deadline, "{words:?} never settles");
        last = next;
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Other content of the same size, with the time of the old one.
fn edit_and_hide(path: &Path, text: &str) {
    let before = fs::metadata(path).unwrap();
    assert_eq!(before.len() as usize, text.len());
    fs::write(path, text).unwrap();
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(before.modified().unwrap()).unwrap();
    assert_eq!(
        fs::metadata(path).unwrap().modified().unwrap(),
        before.modified().unwrap()
    );
}

/// A small machine below `root`.
fn machine(root: &Path) -> Vec<String> {
    write(&root.join("vdb/cat/pkg-1.0/SLOT"), "0");
    write(&root.join("vdb/cat/other-1.0/SLOT"), "0");
    write(&root.join("lib/world"), "cat/pkg\n");
    write(&root.join("etc/make.conf"), "USE=a\n");
    write(&root.join("etc/package.use/own"), "cat/pkg a\n");
    write(&root.join("elsewhere/file"), "x");
    write(&root.join("profiles/one/parent"), "..");
    write(&root.join("profiles/two/parent"), "..");
    symlink("../profiles/one", root.join("etc/make.profile")).unwrap();
    symlink(root.join("elsewhere/file"), root.join("etc/linked")).unwrap();
    write(&root.join("overlay/cat/pkg/pkg-1.ebuild"), "EAPI=8");
    write(&root.join("overlay/.git/index"), "x");
    write(&root.join("repo/metadata/timestamp.chk"), "Monday");
    write(&root.join("repo/.git/HEAD"), "ref: refs/heads/main");
    let words = [
        "packages:vdb",
        "flat:lib",
        "tree:etc",
        "links:etc",
        "tree:overlay",
        "flat:repo",
        "flat:repo/metadata",
        "tree:repo/.git/HEAD",
        "tree:repo/.git/refs/heads/main",
        "tree:missing",
    ];
    let below = |word: &str| word.replacen(':', &format!(":{}/", root.display()), 1);
    words.iter().map(|word| below(word)).collect()
}

type Change = fn(&Path);

const NOTICED: [(&str, Change); 22] = [
    ("a package was installed", |root| {
        write(&root.join("vdb/cat/new-1/SLOT"), "0");
    }),
    ("a package was removed", |root| {
        fs::remove_dir_all(root.join("vdb/cat/other-1.0")).unwrap();
    }),
    ("a package was replaced by itself", |root| {
        let (old, new) = (root.join("vdb/cat/pkg-1.0"), root.join("vdb/cat/-MERGING-"));
        write(&new.join("SLOT"), "0");
        fs::remove_dir_all(&old).unwrap();
        fs::rename(&new, &old).unwrap();
    }),
    ("a file of a package was replaced", |root| {
        write(&root.join("vdb/cat/pkg-1.0/SLOT.new"), "1");
        let package = root.join("vdb/cat/pkg-1.0");
        fs::rename(package.join("SLOT.new"), package.join("SLOT")).unwrap();
    }),
    ("a merge goes on", |root| {
        fs::create_dir(root.join("vdb/cat/-MERGING-new-1")).unwrap();
    }),
    ("world grew", |root| {
        write(&root.join("lib/world"), "cat/pkg\ncat/b\n");
    }),
    ("world was edited behind its time", |root| {
        edit_and_hide(&root.join("lib/world"), "cat/pkh\n");
    }),
    ("sets came", |root| {
        write(&root.join("lib/world_sets"), "@a\n")
    }),
    ("a file of the configuration came", |root| {
        write(&root.join("etc/package.use/more"), "");
    }),
    ("a file of the configuration went", |root| {
        fs::remove_file(root.join("etc/package.use/own")).unwrap();
    }),
    ("a file was edited behind its time", |root| {
        edit_and_hide(&root.join("etc/package.use/own"), "cat/pkg b\n");
    }),
    ("a file was replaced behind its time", |root| {
        let (old, new) = (root.join("etc/make.conf"), root.join("etc/new"));
        write(&new, "USE=b\n");
        let time = fs::metadata(&old).unwrap().modified().unwrap();
        let file = fs::File::options().write(true).open(&new).unwrap();
        file.set_modified(time).unwrap();
        fs::rename(&new, &old).unwrap();
    }),
    ("a file became a folder", |root| {
        fs::remove_file(root.join("etc/package.use/own")).unwrap();
        fs::create_dir(root.join("etc/package.use/own")).unwrap();
    }),
    ("a file was renamed", |root| {
        let folder = root.join("etc/package.use");
        fs::rename(folder.join("own"), folder.join("zz-own")).unwrap();
    }),
    ("the profile is another one", |root| {
        fs::remove_file(root.join("etc/make.profile")).unwrap();
        symlink("../profiles/two", root.join("etc/make.profile")).unwrap();
    }),
    ("the profile has another name", |root| {
        fs::remove_file(root.join("etc/make.profile")).unwrap();
        symlink(root.join("profiles/one"), root.join("etc/make.profile")).unwrap();
    }),
    ("what a link leads to was edited", |root| {
        edit_and_hide(&root.join("elsewhere/file"), "y");
    }),
    ("an ebuild was edited behind its time", |root| {
        edit_and_hide(&root.join("overlay/cat/pkg/pkg-1.ebuild"), "EAPI=7");
    }),
    ("the repository was synced", |root| {
        edit_and_hide(&root.join("repo/metadata/timestamp.chk"), "Friday");
    }),
    ("the checkout has a first commit", |root| {
        write(&root.join("repo/.git/refs/heads/main"), "abc");
    }),
    ("the repository is not mounted", |root| {
        fs::remove_dir_all(root.join("repo")).unwrap();
        fs::create_dir(root.join("repo")).unwrap();
    }),
    ("what was not there came", |root| {
        fs::create_dir(root.join("missing")).unwrap();
    }),
];

const PASSED_OVER: [(&str, Change); 5] = [
    ("nothing", |_| {}),
    ("a file of another place", |root| {
        write(&root.join("x"), "x")
    }),
    ("a lock came and went", |root| {
        let lock = root.join("lib/.world.portage_lockfile");
        write(&lock, "");
        fs::remove_file(&lock).unwrap();
    }),
    ("a lock is held", |root| {
        write(&root.join("lib/.world.portage_lockfile"), "");
    }),
    ("git looked at its work tree", |root| {
        write(&root.join("overlay/.git/index"), "another");
    }),
];

/// The fingerprints before and after a change, both when nothing had changed for a while.
fn before_and_after(changes: &[(&str, Change)]) -> Vec<(String, String)> {
    let folder = tempfile::tempdir().unwrap();
    let machines: Vec<(PathBuf, Vec<String>)> = (0..changes.len())
        .map(|number| {
            let root = folder.path().join(number.to_string());
            let words = machine(&root);
            (root, words)
        })
        .collect();
    let look = || -> Vec<String> { machines.iter().map(|(_, words)| settled(words)).collect() };
    let before = look();
    for ((root, _), (_, change)) in machines.iter().zip(changes) {
        change(root);
    }
    before.into_iter().zip(look()).collect()
}

#[test]
fn every_change_of_what_is_watched_makes_another_fingerprint() {
    let looked = before_and_after(&NOTICED);
    for ((before, after), (name, _)) in looked.iter().zip(&NOTICED) {
        assert_ne!(before, after, "not noticed: {name}");
    }
}

#[test]
fn what_locks_and_other_programs_leave_behind_is_no_change() {
    let looked = before_and_after(&PASSED_OVER);
    for ((before, after), (name, _)) in looked.iter().zip(&PASSED_OVER) {
        assert_eq!(before, after, "taken for a change: {name}");
    }
}

#[test]
fn what_has_just_changed_gives_a_fingerprint_that_never_comes_again() {
    let folder = tempfile::tempdir().unwrap();
    let words = machine(folder.path());
    let (one, two) = (fingerprint(&words), fingerprint(&words));
    assert_ne!(one, two);
    let later = settled(&words);
    assert!(later != one && later != two);
}

#[test]
fn other_words_and_another_question_give_another_fingerprint_in_any_shell() {
    let folder = tempfile::tempdir().unwrap();
    let words = machine(folder.path());
    let all = settled(&words);
    assert_ne!(settled(&words[1..]), all);
    let mut other = take(&HexDigest::sha256(b"another question"));
    other.extend(words.iter().cloned().chain(["--".to_owned()]));
    assert_ne!(call("/bin/sh", &other, None), all);
    assert_eq!(fingerprint_by("/bin/bash", &words, None), all);
}

/// A folder of programs: all that the script needs but one, which is missing or this script.
fn programs(folder: &Path, other: &str, script: Option<&str>) -> PathBuf {
    let place = folder.join(format!("bin-{other}"));
    fs::create_dir_all(&place).unwrap();
    for name in ["find", "sort", "sha256sum", "date"] {
        let path = place.join(name);
        match script {
            _ if name != other => symlink(Path::new("/usr/bin").join(name), path).unwrap(),
            Some(script) => {
                fs::write(&path, script).unwrap();
                use std::os::unix::fs::PermissionsExt;
                fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            }
            None => {}
        }
    }
    place
}

#[test]
fn a_look_that_fails_half_way_is_no_fingerprint_and_the_question_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let words = machine(folder.path());
    let all = settled(&words);
    let places = [
        programs(folder.path(), "find", None),
        programs(folder.path(), "sort", None),
        programs(folder.path(), "sha256sum", None),
        programs(folder.path(), "date", None),
        programs(
            &folder.path().join("a"),
            "date",
            Some("#!/bin/sh\necho no\n"),
        ),
        programs(
            &folder.path().join("b"),
            "find",
            Some("#!/bin/sh\n/usr/bin/find \"$@\"\nkill -KILL $$\n"),
        ),
        programs(
            &folder.path().join("c"),
            "sort",
            Some("#!/bin/sh\n/usr/bin/sort \"$@\"\nexit 2\n"),
        ),
    ];
    let former = Look::new(all.parse().unwrap(), words.clone()).unwrap();
    let asked = ["/bin/echo".to_owned(), "asked".to_owned()];
    let argv = unless_unchanged("MARKER", &former, &question(), &asked);
    for place in &places {
        assert_eq!(
            fingerprint_by("/bin/sh", &words, Some(place)),
            NOTHING,
            "{}",
            place.display()
        );
        assert_eq!(call("/bin/sh", &argv, Some(place)), "asked -");
    }
    let unchanged = format!("MARKER\n{{\"unchanged\":\"{all}\"}}\nMARKER");
    assert_eq!(call("/bin/sh", &argv, None).trim_start(), unchanged);
}

#[test]
fn a_tree_that_cannot_be_walked_and_words_that_are_cut_off_are_no_fingerprint() {
    let folder = tempfile::tempdir().unwrap();
    let words = machine(folder.path());
    settled(&words);
    let mut argv = take(&question());
    argv.extend_from_slice(&words);
    assert_eq!(
        call("/bin/sh", &argv, None),
        "",
        "nothing says where they end"
    );
    for word in ["all:/etc", "tree:etc", "tree", "links:"] {
        assert_eq!(fingerprint(&[word.to_owned()]), NOTHING, "{word}");
    }
    symlink("..", folder.path().join("etc/around")).unwrap();
    assert_eq!(fingerprint(&words), NOTHING, "a loop");
}

#[test]
fn a_clock_that_jumps_back_hides_no_change() {
    let folder = tempfile::tempdir().unwrap();
    let words = machine(folder.path());
    let before = settled(&words);
    let place = programs(folder.path(), "date", Some("#!/bin/sh\necho 86400\n"));
    let look = || fingerprint_by("/bin/sh", &words, Some(&place));
    assert_eq!(
        look(),
        before,
        "the clock itself is no part of what is seen"
    );
    edit_and_hide(&folder.path().join("etc/make.conf"), "USE=b\n");
    assert_ne!(look(), before);
}

#[test]
fn the_question_is_asked_with_the_fingerprint_of_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let words = machine(folder.path());
    let all = settled(&words);
    let former = Look::new(all.parse().unwrap(), words.clone()).unwrap();
    let asked = ["/bin/echo".to_owned(), "asked".to_owned(), "--".to_owned()];
    let argv = beforehand(&former, &question(), &asked);
    assert_eq!(call("/bin/sh", &argv, None), format!("asked -- {all}"));
    edit_and_hide(&folder.path().join("etc/make.conf"), "USE=b\n");
    let changed = settled(&words);
    assert_ne!(changed, all);
    for argv in [
        unless_unchanged("MARKER", &former, &question(), &asked),
        beforehand(&former, &question(), &asked),
    ] {
        let said = call("/bin/sh", &argv, None);
        assert_eq!(said, format!("asked -- {changed}"));
    }
}

#[test]
fn a_machine_names_absolute_paths_of_known_kinds_and_nothing_else() {
    let look = |word: &str| Look::new(question(), vec![word.to_owned()]);
    assert!(look("tree:/etc/portage with blanks; and more").is_ok());
    for word in [
        "tree:etc",
        "-delete",
        "tree:",
        "all:/etc",
        "tree:/a\nb",
        "tree:/a\0b",
        "--",
    ] {
        assert!(look(word).is_err(), "{word:?}");
    }
    let many = |count: usize| Look::of_places(vec!["tree:/a/b/c/d/e/f".to_owned(); count]);
    assert!(many(900).is_ok() && many(1000).is_err());
}
