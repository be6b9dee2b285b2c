use std::path::Path;
use std::time::Duration;

use gentoo_updater_janitor::store::catalog::Total;
use gentoo_updater_janitor::store::verify::{Finding, Repaired, Verified};
use gentoo_updater_portage::build_key::HexDigest;

use super::document::{VerifyDocument, VerifyView};
use crate::testing::{golden, golden_text};

fn verified(findings: Vec<Finding>) -> Verified {
    Verified::of(
        Total {
            files: 1234,
            bytes: 12_345_678_901,
        },
        ["md5", "sha1", "sha256"].map(str::to_owned).into(),
        findings,
    )
}

fn document(verified: &Verified, repaired: Option<Repaired>) -> VerifyDocument {
    let store = Path::new("/var/cache/binpkgs");
    let builder = "b1".parse().unwrap();
    let mut view = VerifyView::of(store, &builder, verified, Duration::from_millis(14_250));
    if let Some(repaired) = repaired {
        view.repaired(repaired, verified);
    }
    let mut document = VerifyDocument::default();
    document.platforms.insert("amd64".parse().unwrap(), view);
    document
}

fn all() -> Vec<Finding> {
    let path = |name: &str| format!("app-misc/{name}/{name}-1-1.gpkg.tar");
    let key = |name: &str| HexDigest::sha256(name.as_bytes());
    let spoiled = |name, is_ours, by: &str| Finding::Spoiled {
        path: path(name),
        is_ours,
        wrong: format!("its content is not what {by} says"),
    };
    vec![
        spoiled("ours", true, "its record"),
        spoiled("foreign", false, "the index"),
        Finding::IndexOutdated { path: path("old") },
        Finding::NotIndexed { path: path("new") },
        Finding::FileMissing { path: path("gone") },
        Finding::IndexUnusable {
            wrong: "its last entry has no end".to_owned(),
        },
        Finding::PackedIndexOutdated,
        Finding::RecordWithoutBinary {
            record: key("gone"),
            path: path("gone"),
        },
        Finding::CannotBeRead {
            path: path("unread"),
            cause: "Input/output error".to_owned(),
        },
        Finding::Replaced {
            path: path("replaced"),
            records: vec![key("replaced")],
        },
        Finding::RecordUnreadable {
            record: "damaged.json".to_owned(),
            of_other_version: false,
        },
        Finding::RecordUnreadable {
            record: "newer\u{1b}.json".to_owned(),
            of_other_version: true,
        },
        Finding::RecordsShareBinary {
            path: path("shared"),
            records: vec![key("one"), key("other")],
        },
        Finding::Unusable {
            path: ".gentoo-updater/incoming/half".to_owned(),
        },
        Finding::SigningUnfinished {
            path: path("signing"),
        },
        Finding::Orphan {
            path: path("orphan"),
            key: key("orphan"),
        },
        Finding::Duplicate {
            path: path("twice"),
            key: key("twice"),
        },
        Finding::Quarantined {
            path: ".gentoo-updater/quarantine/app-misc/bad/bad-1-1.gpkg.tar.spoiled".to_owned(),
        },
    ]
}

#[test]
fn each_finding_has_its_remedy() {
    let verified = verified(all());
    let document = document(&verified, None);
    golden("store-verify", &document);
    golden_text("store-verify.txt", &document.to_text());
    assert!(document.platforms.values().all(VerifyView::has_faults));
}

#[test]
fn what_was_mended_is_no_fault_any_more_and_what_was_not_is() {
    let repaired = Repaired {
        removed: 1,
        quarantined: vec![".gentoo-updater/quarantine/a/b/b-1-1.gpkg.tar.spoiled".to_owned()],
        restored: 1,
        records: 3,
        files: 1,
        left: Vec::new(),
    };
    let left = vec![(
        "a/c/c-1-1.gpkg.tar".to_owned(),
        "it was changed meanwhile".to_owned(),
    )];
    let with_left = Repaired {
        left,
        ..repaired.clone()
    };
    let text = document(&verified(all()), Some(with_left.clone())).to_text();
    golden_text("store-repair.txt", &text);
    let mut mendable = all();
    mendable.retain(|finding| finding.is_mendable());
    for (findings, repaired, has_faults) in [
        (all(), repaired.clone(), true),
        (mendable.clone(), repaired, false),
        (mendable, with_left, true),
    ] {
        let document = document(&verified(findings), Some(repaired));
        assert!(
            document
                .platforms
                .values()
                .all(|view| view.has_faults() == has_faults)
        );
    }
}

#[test]
fn what_is_only_to_be_known_is_no_fault() {
    let mut notices = all();
    notices.retain(|finding| !finding.is_fault());
    assert_eq!(notices.len(), 2);
    let document = document(&verified(notices), None);
    assert!(!document.platforms.values().any(VerifyView::has_faults));
    assert!(document.to_text().contains("Nothing is wrong."));
}
