mod beside;
mod inspected;
mod kept;
mod stored;

use std::collections::BTreeSet;
use std::path::PathBuf;

use gentoo_updater_fleet::message::{Event, PlannerAlive};
use gentoo_updater_fleet::name::{EventId, RunId};
use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::seam::Inspect;
use crate::testing::{run_requested, said, scan_command, within};
use crate::topology::SCAN;

struct Journaled {
    directory: TempDir,
}

impl Journaled {
    fn new() -> Self {
        Self {
            directory: TempDir::new().unwrap(),
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("state/journal.sqlite")
    }

    async fn open(&self) -> Embedded {
        Embedded::open(self.path()).await.unwrap()
    }

    /// Runs a statement as another version of the program might.
    fn tamper(&self, statement: &str) {
        Connection::open(self.path())
            .unwrap()
            .execute_batch(statement)
            .unwrap();
    }
}

fn scan_queue() -> Vec<String> {
    vec![SCAN.to_owned()]
}

fn alive(beat: u64) -> Envelope<Event> {
    said(Event::PlannerAlive(PlannerAlive {
        worker: "planner@1".parse().unwrap(),
        beat,
    }))
}

async fn ids(history: &mut Box<dyn History>, count: usize) -> Vec<EventId> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(within(history.next()).await.unwrap().event.unwrap().id);
    }
    ids
}

#[tokio::test]
async fn events_are_read_in_the_order_in_which_they_were_confirmed_and_again_after_a_restart() {
    let journal = Journaled::new();
    let bus = journal.open().await;
    let events: Vec<_> = (0..40).map(|_| run_requested(RunId::generate())).collect();
    let expected: Vec<_> = events.iter().map(|event| event.id).collect();
    let mut early = bus.history(Position::First).await.unwrap();
    for event in &events {
        bus.publish(event).await.unwrap();
    }
    assert_eq!(ids(&mut early, 40).await, expected);
    drop(early);
    bus.close().await;

    let bus = journal.open().await;
    let mut again = bus.history(Position::First).await.unwrap();
    assert_eq!(ids(&mut again, 40).await, expected);
    let end = bus.end().await.unwrap().unwrap();
    let mut last = bus.history(Position::Offset(end)).await.unwrap();
    assert_eq!(ids(&mut last, 1).await, expected[39..]);
}

#[tokio::test]
async fn a_reader_that_waits_gets_the_next_event() {
    let journal = Journaled::new();
    let bus = journal.open().await;
    let mut history = bus.history(Position::First).await.unwrap();
    let event = run_requested(RunId::generate());
    let (item, published) = tokio::join!(within(history.next()), bus.publish(&event));
    published.unwrap();
    assert_eq!(item.unwrap().event.unwrap(), event);
}

#[tokio::test]
async fn another_process_reads_the_history_while_it_grows_and_changes_nothing() {
    let journal = Journaled::new();
    let bus = journal.open().await;
    let reader = EmbeddedReader::open(journal.path()).await.unwrap();
    let mut history = reader.history(Position::First).await.unwrap();
    let event = run_requested(RunId::generate());
    let (item, published) = tokio::join!(within(history.next()), bus.publish(&event));
    published.unwrap();
    assert_eq!(item.unwrap().event.unwrap(), event);
    assert!(matches!(
        reader.publish(&event).await,
        Err(BusError::ReadOnly)
    ));
}

#[tokio::test]
async fn the_journal_of_a_process_that_has_ended_can_be_read() {
    let journal = Journaled::new();
    let bus = journal.open().await;
    let event = run_requested(RunId::generate());
    bus.publish(&event).await.unwrap();
    drop(bus);
    let reader = EmbeddedReader::open(journal.path()).await.unwrap();
    assert_eq!(reader.end().await.unwrap(), Some(1));
}

#[tokio::test]
async fn a_journal_that_is_not_there_is_an_error_for_a_reader() {
    let journal = Journaled::new();
    let error = EmbeddedReader::open(journal.path()).await.err().unwrap();
    assert!(matches!(error, BusError::Journal { .. }), "{error}");
    assert!(!journal.path().exists());
}

#[tokio::test]
async fn a_second_process_is_told_that_the_journal_is_in_use_until_the_first_closes_it() {
    let journal = Journaled::new();
    let bus = journal.open().await;
    let error = Embedded::open(journal.path()).await.err().unwrap();
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    bus.close().await;
    journal.open().await;
}

#[tokio::test]
async fn who_only_looks_whether_a_journal_is_held_keeps_nobody_from_it() {
    let journal = Journaled::new();
    assert!(!is_held(journal.path()).unwrap());
    let bus = journal.open().await;
    assert!(is_held(journal.path()).unwrap());
    bus.close().await;
    assert!(!is_held(journal.path()).unwrap());
}

#[tokio::test]
async fn a_journal_of_another_version_is_refused() {
    let journal = Journaled::new();
    journal.open().await.close().await;
    journal.tamper("PRAGMA user_version = 3");
    let error = Embedded::open(journal.path()).await.err().unwrap();
    assert!(error.to_string().contains("version 3"), "{error}");
}

#[tokio::test]
async fn a_command_that_is_not_settled_comes_again_after_a_restart_and_a_settled_one_does_not() {
    let journal = Journaled::new();
    let bus = journal.open().await;
    let (first, second) = (
        scan_command(RunId::generate(), 1),
        scan_command(RunId::generate(), 1),
    );
    bus.issue(SCAN, &first).await.unwrap();
    bus.issue(SCAN, &second).await.unwrap();
    let mut commands = bus.commands(&scan_queue()).await.unwrap();
    let delivery = within(commands.next()).await.unwrap();
    assert_eq!(delivery.command, first);
    delivery.settle.ack().await.unwrap();
    let unsettled = within(commands.next()).await.unwrap();
    assert_eq!(unsettled.command, second);
    drop((unsettled, commands, bus));

    let bus = journal.open().await;
    let mut commands = bus.commands(&scan_queue()).await.unwrap();
    assert_eq!(within(commands.next()).await.unwrap().command, second);
}

#[tokio::test]
async fn a_command_that_is_dropped_without_settlement_goes_to_the_next_reader() {
    let journal = Journaled::new();
    let bus = journal.open().await;
    let command = scan_command(RunId::generate(), 1);
    bus.issue(SCAN, &command).await.unwrap();
    let mut one = bus.commands(&scan_queue()).await.unwrap();
    let mut other = bus.commands(&scan_queue()).await.unwrap();
    let held = within(one.next()).await.unwrap();
    let (given_back, ()) = tokio::join!(within(other.next()), async { drop(held) });
    assert_eq!(given_back.unwrap().command, command);
}

#[tokio::test]
async fn a_reader_gets_commands_of_its_own_queues_only() {
    let journal = Journaled::new();
    let bus = journal.open().await;
    let (other, own) = (
        scan_command(RunId::generate(), 1),
        scan_command(RunId::generate(), 1),
    );
    bus.issue("build.amd64", &other).await.unwrap();
    bus.issue(SCAN, &own).await.unwrap();
    let mut commands = bus.commands(&scan_queue()).await.unwrap();
    assert_eq!(within(commands.next()).await.unwrap().command, own);
}

#[tokio::test]
async fn a_command_that_cannot_be_decoded_or_is_refused_becomes_a_dead_letter_with_its_cause() {
    let journal = Journaled::new();
    journal.open().await.close().await;
    journal.tamper("INSERT INTO commands (queue, id, body) VALUES ('scan', 'x', x'7b7d')");
    let bus = journal.open().await;
    let good = scan_command(RunId::generate(), 1);
    bus.issue(SCAN, &good).await.unwrap();
    let mut commands = bus.commands(&scan_queue()).await.unwrap();
    let delivery = within(commands.next()).await.unwrap();
    assert_eq!(delivery.command, good);
    delivery
        .settle
        .reject("nobody wants it".to_owned())
        .await
        .unwrap();

    let dead = bus.dead_letters(usize::MAX).await.unwrap();
    assert_eq!(dead.len(), 2);
    assert_eq!(dead[0].body, b"{}");
    assert_eq!(dead[0].queue, SCAN);
    assert!(
        dead[0].cause.contains("cannot be decoded"),
        "{}",
        dead[0].cause
    );
    assert_eq!(dead[1].body, good.encode().unwrap());
    assert_eq!(dead[1].cause, "nobody wants it");
}

#[tokio::test]
async fn an_event_that_cannot_be_decoded_is_passed_by_readers_and_buried_by_the_planner() {
    let journal = Journaled::new();
    journal.open().await.close().await;
    journal.tamper(
        "INSERT INTO history (id, stored_at, body) VALUES ('x', unixepoch(), x'7b2276223a397d');
         INSERT INTO wakeups VALUES (1);",
    );
    let bus = journal.open().await;
    let good = run_requested(RunId::generate());
    bus.publish(&good).await.unwrap();

    let mut history = bus.history(Position::First).await.unwrap();
    assert!(within(history.next()).await.unwrap().event.is_err());
    assert_eq!(within(history.next()).await.unwrap().event.unwrap(), good);
    let mut wakeups = bus.wakeups().await.unwrap();
    assert_eq!(within(wakeups.next()).await.unwrap().event, good);
    let dead = bus.dead_letters(usize::MAX).await.unwrap();
    assert_eq!(dead.len(), 1);
    assert!(dead[0].cause.contains("version 9"), "{}", dead[0].cause);
}

#[tokio::test]
async fn only_one_planner_is_woken_and_the_next_takes_over_with_what_was_not_settled() {
    let journal = Journaled::new();
    let bus = journal.open().await;
    let event = run_requested(RunId::generate());
    bus.publish(&event).await.unwrap();
    let mut first = bus.wakeups().await.unwrap();
    let mut second = bus.wakeups().await.unwrap();
    let unsettled = within(first.next()).await.unwrap();
    bus.publish(&run_requested(RunId::generate()))
        .await
        .unwrap();
    {
        let waiting = second.next();
        tokio::pin!(waiting);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(Future::poll(waiting, &mut context).is_pending());
    }
    drop((unsettled, first));
    assert_eq!(within(second.next()).await.unwrap().event, event);
}

#[tokio::test]
async fn signs_of_life_reach_listeners_and_the_planner_and_are_not_kept() {
    let journal = Journaled::new();
    let bus = journal.open().await;
    let mut listener = bus.alive().await.unwrap();
    let beat = alive(1);
    bus.publish(&beat).await.unwrap();
    assert_eq!(within(listener.next()).await.unwrap(), beat);
    let mut wakeups = bus.wakeups().await.unwrap();
    let wakeup = within(wakeups.next()).await.unwrap();
    assert_eq!(wakeup.event, beat);
    wakeup.settle.ack().await.unwrap();
    assert_eq!(bus.end().await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_sign_of_life_that_nobody_read_in_time_expires() {
    let journal = Journaled::new();
    let bus = journal.open().await;
    bus.publish(&alive(1)).await.unwrap();
    tokio::time::advance(ALIVE_EXPIRATION).await;
    bus.publish(&alive(2)).await.unwrap();
    let mut wakeups = bus.wakeups().await.unwrap();
    let Event::PlannerAlive(beat) = wakeups.next().await.unwrap().event.message else {
        panic!()
    };
    assert_eq!(beat.beat, 2);
}

#[tokio::test]
async fn events_older_than_the_history_keeps_are_trimmed_and_offsets_go_on() {
    let journal = Journaled::new();
    let bus = journal.open().await;
    bus.publish(&run_requested(RunId::generate()))
        .await
        .unwrap();
    drop(bus);
    journal.tamper("UPDATE history SET stored_at = 0");
    let bus = journal.open().await;
    assert_eq!(bus.end().await.unwrap(), None);
    bus.publish(&run_requested(RunId::generate()))
        .await
        .unwrap();
    assert_eq!(bus.end().await.unwrap(), Some(2));
}

#[tokio::test]
async fn a_closed_bus_says_so_to_everybody_who_waits() {
    let journal = Journaled::new();
    let bus = journal.open().await;
    let mut history = bus.history(Position::First).await.unwrap();
    let mut commands = bus.commands(&scan_queue()).await.unwrap();
    let (item, command, ()) =
        tokio::join!(within(history.next()), within(commands.next()), bus.close());
    assert!(matches!(item, Err(BusError::Closed)));
    assert!(matches!(command, Err(BusError::Closed)));
}

#[test]
fn who_may_not_hold_the_journal_is_told_who_may() {
    let refused = OpenError::Lock {
        path: "/var/lib/x".into(),
        cause: std::io::ErrorKind::PermissionDenied.into(),
    };
    let words = with_causes(&refused);
    assert!(words.contains("as root"), "{words}");
    assert_eq!(words.matches("ermission denied").count(), 1, "{words}");
}

/// With all of its causes, as programs print it.
fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
