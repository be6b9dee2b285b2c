//! What nobody needs any more is taken out of the store, by hand and by each run, and what somebody needs
//! is not. So are sources. What is spoiled in a store is found and mended.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use gentoo_updater_tests::actions;
use gentoo_updater_tests::assertions::{self, Binaries, installed};
use gentoo_updater_tests::fixtures::{Lab, Scene, wait_until};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn an_old_binary_that_nobody_needs_goes_and_portage_installs_all_that_is_left() {
    let mut scene = Scene::embedded(2, 1);
    actions::prepare_for_v2(&scene.lab);
    actions::slow_down(&scene.lab, "b1", 0);
    // All that nothing uses goes, however young it is: nobody can make the ctime of a file older.
    scene.configuration.policy.insert("keep_distfiles_days", 0);
    let sources = fetch(&scene.lab);
    let first = actions::run(&scene);
    assertions::exit_code_is(&first, 0);
    let collected = &first.report["stores"]["default"];
    assert_eq!(collected["deleted"]["binaries"], 0, "{collected:#}");
    assert_eq!(collected["failure"], Value::Null, "{collected:#}");
    // The builder was cleaned in the end.
    assert_eq!(
        sources_on(&scene.lab),
        sources,
        "what something uses is left"
    );
    let lab = &scene.lab;
    let duplicate = left_by_a_crash(lab);
    let old = unneeded(lab);
    // So old that it would go if nobody needed it.
    age(lab);
    let before = Binaries::of(lab);

    let looked = json(&scene, &["store", "gc", "--dry-run", "--json"], 0);
    let store = &looked["platforms"]["default"];
    let removals = store["removals"].as_array().expect("removals");
    let cause = |path: &String| {
        let found = removals.iter().find(|removal| removal["path"] == **path);
        found.map(|removal| removal["cause"].clone())
    };
    assert_eq!(removals.len(), 2, "{store:#}");
    assert_eq!(cause(&old), Some("old".into()), "{store:#}");
    assert_eq!(cause(&duplicate), Some("duplicate".into()), "{store:#}");
    assert_eq!(store["done"], Value::Null);
    assert_eq!(Binaries::of(lab).index.len(), before.index.len());
    let binaries = store["binaries"]["files"].as_u64().expect("a number");
    assert_eq!(binaries as usize, before.records.len() + 1, "{store:#}");
    // The links and the folder are no sources, and neither is what Portage has not fetched.
    let seen = &store["sources"]["b1"]["seen"];
    assert_eq!(seen["files"], 2, "{seen:#}");
    assert_eq!(seen["unused"][0]["name"], "held-1.tar.gz", "{seen:#}");

    // A guest of which nobody knows anything stops it, and can be left out.
    scene
        .configuration
        .guests
        .insert("g9".to_owned(), "ssh://root@127.0.0.1:1".to_owned());
    let stuck = scene.command("stuck", &["store", "gc"], PATIENCE);
    assert_eq!(stuck.status.code(), Some(1), "{}", stuck.stderr);
    assert!(stuck.stdout.contains("--without g9"), "{}", stuck.stdout);
    assert_eq!(Binaries::of(&scene.lab).index.len(), before.index.len());

    // One that a run has asked counts with what it had then.
    let off = "ssh://root@127.0.0.1:2".to_owned();
    scene.configuration.guests.insert("g2".to_owned(), off);
    let done = json(&scene, &["store", "gc", "--without", "g9", "--json"], 0);
    let store = &done["platforms"]["default"];
    assert_eq!(store["done"]["binaries"], 2, "{store:#}");
    assert_eq!(store["by_memory"][0]["guest"], "g2", "{store:#}");

    are_gone(&scene.lab, &[&old, &duplicate], before.index.len());
    let left = Binaries::of(&scene.lab).index.len();
    let again = json(&scene, &["store", "gc", "--without", "g9", "--json"], 0);
    let store = &again["platforms"]["default"];
    assert_eq!(
        store["removals"].as_array().map(Vec::len),
        Some(0),
        "{store:#}"
    );

    // A run does the same in its end, with the same care.
    let old = unneeded(&scene.lab);
    age(&scene.lab);
    let run = actions::run_guests(&scene, &["g1"]);
    assertions::exit_code_is(&run, 0);
    let collected = &run.report["stores"]["default"];
    assert!(collected["unknown"]["g9"].is_object(), "{collected:#}");
    assert_eq!(collected["deleted"]["binaries"], 0, "{collected:#}");
    assert!(scene.lab.store().join(&old).exists());

    scene.configuration.guests.remove("g9");
    let run = actions::run_guests(&scene, &["g1"]);
    assertions::exit_code_is(&run, 0);
    let collected = &run.report["stores"]["default"];
    assert_eq!(collected["deleted"]["binaries"], 1, "{collected:#}");
    assert_eq!(collected["by_memory"][0], "g2", "{collected:#}");
    are_gone(&scene.lab, &[&old], left + 1);
}

/// These binaries are not there any more, and Portage installs each that the guest has from there again.
fn are_gone(lab: &Lab, gone: &[&String], before: usize) {
    let after = Binaries::of(lab);
    assert_eq!(after.index.len(), before - gone.len());
    for path in gone {
        assert!(after.index.iter().all(|entry| entry.get("PATH") != *path));
        assert!(!lab.store().join(path).exists());
    }
    installs_from_the_store(lab, "");
}

#[test]
#[ignore = "takes long: make test-long"]
fn what_is_spoiled_in_a_store_is_found_and_mended_and_portage_installs_what_is_left() {
    let scene = Scene::embedded(1, 1);
    let lab = &scene.lab;
    actions::prepare_for_v2(lab);
    actions::slow_down(lab, "b1", 0);
    assertions::exit_code_is(&actions::run(&scene), 0);
    lab.sh(
        "b1",
        "emerge --quiet --oneshot --buildpkgonly =app-misc/slowpoke-2.0",
    );
    age(lab);
    let sound = json(&scene, &["store", "verify", "--json"], 0);
    let store = &sound["platforms"]["default"];
    let compared = serde_json::json!(["md5", "sha1", "sha256"]);
    assert_eq!(store["algorithms"], compared, "{store:#}");
    let before = Binaries::of(lab);
    assert_eq!(store["binaries"]["files"], before.index.len(), "{store:#}");

    // A binary of this program, one of somebody else, and a record that is lost.
    let (ours, _) = record_of(lab, "dev-libs/libbeta-1.0");
    let (_, lost) = record_of(lab, "app-misc/hello-2.0");
    let of_slowpoke = before.entries("app-misc/slowpoke-2.0");
    let known = before.records.iter();
    let known: Vec<&Value> = known.map(|record| &record["binary"]["path"]).collect();
    let foreign = of_slowpoke
        .iter()
        .find(|entry| !known.contains(&&Value::from(entry.get("PATH"))))
        .expect("a binary of somebody else")
        .get("PATH")
        .to_owned();
    actions::spoil(lab, &ours);
    spoil_content(lab, &foreign);
    let text = fs::read(&lost).expect("a record");
    fs::remove_file(&lost).expect("a record is removed");
    let found = json(&scene, &["store", "repair", "--dry-run", "--json"], 1);
    let findings = found["platforms"]["default"]["findings"].as_array();
    let kinds: Vec<(&str, &str)> = findings
        .expect("findings")
        .iter()
        .map(|it| {
            (
                it["kind"].as_str().expect("a kind"),
                it["path"].as_str().unwrap_or_default(),
            )
        })
        .collect();
    assert_eq!(kinds.len(), 3, "{kinds:?}");
    for expected in [("spoiled", &ours), ("spoiled", &foreign)] {
        assert!(kinds.contains(&(expected.0, expected.1)), "{kinds:?}");
    }
    assert!(
        kinds
            .iter()
            .any(|(kind, path)| *kind == "orphan" && path.contains("hello-2.0"))
    );
    assert!(lab.store().join(&ours).exists() && !lost.exists());

    json(&scene, &["store", "repair", "--json"], 0);
    assert_eq!(
        fs::read(&lost).expect("a record"),
        text,
        "as its builder wrote it"
    );
    let quarantined = format!(".gentoo-updater/quarantine/{foreign}.spoiled");
    assert!(lab.store().join(&quarantined).exists());
    let after = json(&scene, &["store", "verify", "--json"], 0);
    let store = &after["platforms"]["default"];
    assert_eq!(
        store["notices"][0]["path"],
        quarantined.as_str(),
        "{store:#}"
    );
    let left = Binaries::of(lab);
    assert_eq!(left.index.len(), before.index.len() - 2);
    installs_from_the_store(lab, "dev-libs/libbeta-1.0");
}

/// Changes the first part of a binary, which keeps size and time. In the middle of a small one there is
/// nothing but what tar fills up, and without that it would still be whole.
fn spoil_content(lab: &Lab, path: &str) {
    let file = lab.store().join(path);
    let mut bytes = fs::read(&file).expect("a binary");
    bytes[1100..1164].iter_mut().for_each(|byte| *byte = !*byte);
    let modified = fs::metadata(&file).and_then(|file| file.modified());
    fs::write(&file, bytes).expect("a binary is overwritten");
    let file = fs::File::options().write(true).open(&file);
    file.and_then(|file| file.set_modified(modified?))
        .expect("a binary keeps its age");
}

/// Portage agrees with the index, and installs each binary that the guest has, but one, again.
fn installs_from_the_store(lab: &Lab, without: &str) {
    lab.sh("b1", "emaint --check binhost");
    let packages: Vec<String> = installed(lab, "g1")
        .into_iter()
        .filter(|(cpv, package)| !package.build_id.is_empty() && cpv != without)
        .map(|(cpv, _)| format!("={cpv}"))
        .collect();
    assert!(!packages.is_empty());
    let again = format!(
        "emerge --oneshot --nodeps --usepkgonly --binpkg-respect-use=n {}",
        packages.join(" ")
    );
    lab.sh("g1", &again);
}

/// Puts sources on the builder, as Portage would have fetched them but for what it has not. Gives the
/// names of those that must stay.
fn fetch(lab: &Lab) -> Vec<String> {
    lab.sh(
        "b1",
        "cd \"$(portageq envvar DISTDIR)\" && rm -rf ./* ./.[a-z]* &&
        touch unused-1.tar.gz fetchable-1.0.tar.gz broken-1.tar.gz.__download__ fetchme-1.0.tar.gz \
            held-1.tar.gz admins.iso && mkdir git3-src && touch git3-src/pack &&
        ln -s /etc/passwd linked-1.tar.gz && chgrp portage ./*.tar.gz ./*__download__ &&
        chgrp root admins.iso",
    );
    // Somebody fetches it again.
    lab.sh(
        "b1",
        "cat > /root/hold.py <<'E'
import os, portage, signal
from portage.locks import lockfile
place = portage.settings['DISTDIR']
lock = lockfile(os.path.join(place, 'held-1.tar.gz'), wantnewlockfile=1)
open('/root/held', 'w').close()
signal.pause()
E
        setsid python3 /root/hold.py < /dev/null > /dev/null 2>&1 &",
    );
    wait_until("a source is locked", PATIENCE, || {
        lab.holds("b1", "[ -e /root/held ]")
    });
    [
        // Of somebody else.
        "admins.iso",
        // Only a person can fetch it.
        "fetchme-1.0.tar.gz",
        "git3-src",
        "held-1.tar.gz",
        "linked-1.tar.gz",
    ]
    .map(str::to_owned)
    .into()
}

fn sources_on(lab: &Lab) -> Vec<String> {
    let names = lab.sh("b1", "cd \"$(portageq envvar DISTDIR)\" && LC_ALL=C ls");
    names.lines().map(str::to_owned).collect()
}

/// The path of the binary of a package, and the file of its record.
fn record_of(lab: &Lab, cpv: &str) -> (String, PathBuf) {
    let keys = lab.store().join(".gentoo-updater/keys");
    for file in fs::read_dir(keys).expect("records") {
        let file = file.expect("a record").path();
        let text = fs::read_to_string(&file).expect("a record");
        let record: Value = serde_json::from_str(&text).expect("JSON");
        if record["binary"]["cpv"] == cpv {
            let path = record["binary"]["path"].as_str().expect("a path");
            return (path.to_owned(), file);
        }
    }
    panic!("{cpv} has no record")
}

/// A binary of this program whose builder died before it had written the record, and whose key was
/// built again: Portage builds one once more, beside whose number stands what it is. Gives its path.
fn left_by_a_crash(lab: &Lab) -> String {
    const CPV: &str = "app-misc/slowpoke-2.0";
    let path = built_once_more(lab, CPV);
    let now = Binaries::of(lab);
    let new = now.at(&path);
    let (_, file) = record_of(lab, CPV);
    let text = fs::read_to_string(&file).expect("a record");
    let mut note: Value = serde_json::from_str(&text).expect("JSON");
    note["binary"]["path"] = path.clone().into();
    note["binary"]["build_id"] = new.get("BUILD_ID").parse::<u32>().expect("a number").into();
    note["binary"]["size"] = new.get("SIZE").parse::<u64>().expect("a number").into();
    note["binary"]["sha256"] = sha256_of(lab, &path).into();
    let number = path.trim_end_matches(".gpkg.tar");
    let folder = lab.store().join(".gentoo-updater/build-ids").join(number);
    fs::create_dir_all(&folder).expect("a folder");
    let name = file.file_name().expect("a name");
    fs::write(folder.join(name), note.to_string()).expect("a note is written");
    path
}

fn sha256_of(lab: &Lab, path: &str) -> String {
    let sum = lab.sh("b1", &format!("sha256sum < /var/cache/binpkgs/{path}"));
    sum.split(' ').next().expect("a digest").to_owned()
}

/// Has Portage build a binary of a package that the store has, outside of any run. Gives its path.
fn built_once_more(lab: &Lab, cpv: &str) -> String {
    let paths = |binaries: &Binaries| -> Vec<String> {
        let entries = binaries.entries(cpv).into_iter();
        entries.map(|entry| entry.get("PATH").to_owned()).collect()
    };
    let known = paths(&Binaries::of(lab));
    lab.sh(
        "b1",
        &format!("emerge --quiet --oneshot --buildpkgonly ={cpv}"),
    );
    let new = paths(&Binaries::of(lab))
        .into_iter()
        .find(|path| !known.contains(path));
    new.expect("a new binary")
}

fn json(scene: &Scene, arguments: &[&str], status: i32) -> Value {
    let ended = scene.command("store", arguments, PATIENCE);
    assert_eq!(ended.status.code(), Some(status), "{}", ended.stderr);
    serde_json::from_str(&ended.stdout).expect("JSON")
}

/// A binary of this program that no guest has and no run knows: Portage builds one once more, and a
/// record names it. Gives its path.
fn unneeded(lab: &Lab) -> String {
    const CPV: &str = "app-misc/slowpoke-2.0";
    let path = built_once_more(lab, CPV);
    let now = Binaries::of(lab);
    let new = now.at(&path);
    let record = now
        .records
        .iter()
        .find(|record| record["binary"]["cpv"] == CPV)
        .expect("slowpoke was built");
    // As it is written: with its form first.
    let text = format!(
        "{{\"format\":1,\"key\":{},\"binary\":{{\"cpv\":\"{CPV}\",\"slot\":\"0\",\"build_id\":{},\
         \"build_time\":{},\"path\":\"{}\",\"size\":{},\"sha256\":\"{}\"}}}}",
        record["key"],
        new.get("BUILD_ID"),
        new.get("BUILD_TIME"),
        path,
        new.get("SIZE"),
        sha256_of(lab, &path),
    );
    let keys = lab.store().join(".gentoo-updater/keys");
    fs::write(keys.join(format!("{}.json", "7".repeat(64))), text).expect("a record is written");
    path
}

/// Makes all binaries of the store three months old.
fn age(lab: &Lab) {
    let old = SystemTime::now() - Duration::from_secs(90 * 24 * 3600);
    for entry in Binaries::of(lab).index {
        let file = fs::File::open(lab.store().join(entry.get("PATH"))).expect("a binary");
        file.set_modified(old).expect("a time is set");
    }
    lab.sh("b1", "emaint --fix binhost");
}
