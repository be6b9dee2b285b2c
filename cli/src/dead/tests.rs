use std::sync::Mutex;

use gentoo_updater_bus::topology::HISTORY;
use gentoo_updater_bus::{DeadLetter, LetterId};

use super::arguments::{Choice, Filters};
use super::change::{Change, ChangeDocument, change_opened};
use super::letter::WholeLetter;
use super::list::{ListDocument, text, views};
use super::select::{SelectError, by_filters, by_id, check_queue, chosen};
use super::show;
use crate::testing::{DeadLetters, before, body, golden, now};
use crate::time::Age;

fn letter(id: &str, queue: &str, cause: &str, seconds: i64, body: &[u8]) -> DeadLetter {
    DeadLetter {
        id: LetterId(id.to_owned()),
        queue: queue.to_owned(),
        cause: cause.to_owned(),
        at: before(seconds),
        deliveries: Some(2),
        user: Some("fleet".to_owned()),
        buried_by: Some("planner".to_owned()),
        body: body.to_vec(),
    }
}

/// A command that was refused, one of a newer version, and something that is no message at all.
fn letters() -> Vec<DeadLetter> {
    let newer = String::from_utf8(body("ScanGuest")).unwrap();
    let newer = newer.replace("\"v\": 1", "\"v\": 2");
    assert!(newer.contains("\"v\": 2"));
    vec![
        letter(
            "3f9a0c1b2d4e",
            "build.default",
            "the handler panicked\nat line 3",
            7300,
            &body("BuildPackage"),
        ),
        letter(
            "3f00aabbccdd",
            "scan",
            "the message has version 2",
            60,
            newer.as_bytes(),
        ),
        letter(
            "81c2aabbccdd",
            "scan",
            "cannot be decoded",
            5,
            b"\xff\x1b[2Jx",
        ),
    ]
}

#[test]
fn a_list_shows_what_can_be_made_out_of_each() {
    let letters = letters();
    let views = views(&letters.iter().collect::<Vec<_>>());
    assert_eq!(
        text(&views, now()),
        "ID            CAME       FROM           KIND          ATTEMPT  CAUSE\n\
         3f9a0c1b2d4e  2 h ago    build.default  BuildPackage  1        the handler panicked at line 3\n\
         3f00aabbccdd  1 min ago  scan           ScanGuest     1        the message has version 2\n\
         81c2aabbccdd  5 s ago    scan           -             -        cannot be decoded\n"
    );
    golden(
        "dead-list",
        &ListDocument {
            dead_letters: views,
        },
    );
}

#[test]
fn an_id_is_found_by_what_only_it_begins_with() {
    let letters = letters();
    assert_eq!(by_id(&letters, "3F9").unwrap().id.0, "3f9a0c1b2d4e");
    assert_eq!(by_id(&letters, "81c2aabbccdd").unwrap().queue, "scan");
    let unknown = by_id(&letters, "aa").unwrap_err();
    assert_eq!(unknown, SelectError::Unknown("aa".to_owned()));
    assert!(matches!(by_id(&letters, ""), Err(SelectError::Unknown(_))));
    let several = by_id(&letters, "3f").unwrap_err().to_string();
    assert!(several.contains("3f9a0c1b2d4e, 3f00aabbccdd"), "{several}");
}

#[test]
fn filters_narrow_together() {
    let letters = letters();
    let taken = |filters: Filters| {
        let taken = by_filters(&letters, &filters, now());
        let ids = taken.iter().map(|letter| letter.id.0[..4].to_owned());
        ids.collect::<Vec<_>>()
    };
    let none = Filters::default;
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(taken(none()).len(), 3);
    let queue = text("scan");
    assert_eq!(taken(Filters { queue, ..none() }), ["3f00", "81c2"]);
    let (queue, cause) = (text("scan"), text("version"));
    assert_eq!(
        taken(Filters {
            queue,
            cause,
            ..none()
        }),
        ["3f00"]
    );
    let kind = text("buildpackage");
    assert_eq!(taken(Filters { kind, ..none() }), ["3f9a"]);
    let older = Some("2h".parse::<Age>().unwrap());
    assert_eq!(taken(Filters { older, ..none() }), ["3f9a"]);
}

#[test]
fn a_queue_that_no_letter_can_be_of_is_refused_and_one_that_is_gone_is_not() {
    let (letters, queues) = (letters(), ["scan", "install.web"].map(str::to_owned));
    let check = |name: &str| {
        let filters = Filters {
            queue: Some(name.to_owned()),
            ..Filters::default()
        };
        check_queue(&filters, &letters, &queues)
    };
    assert_eq!(check("install.web"), Ok(()));
    assert_eq!(check("build.default"), Ok(()));
    let error = check("nope").unwrap_err().to_string();
    let all = "there is no queue nope; there are build.default, install.web, scan";
    assert_eq!(error, all);
}

#[test]
fn nothing_is_chosen_unless_something_is_named() {
    let letters = letters();
    let error = chosen(&letters, &Choice::default(), now()).unwrap_err();
    assert_eq!(error, SelectError::Nothing);
    let all = Choice {
        all: true,
        ..Choice::default()
    };
    assert_eq!(chosen(&letters, &all, now()).unwrap().len(), 3);
}

#[test]
fn one_is_shown_with_its_body_and_commands_no_terminal() {
    let letters = letters();
    let shown = show::text(&letters[0], now()).unwrap();
    for expected in [
        "kind             BuildPackage\n",
        "orders           build dev-libs/libbeta-1.0\n",
        "sent by user     fleet\n",
        "deliveries       2\n",
        "\"type\": \"BuildPackage\"",
    ] {
        assert!(shown.contains(expected), "{expected:?} is not in\n{shown}");
    }
    assert!(!shown.contains("not understood"), "{shown}");
    let newer = show::text(&letters[1], now()).unwrap();
    assert!(
        newer.contains("not understood   the message has version 2"),
        "{newer}"
    );
    let bytes = show::text(&letters[2], now()).unwrap();
    assert!(bytes.contains("\nff 1b 5b 32 4a 78\n"), "{bytes}");
    golden("dead-show", &WholeLetter::of(&letters[1]));
}

async fn changed(store: &DeadLetters, choice: &Choice, change: Change) -> ChangeDocument {
    let queues = ["scan".to_owned()];
    let changed = change_opened(store, choice, change, &queues, now()).await;
    changed.unwrap().unwrap()
}

#[tokio::test]
async fn what_is_chosen_is_put_back_or_dropped_and_a_dry_run_changes_nothing() {
    let store = DeadLetters(Mutex::new(letters()));
    let mut choice = Choice {
        ids: vec!["3f9a".to_owned(), "81".to_owned()],
        dry_run: true,
        json: true,
        ..Choice::default()
    };
    let document = changed(&store, &choice, Change::Retry).await;
    assert_eq!(document.chosen, ["3f9a0c1b2d4e", "81c2aabbccdd"]);
    assert!(document.done.is_empty() && store.0.lock().unwrap().len() == 3);

    choice.dry_run = false;
    let document = changed(&store, &choice, Change::Retry).await;
    assert_eq!(document.done, document.chosen);
    assert_eq!(store.0.lock().unwrap().len(), 1);
    golden("dead-retry", &document);

    let all = Choice {
        all: true,
        ..Choice::default()
    };
    changed(&store, &all, Change::Drop { yes: true }).await;
    assert!(store.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn one_that_cannot_go_back_stays_is_named_and_stops_no_other() {
    let mut letters = letters();
    letters[1].queue = HISTORY.to_owned();
    let stuck = letters[1].id.to_string();
    let store = DeadLetters(Mutex::new(letters));
    let all = Choice {
        all: true,
        ..Choice::default()
    };
    let document = changed(&store, &all, Change::Retry).await;
    assert_eq!((document.chosen.len(), document.done.len()), (3, 2));
    assert_eq!(document.stayed.len(), 1);
    assert_eq!(document.stayed[0].id, stuck);
    assert_eq!(document.stayed[0].queue, HISTORY);
    assert_eq!(store.0.lock().unwrap().len(), 1);
}
