//! Snapshots, retention, and journals of an older version.

use gentoo_updater_fleet::config;
use gentoo_updater_fleet::snapshot::{STATE_VERSION, Snapshot};
use gentoo_updater_fleet::state::Fleet;
use jiff::Timestamp;

use super::*;

fn snapshot_at(offset: u64) -> Snapshot {
    let fleet = Fleet {
        offset: Some(offset),
        ..Fleet::default()
    };
    Snapshot::take(fleet, "planner@1".parse().unwrap(), Timestamp::now())
}

async fn first_offset(bus: &Embedded) -> u64 {
    let mut history = bus.history(Position::First).await.unwrap();
    within(history.next()).await.unwrap().offset
}

async fn publish(bus: &Embedded, count: usize) -> Vec<EventId> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let event = run_requested(RunId::generate());
        bus.publish(&event).await.unwrap();
        ids.push(event.id);
    }
    ids
}

#[tokio::test]
async fn the_newest_two_snapshots_are_kept_and_the_newest_is_found() {
    let journal = Journaled::new();
    let bus = journal.open().await;
    assert_eq!(bus.newest_snapshot().await.unwrap(), None);
    for offset in 1..=5 {
        bus.keep_snapshot(&snapshot_at(offset)).await.unwrap();
    }
    let depth = bus.queue("snapshots").await.unwrap().unwrap();
    assert_eq!(depth.ready, 2);
    let newest = bus.newest_snapshot().await.unwrap().unwrap();
    assert_eq!(newest.fleet.offset, Some(5));
    let reader = EmbeddedReader::open(journal.path()).await.unwrap();
    assert_eq!(reader.newest_snapshot().await.unwrap(), Some(newest));
    let kept = reader.keep_snapshot(&snapshot_at(6)).await;
    assert!(matches!(kept, Err(BusError::ReadOnly)));
}

#[tokio::test]
async fn a_snapshot_that_cannot_be_read_is_passed_over() {
    let journal = Journaled::new();
    let bus = journal.open().await;
    bus.keep_snapshot(&snapshot_at(5)).await.unwrap();
    let mut newer = snapshot_at(9);
    newer.state_version = STATE_VERSION + 1;
    bus.keep_snapshot(&newer).await.unwrap();
    let found = bus.newest_snapshot().await.unwrap().unwrap();
    assert_eq!(found.fleet.offset, Some(5));
    journal.tamper("UPDATE snapshots SET body = x'00'");
    assert_eq!(bus.newest_snapshot().await.unwrap(), None);
}

#[tokio::test]
async fn old_events_are_trimmed_as_far_as_the_newest_snapshot_and_no_further() {
    let journal = Journaled::new();
    let bus = journal.open().await;
    publish(&bus, 6).await;
    journal.tamper("UPDATE history SET stored_at = 0 WHERE offset <= 5");
    bus.keep_snapshot(&snapshot_at(3)).await.unwrap();
    assert_eq!(first_offset(&bus).await, 4);
    bus.close().await;
    let bus = journal.open().await;
    assert_eq!(first_offset(&bus).await, 4);
    bus.keep_snapshot(&snapshot_at(6)).await.unwrap();
    assert_eq!(first_offset(&bus).await, 6, "the last one is not old");
}

#[tokio::test]
async fn nothing_is_trimmed_that_a_start_without_a_readable_snapshot_needs() {
    let journal = Journaled::new();
    let bus = journal.open().await;
    publish(&bus, 3).await;
    journal.tamper("UPDATE history SET stored_at = 0");
    let mut newer = snapshot_at(3);
    newer.state_version = STATE_VERSION + 1;
    bus.keep_snapshot(&newer).await.unwrap();
    bus.close().await;
    let bus = journal.open().await;
    assert_eq!(first_offset(&bus).await, 1);
}

#[tokio::test]
async fn a_history_that_is_too_large_loses_its_oldest_events() {
    let journal = Journaled::new();
    let bus = journal.open().await;
    publish(&bus, 5).await;
    // Three of these are 1.2 MB.
    journal.tamper("UPDATE history SET body = zeroblob(400000)");
    bus.keep_snapshot(&snapshot_at(5)).await.unwrap();
    assert_eq!(first_offset(&bus).await, 1);
    bus.close().await;
    let keep = config::History {
        days: 30,
        megabytes: 1,
    };
    let bus = Embedded::open_and_keep(journal.path(), keep).await.unwrap();
    assert_eq!(first_offset(&bus).await, 4);
    assert_eq!(bus.end().await.unwrap(), Some(5));
}

#[tokio::test]
async fn the_history_is_read_from_a_time() {
    let journal = Journaled::new();
    let bus = journal.open().await;
    let published = publish(&bus, 4).await;
    journal.tamper("UPDATE history SET stored_at = 1000 * offset");
    let since = |seconds| Position::Time(Timestamp::from_second(seconds).unwrap());
    for (seconds, first) in [(0, 0), (2000, 1), (2001, 2), (4000, 3)] {
        let mut history = bus.history(since(seconds)).await.unwrap();
        assert_eq!(ids(&mut history, 4 - first).await, published[first..]);
    }
    // After all of them it is the next that comes.
    let mut history = bus.history(since(5000)).await.unwrap();
    let event = run_requested(RunId::generate());
    let (item, sent) = tokio::join!(within(history.next()), bus.publish(&event));
    sent.unwrap();
    assert_eq!(item.unwrap().event.unwrap(), event);
}

/// The schema of version 1, as that version wrote it, with one of everything.
const VERSION_1: &str = "
    CREATE TABLE history (
        offset INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL,
        stored_at INTEGER NOT NULL,
        body BLOB NOT NULL
    ) STRICT;
    CREATE TABLE wakeups (
        offset INTEGER PRIMARY KEY REFERENCES history (offset) ON DELETE CASCADE
    ) STRICT;
    CREATE TABLE commands (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        queue TEXT NOT NULL,
        id TEXT NOT NULL,
        body BLOB NOT NULL
    ) STRICT;
    CREATE TABLE dead (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        queue TEXT NOT NULL,
        cause TEXT NOT NULL,
        stored_at INTEGER NOT NULL,
        body BLOB NOT NULL
    ) STRICT;
    PRAGMA user_version = 1;
    PRAGMA journal_mode = wal;
";

#[tokio::test]
async fn a_journal_of_version_1_is_read_and_becomes_one_of_this_version() {
    let journal = Journaled::new();
    std::fs::create_dir_all(journal.path().parent().unwrap()).unwrap();
    journal.tamper(VERSION_1);
    let event = run_requested(RunId::generate());
    let command = scan_command(RunId::generate(), 1);
    let connection = Connection::open(journal.path()).unwrap();
    connection
        .execute(
            "INSERT INTO history (id, stored_at, body) VALUES ('e', unixepoch(), ?1)",
            [event.encode().unwrap()],
        )
        .unwrap();
    connection
        .execute(
            "INSERT INTO commands (queue, id, body) VALUES ('scan', 'c', ?1)",
            [command.encode().unwrap()],
        )
        .unwrap();
    connection
        .execute(
            "INSERT INTO dead (queue, cause, stored_at, body) VALUES ('plan', 'a mood', 7, ?1)",
            [event.encode().unwrap()],
        )
        .unwrap();
    drop(connection);

    let reader = EmbeddedReader::open(journal.path()).await.unwrap();
    assert_eq!(reader.newest_snapshot().await.unwrap(), None);
    let letters = reader.dead_letters(10).await.unwrap();
    assert_eq!((letters.len(), letters[0].at.as_second()), (1, 7));
    drop(reader);

    let bus = journal.open().await;
    let mut history = bus.history(Position::First).await.unwrap();
    assert_eq!(within(history.next()).await.unwrap().event.unwrap(), event);
    let mut commands = bus.commands(&scan_queue()).await.unwrap();
    assert_eq!(within(commands.next()).await.unwrap().command, command);
    bus.keep_snapshot(&snapshot_at(1)).await.unwrap();
    // It is known by what it says which event an old letter was.
    assert_eq!(bus.dead_letters(10).await.unwrap(), letters);
    let wanted = [letters[0].id.clone()].into();
    assert_eq!(bus.retry_dead(&wanted).await.unwrap().returned.len(), 1);
    let mut wakeups = bus.wakeups().await.unwrap();
    assert_eq!(within(wakeups.next()).await.unwrap().event, event);
    drop((history, commands, wakeups, bus));
    assert!(
        journal
            .open()
            .await
            .newest_snapshot()
            .await
            .unwrap()
            .is_some()
    );
}
