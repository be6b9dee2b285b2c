use std::collections::{BTreeMap, BTreeSet};

use gentoo_updater_fleet::message::{Failure, FailureClass};
use gentoo_updater_fleet::name::BuilderName;
use gentoo_updater_janitor::distfiles::{Sources, Unused};
use gentoo_updater_janitor::store::catalog::{Catalog, Junk, Stored, Total};
use gentoo_updater_janitor::store::collect::{Limits, decide};
use gentoo_updater_janitor::store::fleet::{Answers, judge};
use gentoo_updater_janitor::store::machine::Done;
use gentoo_updater_janitor::store::orphans::Orphan;
use gentoo_updater_janitor::store::told::Told;
use gentoo_updater_janitor::store::updates::Counted;
use gentoo_updater_portage::build_key::HexDigest;
use gentoo_updater_runtime::vdb::Build;
use jiff::Timestamp;

use super::Wanted;
use super::document::{StoreDocument, StoreView};
use super::sources::SourcesView;
use crate::testing::{golden, golden_text};

const NOW: u64 = 1_790_000_000;
const DAY: u64 = 24 * 3600;

fn stored(name: &str, build_id: u32, size: u64, days: u64) -> Stored {
    let path = format!("a/{name}/{name}-1-{build_id}.gpkg.tar");
    Stored {
        key: HexDigest::sha256(path.as_bytes()),
        cpv: format!("a/{name}-1").parse().unwrap(),
        build_id,
        path: path.parse().unwrap(),
        size,
        sha256: HexDigest::sha256(b"content"),
        modified: NOW - days * DAY,
    }
}

fn orphan(stored: Stored, is_duplicate: bool) -> Orphan {
    Orphan {
        stored,
        is_duplicate,
    }
}

/// g1 has one binary of four, one is young, one is old, one is too much; two have no record; and there is junk.
fn document(more: Answers) -> StoreDocument {
    let catalog = Catalog {
        ours: vec![
            stored("installed", 1, 1_500_000_000, 300),
            stored("old", 2, 20_000_000, 61),
            stored("much", 1, 700_000_000, 30),
            stored("young", 1, 999, 3),
        ],
        foreign: Total {
            files: 2,
            bytes: 123_456,
        },
        orphans: vec![
            orphan(stored("old", 1, 19_000_000, 60), true),
            orphan(stored("lost", 1, 5_000_000, 2), false),
        ],
        junk: vec![Junk {
            path: "a/old/old-1-2.gpkg.tar._checksum_failure_.x1".to_owned(),
            size: 7,
            modified: NOW - 2 * DAY,
        }],
        without_file: vec![(
            HexDigest::sha256(b"gone"),
            "a/b/b-1-1.gpkg.tar".parse().unwrap(),
        )],
        unreadable: vec!["odd.json".to_owned()],
        logs: Total {
            files: 12,
            bytes: 4_000_000,
        },
        without_record: Default::default(),
    };
    let build = Build {
        id: Some(1),
        time: Some(7),
    };
    let installed = [("a/installed-1".parse().unwrap(), build)].into();
    let mut answers: Answers = vec![("g1".parse().unwrap(), Ok(installed))];
    answers.extend(more);
    let counted = Counted {
        platform: "amd64".parse().unwrap(),
        guests: BTreeSet::new(),
        updates: 3,
    };
    let judgement = judge(answers, &Told::default(), &counted);
    let limits = Limits {
        days: 60,
        bytes: Some(1_500_000_000),
    };
    let decision = decide(&catalog, &judgement.needed, &limits, NOW);
    let builder = "b1".parse().unwrap();
    let store = std::path::Path::new("/var/cache/binpkgs");
    let mut view = StoreView::of(store, &builder, &catalog, &decision, &judgement);
    view.sources = sources();
    let mut document = StoreDocument::default();
    document.platforms.insert("amd64".parse().unwrap(), view);
    document
}

/// One builder has a source that nothing uses, one cannot be asked.
fn sources() -> BTreeMap<BuilderName, SourcesView> {
    let seen = Sources {
        place: "/var/cache/distfiles".into(),
        files: 40,
        bytes: 5_000_000_000,
        unused: vec![Unused {
            name: "old-1.tar.xz".to_owned(),
            bytes: 80_000_000,
            used: NOW - 200 * DAY,
        }],
        why: None,
        deleted: Total::default(),
    };
    let failed = SourcesView::Failed("no answer".to_owned());
    [("b1", SourcesView::Seen(seen)), ("b2", failed)]
        .map(|(name, view)| (name.parse().unwrap(), view))
        .into()
}

fn off() -> Answers {
    let failure = Failure::new(FailureClass::Transient, "Unreachable", "no answer");
    vec![("g2".parse().unwrap(), Err(failure))]
}

fn text(document: &StoreDocument, each: bool) -> String {
    let wanted = Wanted {
        platform: None,
        without: BTreeSet::new(),
        collect: false,
        each,
        json: false,
    };
    let now = Timestamp::from_second(i64::try_from(NOW).unwrap()).unwrap();
    document.to_text(&wanted, now)
}

#[test]
fn a_collection_names_what_goes_and_why_and_what_stays() {
    let mut document = document(Vec::new());
    golden_text("store-gc-dry-run.txt", &text(&document, true));
    golden_text("store-status.txt", &text(&document, false));
    golden("store-gc-dry-run", &document);
    for view in document.platforms.values_mut() {
        view.done = Some(Done {
            binaries: 4,
            records: 3,
            files: 1,
            bytes: 44_001_006,
            left: vec![(
                "a/much/much-1-1.gpkg.tar".to_owned(),
                "it has other content than when it was stored".to_owned(),
            )],
        });
        for sources in view.sources.values_mut() {
            if let SourcesView::Seen(sources) = sources {
                sources.deleted.add(80_000_000);
            }
        }
    }
    golden_text("store-gc.txt", &text(&document, true));
}

#[test]
fn nothing_goes_while_nobody_knows_what_a_guest_has() {
    let document = document(off());
    let text = text(&document, true);
    assert!(document.platforms.values().all(StoreView::is_stuck));
    assert!(
        text.contains("NOTHING GOES: nobody knows what g2 has installed"),
        "{text}"
    );
    assert!(text.contains("--without g2"), "{text}");
    assert!(
        !text.contains("old-1-2") && !text.contains("needed by nobody"),
        "{text}"
    );
}
