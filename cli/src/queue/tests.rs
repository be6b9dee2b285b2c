use std::collections::BTreeMap;
use std::time::Duration;

use gentoo_updater_bus::{Health, QueueState};
use gentoo_updater_fleet::message::{Event, PauseTarget, Role};
use gentoo_updater_fleet::state::Fleet;

use super::list::{document, text};
use super::purge::{PurgeDocument, again};
use super::view::{Difference, view};
use super::{peek, work};
use crate::testing::{event, fleet, golden, now};

/// The build of dev-libs/libbeta waits for 4 min, or is worked on for 2 if it is claimed.
fn history(claimed: bool) -> Fleet {
    let mut events: Vec<(i64, Event)> = [
        (600, "RunRequested"),
        (590, "WorkerRegistered"),
        (500, "GuestScanned"),
        (490, "BatchPlanned"),
        (240, "CommandIssued"),
    ]
    .map(|(seconds, kind)| (seconds, event(kind)))
    .into();
    if claimed {
        events.push((120, event("WorkStarted")));
    }
    fleet(&events)
}

fn state(ready: u64) -> Option<QueueState> {
    Some(QueueState {
        ready,
        consumers: Some(1),
    })
}

fn names() -> Vec<String> {
    ["dead", "history", "plan", "scan", "build.default"]
        .map(str::to_owned)
        .into()
}

fn states(builds: u64) -> BTreeMap<String, Option<QueueState>> {
    let mut states: BTreeMap<_, _> = names().into_iter().map(|name| (name, state(0))).collect();
    states.insert("build.default".to_owned(), state(builds));
    states.insert("history".to_owned(), state(5));
    states
}

#[test]
fn a_list_shows_depth_waiting_work_and_who_works_on_what() {
    let (waits, works) = (history(false), history(true));
    let list = document(&names(), &states(1), &waits, &Health::Good);
    assert_eq!(
        text(&list.queues, &Health::Good, now()),
        "The bus takes messages.\n\n\
         QUEUE          DEPTH  CONSUMERS  WAITING  OLDEST     PAUSED  WORKED ON\n\
         dead           0      1          -        -          -       -\n\
         history        5      1          -        -          -       -\n\
         plan           0      1          -        -          -       -\n\
         scan           0      1          0        -          -       -\n\
         build.default  1      1          1        4 min ago  -       -\n"
    );
    let list = document(&names(), &states(0), &works, &Health::Good);
    let table = text(&list.queues, &Health::Good, now());
    let last = table.lines().last().unwrap();
    assert!(
        last.ends_with("builder@b1: build dev-libs/libbeta-1.0 for g1, for 2 min"),
        "{table}"
    );
}

#[test]
fn a_list_says_first_that_the_broker_takes_nothing() {
    let health = Health::Blocked("low on memory".to_owned());
    let list = document(&names(), &states(1), &history(false), &health);
    let table = text(&list.queues, &health, now());
    assert!(
        table.starts_with("THE BROKER TAKES NO MESSAGES (low on memory)"),
        "{table}"
    );
    golden("queue-list", &list);
}

#[test]
fn a_queue_is_paused_by_its_role_by_its_workers_and_by_unfit_machines() {
    let mut fleet = history(true);
    let paused = |fleet: &Fleet, name| {
        let list = document(&[name], &BTreeMap::new(), fleet, &Health::Good);
        let table = text(&list.queues, &Health::Good, now());
        table.lines().last().unwrap().to_owned()
    };
    let name = || "build.default".to_owned();
    fleet.apply(100, &said(event("PauseRequested")));
    let line = paused(&fleet, name());
    assert!(
        line.contains("every builder (the room is too hot)"),
        "{line}"
    );
    assert!(!paused(&fleet, "scan".to_owned()).contains("every"));
    fleet.apply(101, &said(event("ResumeRequested")));
    fleet.pauses.remove(&PauseTarget::Role(Role::Builder));
    fleet.apply(102, &said(event("WorkerPaused")));
    let line = paused(&fleet, name());
    assert!(line.contains("builder@b1 (CompileFailure)"), "{line}");
}

fn said(event: Event) -> gentoo_updater_fleet::message::Envelope<Event> {
    gentoo_updater_fleet::message::Envelope::new("operator@desk".parse().unwrap(), now(), event)
}

#[test]
fn a_peek_shows_both_numbers_and_the_work_that_waits() {
    let fleet = history(false);
    let queue = view(
        "build.default",
        state(1),
        work(&fleet).get("build.default"),
        &fleet,
    );
    assert_eq!(queue.difference, None);
    assert_eq!(
        peek::text(&queue, now()),
        "build.default: 1 command by the history, 1 by the broker\n\n\
         ISSUED     RUN           ATTEMPT  TASK\n\
         4 min ago  000000000001  1        build dev-libs/libbeta-1.0 for g1\n"
    );
    golden("queue-peek", &queue);
}

#[test]
fn a_number_that_differs_is_told_with_what_it_means() {
    assert_eq!(Difference::of(state(2), 2), None);
    assert_eq!(Difference::of(None, 0), None);
    assert_eq!(
        Difference::of(state(0), 2),
        Some(Difference::Fewer { by: 2 })
    );
    assert_eq!(
        Difference::of(state(3), 2),
        Some(Difference::More { by: 1 })
    );
    assert_eq!(Difference::of(None, 1), Some(Difference::Missing));
    let words = |difference: Difference| difference.words();
    assert!(words(Difference::Fewer { by: 1 }).contains("about to claim"));
    assert!(words(Difference::More { by: 1 }).contains("dead letter"));
    assert!(words(Difference::Missing).contains("no such queue"));
}

#[test]
fn a_purge_says_when_the_work_comes_back() {
    let fleet = history(false);
    let work = work(&fleet);
    let mut waiting = work["build.default"].waiting.clone();
    let lease = Duration::from_secs(180);
    assert!(again(&[], lease).starts_with("30 to 54 s after the purge"));
    waiting.push(waiting[0].clone());
    waiting[1].times = 2;
    assert!(again(&waiting, lease).starts_with("30 to 84 s after the purge"));
}

#[test]
fn what_a_purge_took_is_told_to_programs() {
    let document = PurgeDocument {
        queue: "scan",
        purged: 3,
    };
    golden("queue-purge", &document);
}
