use gentoo_updater_janitor::cruft::archives::{Archive, Archived, Found, Restored};
use jiff::Timestamp;

use super::builders::Archives;
use super::list::{paths, table};
use super::purge::{self, keep_older};
use super::restore::{RestoreDocument, choose, refusal, text};
use crate::testing::{golden, golden_text};

const NOW: i64 = 1_790_000_000;

fn archive(run: &str, days: i64) -> Archive {
    let run = format!("01900000-0000-7000-8000-{run}");
    Archive {
        path: format!("/var/lib/gentoo-updater/cruft/{run}.1/files.tar.zst"),
        run: run.parse().unwrap(),
        made: NOW - days * 24 * 3600,
        size: 12_345,
        files: 3,
        restored: 1,
        paths: Vec::new(),
    }
}

fn archived(path: &str, kind: &str, restored: bool) -> Archived {
    Archived {
        path: path.to_owned(),
        kind: kind.to_owned(),
        size: 4096,
        restored,
    }
}

fn archives() -> Archives {
    let mut shown = archive("000000000002", 1);
    shown.paths = vec![
        archived("/etc/foo", "folder", false),
        archived("/etc/foo/a b.conf", "file", true),
        archived(r"/etc/foo/\xff", "link", false),
    ];
    Archives {
        builders: [
            (
                "b1".parse().unwrap(),
                vec![archive("000000000001", 40), shown],
            ),
            ("b2".parse().unwrap(), vec![archive("000000000003", 0)]),
        ]
        .into(),
        failed: [("b3".parse().unwrap(), "it is off".to_owned())].into(),
    }
}

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

#[test]
fn cruft_list_has_golden_files() {
    golden("cruft-list", &archives());
    golden_text("cruft-list.txt", &table(&archives(), now()));
    golden_text("cruft-paths.txt", &paths(&archives()));
}

#[test]
fn cruft_restore_has_golden_files() {
    let document = RestoreDocument {
        builder: "b1".parse().unwrap(),
        run: archive("000000000002", 1).run,
        dry_run: false,
        done: Restored {
            unknown: Vec::new(),
            in_the_way: Vec::new(),
            restored: vec!["/etc/foo".to_owned(), "/etc/foo/a b.conf".to_owned()],
        },
    };
    golden("cruft-restore", &document);
    golden_text("cruft-restore.txt", &text(&document));
    assert_eq!(refusal(&document.done, false), "");
    let refused = Restored {
        unknown: vec!["/etc/nothing".to_owned()],
        in_the_way: vec!["/etc/foo".to_owned()],
        restored: Vec::new(),
    };
    golden_text("cruft-refusal.txt", &refusal(&refused, false));
    assert!(!refusal(&refused, true).contains("--force"));
}

#[test]
fn a_run_with_files_on_several_builders_asks_for_one_and_one_without_is_not_there() {
    let error = choose(&archives()).unwrap_err();
    assert!(error.is::<crate::WrongUsage>(), "{error}");
    let mut one = archives();
    one.builders.retain(|name, _| name.as_str() == "b2");
    assert_eq!(choose(&one).unwrap().0.as_str(), "b2");
    one.builders.clear();
    let error = choose(&one).unwrap_err();
    assert!(!error.is::<crate::NotThere>(), "b3 may have it: {error}");
    one.failed.clear();
    assert!(choose(&one).unwrap_err().is::<crate::NotThere>());
}

#[test]
fn an_archive_that_cannot_be_read_is_named_beside_the_others() {
    let mut all = Archives::default();
    let found = Found {
        archives: vec![archive("000000000001", 1)],
        damaged: vec!["/a/index.json cannot be read".to_owned()],
    };
    let name = || "b1".parse().unwrap();
    all.add(name(), found);
    assert_eq!(all.builders[&name()].len(), 1);
    assert_eq!(all.failed[&name()], "/a/index.json cannot be read");
    all.add("b2".parse().unwrap(), Found::default());
    assert_eq!((all.builders.len(), all.failed.len()), (1, 1));
    assert_ne!(all.conclude(crate::EXIT_DONE), crate::EXIT_DONE);
}

#[test]
fn a_purge_by_age_leaves_what_is_younger() {
    let mut chosen = archives();
    keep_older(&mut chosen, Some(NOW - 30 * 24 * 3600));
    assert_eq!(chosen.builders.len(), 1);
    golden_text("cruft-purge.txt", &purge::text(&chosen, true, now()));
}
