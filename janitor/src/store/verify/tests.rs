//! Real stores, with binaries and an index of Portage's own making, that are spoiled and mended.

mod doubts;
mod fixture;
mod kills;

use std::fs;

use gentoo_updater_portage::build_key::HexDigest;

use self::fixture::{Store, host};
use super::*;

/// What is found, as `kind path`.
fn told(findings: &[Finding]) -> Vec<String> {
    let told = findings.iter().map(|finding| {
        let document = serde_json::to_value(finding).unwrap();
        let kind = document["kind"].as_str().unwrap().to_owned();
        format!("{kind} {}", finding.words().0)
    });
    let mut told: Vec<String> = told.collect();
    told.sort();
    told
}

#[tokio::test]
async fn a_sound_store_is_read_once_and_has_nothing_to_be_mended() {
    let store = Store::with(&["a-1-1", "b-1-1"]);
    store.record("a-1-1");
    let mut seen = Vec::new();
    let host = host().await;
    let verified = verify(host.as_ref(), store.path(), fixture::now(), |progress| {
        seen.push(progress);
    });
    let verified = verified.await.unwrap();
    assert_eq!(verified.findings, []);
    assert_eq!(verified.binaries.files, 2);
    let algorithms: Vec<&str> = verified.algorithms.iter().map(String::as_str).collect();
    assert_eq!(algorithms, ["md5", "sha1", "sha256"]);
    let of = verified.binaries.bytes;
    let progress = [0, of].map(|read| Progress { read, of });
    assert_eq!(seen, progress);
    let index = store.read("Packages");
    assert_eq!(store.repair(&verified).await, Repaired::default());
    assert_eq!(store.read("Packages"), index);
    assert!(!store.has(".gentoo-updater/lock.d"));
}

#[tokio::test]
async fn what_needs_no_reading_is_told_by_a_survey_alone() {
    let store = Store::with(&["a-1-1", "b-1-1", "c-1-1"]);
    store.record("a-1-1");
    let host = host().await;
    let survey = async || {
        let survey = survey_alone(host.as_ref(), store.path(), fixture::now());
        survey.await.unwrap()
    };
    assert_eq!(survey().await, SurveyFacts::default());
    let binary = |name: &str| {
        store
            .path()
            .join(format!("app-misc/{name}/{name}-1-1.gpkg.tar"))
    };
    fs::remove_file(binary("a")).unwrap();
    fs::OpenOptions::new()
        .append(true)
        .open(binary("b"))
        .and_then(|file| file.set_len(7))
        .unwrap();
    let found = survey().await;
    let differs: Vec<&str> = found.index_differs.iter().map(String::as_str).collect();
    assert_eq!(
        differs,
        [
            "app-misc/a/a-1-1.gpkg.tar is in the index, and not there",
            "app-misc/b/b-1-1.gpkg.tar has another size than the index says"
        ]
    );
    assert_eq!(found.oddities.len(), 1, "its record: {found:?}");
    let index = store.path().join("Packages");
    let text = fs::read_to_string(&index).unwrap();
    fs::write(&index, &text[..text.len() - 20]).unwrap();
    assert!(survey().await.index_unusable.is_some());
}

#[tokio::test]
async fn every_fault_is_found_and_mended_and_what_is_left_is_sound() {
    let names = [
        "good-1-1",
        "ours-1-1",
        "foreign-1-1",
        "gone-1-1",
        "replaced-1-1",
        "damaged-1-1",
        "orphan-1-1",
        "orphan-1-2",
        "twice-1-1",
        "twice-1-2",
        "shared-1-1",
        "young-1-1",
        "both-1-1",
        "both-1-2",
    ];
    let store = Store::with(&names);
    for name in [
        "good-1-1",
        "ours-1-1",
        "gone-1-1",
        "twice-1-1",
        "shared-1-1",
        "both-1-1",
    ] {
        store.record(name);
    }
    for (name, days) in [("orphan-1-1", 3), ("orphan-1-2", 2), ("young-1-1", 0)] {
        store.note(name, "orphan-1", days);
    }
    store.note("young-1-1", "young-1", 0);
    store.note("damaged-1-1", "damaged-1", 2);
    store.note("twice-1-2", "twice-1", 2);
    store.note("both-1-2", "both-1", 2);
    store.fix_index();
    let sound = store.verify().await;
    assert_eq!(
        told(&sound.findings),
        [
            "duplicate app-misc/both/both-1-2.gpkg.tar",
            "duplicate app-misc/twice/twice-1-2.gpkg.tar",
            "orphan app-misc/damaged/damaged-1-1.gpkg.tar",
            "orphan app-misc/orphan/orphan-1-1.gpkg.tar",
            "orphan app-misc/orphan/orphan-1-2.gpkg.tar",
        ]
    );

    store.spoil("ours-1-1");
    store.spoil("foreign-1-1");
    // The other one of its key is good.
    store.spoil("both-1-1");
    store.remove("gone-1-1");
    store.make(&["replaced-1-1", "new-1-1"]);
    let damaged = store.key("damaged-1");
    store.write(
        &format!(".gentoo-updater/keys/{damaged}.json"),
        "{\"form",
        2,
    );
    let of_shared = store.read(&format!(
        ".gentoo-updater/keys/{}.json",
        store.key("shared-1")
    ));
    let other = "7".repeat(64);
    store.write(&format!(".gentoo-updater/keys/{other}.json"), &of_shared, 2);
    store.write(
        "app-misc/good/good-1-1.gpkg.tar._checksum_failure_.x1",
        "bad",
        2,
    );
    store.write(
        "app-misc/good/good-1-1.gpkg.tar._checksum_failure_.x2",
        "bad",
        0,
    );
    store.write(".gentoo-updater/incoming/half", "half", 2);
    store.write("Packages.gz", "what is this?", 0);
    let verified = store.verify().await;
    let expected = [
        "duplicate app-misc/twice/twice-1-2.gpkg.tar".to_owned(),
        "file_missing app-misc/gone/gone-1-1.gpkg.tar".to_owned(),
        "index_outdated app-misc/replaced/replaced-1-1.gpkg.tar".to_owned(),
        "not_indexed app-misc/new/new-1-1.gpkg.tar".to_owned(),
        "orphan app-misc/both/both-1-2.gpkg.tar".to_owned(),
        "orphan app-misc/damaged/damaged-1-1.gpkg.tar".to_owned(),
        "orphan app-misc/orphan/orphan-1-1.gpkg.tar".to_owned(),
        "orphan app-misc/orphan/orphan-1-2.gpkg.tar".to_owned(),
        "packed_index_outdated Packages.gz".to_owned(),
        format!("record_unreadable {damaged}.json"),
        "record_without_binary app-misc/gone/gone-1-1.gpkg.tar".to_owned(),
        "records_share_binary app-misc/shared/shared-1-1.gpkg.tar".to_owned(),
        "spoiled app-misc/both/both-1-1.gpkg.tar".to_owned(),
        "spoiled app-misc/foreign/foreign-1-1.gpkg.tar".to_owned(),
        "spoiled app-misc/ours/ours-1-1.gpkg.tar".to_owned(),
        "unusable .gentoo-updater/incoming/half".to_owned(),
        "unusable app-misc/good/good-1-1.gpkg.tar._checksum_failure_.x1".to_owned(),
    ];
    assert_eq!(told(&verified.findings), expected);
    assert!(
        verified
            .findings
            .iter()
            .all(|finding| !finding.remedy().is_empty())
    );

    let repaired = store.repair(&verified).await;
    let quarantined = ".gentoo-updater/quarantine/app-misc/foreign/foreign-1-1.gpkg.tar.spoiled";
    let expected = Repaired {
        removed: 2,
        quarantined: vec![quarantined.to_owned()],
        restored: 3,
        // Of what is spoiled (2) and of what is gone, the damaged one, and the one that was copied.
        records: 5,
        files: 2,
        left: Vec::new(),
    };
    assert_eq!(repaired, expected);
    assert!(!store.has("app-misc/ours") && !store.has("app-misc/foreign/foreign-1-1.gpkg.tar"));
    let after = store.verify().await;
    // The newest of the two has the record now.
    assert_eq!(
        told(&after.findings),
        [
            "duplicate app-misc/orphan/orphan-1-1.gpkg.tar".to_owned(),
            "duplicate app-misc/twice/twice-1-2.gpkg.tar".to_owned(),
            format!("quarantined {quarantined}"),
        ]
    );
    assert!(!after.has_faults());
    assert_eq!(store.repair(&after).await, Repaired::default());
    store.portage_agrees();
    assert_eq!(store.indexed(), store.binaries());
    assert!(store.has(&format!(
        ".gentoo-updater/keys/{}.json",
        store.key("shared-1")
    )));
    assert!(!store.has(&format!(".gentoo-updater/keys/{other}.json")));
}

#[tokio::test]
async fn an_index_that_is_gone_cut_off_or_none_is_written_anew() {
    let store = Store::with(&["a-1-1", "b-1-1", "c-1-1"]);
    store.record("a-1-1");
    let whole = store.read("Packages");
    let entry = whole.find("CPV: app-misc/c-1").unwrap();
    let indexes = [
        None,
        Some(String::new()),
        Some("what is this?\n".to_owned()),
        // Portage takes such an index for an empty one.
        Some(whole.replace("VERSION: 0\n", "")),
        Some(whole[..entry + 30].to_owned()),
        // At the end of a line, where nothing looks wrong but its digests are missing.
        Some(whole[..whole.rfind("SHA1: ").unwrap()].to_owned()),
        Some(whole[..whole.rfind("\nBUILD_ID: ").unwrap()].to_owned() + "\n"),
    ];
    for index in indexes {
        match &index {
            None => fs::remove_file(store.path().join("Packages")).unwrap(),
            Some(text) => store.write("Packages", text, 0),
        }
        let verified = store.verify().await;
        let told = told(&verified.findings);
        assert!(
            told.contains(&"index_unusable Packages".to_owned()),
            "{index:?}: {told:?}"
        );
        assert!(
            told.iter().all(|it| !it.starts_with("not_indexed")),
            "{index:?}: {told:?}"
        );
        let repaired = store.repair(&verified).await;
        assert_eq!(repaired, Repaired::default(), "{index:?}");
        assert_eq!(store.verify().await.findings, [], "{index:?}");
        assert_eq!(store.indexed(), store.binaries());
        store.portage_agrees();
    }
}

#[tokio::test]
async fn a_store_that_is_not_there_is_an_error_and_not_an_empty_one() {
    let store = Store::with(&[]);
    let nowhere = store.path().join("nowhere");
    let host = host().await;
    let verified = verify(host.as_ref(), &nowhere, fixture::now(), |_| {}).await;
    let failure = verified.unwrap_err();
    assert_eq!(failure.cause, UNREADABLE);
    assert!(
        failure.message.ends_with("is it there, and mounted?"),
        "{failure}"
    );
}

#[tokio::test]
async fn what_builders_and_collectors_change_meanwhile_is_no_fault() {
    let store = Store::with(&["a-1-1", "b-1-1", "c-1-1"]);
    let host = host().await;
    for name in ["a-1-1", "b-1-1", "c-1-1"] {
        store.record(name);
    }
    let before = store.read("Packages");
    let verified = verify(host.as_ref(), store.path(), fixture::now(), |progress| {
        if progress.read == 0 {
            // Collected, built again under the same name, and built.
            store.remove("a-1-1");
            store.unrecord("a-1");
            store.make(&["b-1-1", "d-1-1"]);
            // Portage tells it from the old one by size and whole seconds.
            store.age(&fixture::path_of("b-1-1"), 1);
            store.fix_index();
            store.record("b-1-1");
            store.record("d-1-1");
        }
    });
    assert_eq!(told(&verified.await.unwrap().findings), [""; 0]);
    assert_ne!(store.read("Packages"), before);

    // A builder that stands between the binary and the index holds the lock, and is waited for.
    store.make(&["e-1-1"]);
    let builder = store.hold_lock_until_indexed();
    let verified = store.verify().await;
    assert_eq!(told(&verified.findings), [""; 0]);
    builder.join().unwrap();
}

#[tokio::test]
async fn what_stands_between_two_signatures_is_not_taken_for_spoiled() {
    let store = Store::with(&["a-1-1", "b-1-1"]);
    store.record("a-1-1");
    // The copy is in its place, and its record is not written yet.
    store.make(&["a-1-1"]);
    // Portage tells it from the old one by size and whole seconds.
    store.age(&fixture::path_of("a-1-1"), 1);
    store.fix_index();
    let replaced = store.verify().await;
    assert_eq!(
        told(&replaced.findings),
        ["replaced app-misc/a/a-1-1.gpkg.tar"]
    );
    let intent = "{\"path\":\"app-misc/a/a-1-1.gpkg.tar\"}";
    store.write(".gentoo-updater/signing/0.json", intent, 0);
    let verified = store.verify().await;
    let signing = ["signing_unfinished app-misc/a/a-1-1.gpkg.tar"];
    assert_eq!(told(&verified.findings), signing);
    assert_eq!(store.repair(&verified).await, Repaired::default());
    assert_eq!(told(&store.verify().await.findings), signing);
    // Who reads while it is begun and ended sees nothing of it; who mends leaves it alone.
    let repaired = store.repair(&replaced).await;
    assert_eq!((repaired.records, repaired.left.len()), (0, 1));
}

#[tokio::test]
async fn what_is_changed_before_it_is_mended_is_left_alone() {
    let store = Store::with(&["a-1-1", "b-1-1"]);
    store.record("a-1-1");
    store.spoil("a-1-1");
    store.spoil("b-1-1");
    let verified = store.verify().await;
    assert_eq!(verified.findings.len(), 2);
    store.make(&["a-1-1", "b-1-1"]);
    let repaired = store.repair(&verified).await;
    let left: Vec<&str> = repaired
        .left
        .iter()
        .map(|(path, _)| path.as_str())
        .collect();
    let both = ["app-misc/a/a-1-1.gpkg.tar", "app-misc/b/b-1-1.gpkg.tar"];
    assert_eq!((left, repaired.removed), (both.to_vec(), 0));
    assert!(both.iter().all(|path| store.has(path)));
    assert!(store.has(&format!(".gentoo-updater/keys/{}.json", store.key("a-1"))));
}

#[tokio::test]
async fn what_portage_does_not_take_is_named_and_left_where_it_is() {
    let store = Store::with(&["a-1-1"]);
    // As its name does not say, and without the end of xpak(5).
    let content = fs::read(store.path().join("app-misc/a/a-1-1.gpkg.tar")).unwrap();
    fs::write(store.path().join("app-misc/a/b-1-1.gpkg.tar"), content).unwrap();
    store.write(
        "app-misc/a/c-1-1.xpak",
        "no package at all, but long enough",
        2,
    );
    let verified = store.verify().await;
    assert_eq!(
        told(&verified.findings),
        [
            "not_indexed app-misc/a/b-1-1.gpkg.tar",
            "spoiled app-misc/a/c-1-1.xpak",
        ]
    );
    let repaired = store.repair(&verified).await;
    let left: Vec<&str> = repaired
        .left
        .iter()
        .map(|(path, _)| path.as_str())
        .collect();
    assert_eq!(left, ["app-misc/a/b-1-1.gpkg.tar"]);
    assert_eq!(repaired.quarantined.len(), 1);
    assert!(store.has("app-misc/a/b-1-1.gpkg.tar"));
}

#[tokio::test]
async fn while_another_version_has_records_here_no_binary_counts_as_without_one() {
    let store = Store::with(&["a-1-1", "b-1-1"]);
    store.note("a-1-1", "a-1", 2);
    store.note("b-1-1", "b-1", 2);
    store.fix_index();
    let other = HexDigest::sha256(b"other");
    let name = format!(".gentoo-updater/keys/{other}.json");
    store.write(&name, "{\"format\":2}", 2);
    let verified = store.verify().await;
    assert_eq!(
        told(&verified.findings),
        [format!("record_unreadable {other}.json")]
    );
    assert_eq!(store.repair(&verified).await, Repaired::default());
    assert!(store.has(&name));
    let after = store.verify().await;
    assert!(after.has_faults(), "whoever can read it is needed");
    fs::remove_file(store.path().join(&name)).unwrap();
    assert_eq!(store.verify().await.findings.len(), 2);
}
