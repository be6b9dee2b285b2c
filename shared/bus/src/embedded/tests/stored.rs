//! A journal in memory beside one in a file.

use gentoo_updater_fleet::snapshot::Snapshot;
use gentoo_updater_fleet::state::Fleet;
use jiff::Timestamp;

use super::*;
use crate::topology::{DEAD, PLAN};

async fn both(journal: &Journaled) -> [Embedded; 2] {
    [journal.open().await, Embedded::in_memory()]
}

async fn rejected(bus: &Embedded) -> Vec<String> {
    let dead = bus.dead_letters(usize::MAX).await.unwrap();
    let told = dead.into_iter();
    told.map(|letter| format!("{}: {}", letter.queue, letter.cause))
        .collect()
}

#[tokio::test]
async fn a_bus_in_memory_delivers_as_one_with_a_file_does() {
    let journal = Journaled::new();
    for bus in both(&journal).await {
        assert_eq!(bus.end().await.unwrap(), None);
        let events = [(); 3].map(|()| run_requested(RunId::generate()));
        for event in &events {
            bus.publish(event).await.unwrap();
        }
        let mut history = bus.history(Position::First).await.unwrap();
        let expected = events.each_ref().map(|event| event.id);
        assert_eq!(ids(&mut history, 3).await, expected);
        let end = bus.end().await.unwrap().unwrap();
        let mut last = bus.history(Position::Offset(end)).await.unwrap();
        assert_eq!(ids(&mut last, 1).await, expected[2..]);

        let mut wakeups = bus.wakeups().await.unwrap();
        let wakeup = within(wakeups.next()).await.unwrap();
        assert_eq!(wakeup.event, events[0]);
        wakeup.settle.reject("not wanted".to_owned()).await.unwrap();
        let wakeup = within(wakeups.next()).await.unwrap();
        assert_eq!(wakeup.event, events[1]);

        let (kept, bad) = (
            scan_command(RunId::generate(), 1),
            scan_command(RunId::generate(), 1),
        );
        bus.issue(SCAN, &kept).await.unwrap();
        bus.issue(SCAN, &bad).await.unwrap();
        let mut commands = bus.commands(&scan_queue()).await.unwrap();
        drop(within(commands.next()).await.unwrap());
        let delivery = within(commands.next()).await.unwrap();
        assert_eq!(delivery.command, kept, "what was not settled comes again");
        delivery.settle.ack().await.unwrap();
        let delivery = within(commands.next()).await.unwrap();
        let cause = "no such run".to_owned();
        delivery.settle.reject(cause).await.unwrap();
        assert!(bus.queue_lengths().await.unwrap().is_empty());
        assert_eq!(
            rejected(&bus).await,
            ["plan: not wanted", "scan: no such run"]
        );
    }
}

#[tokio::test]
async fn the_dead_letters_of_a_bus_in_memory_go_back_and_go_away_as_those_of_a_file_do() {
    let journal = Journaled::new();
    for bus in both(&journal).await {
        let command = scan_command(RunId::generate(), 1);
        bus.bury(SCAN, &command, "it kills".to_owned())
            .await
            .unwrap();
        let event = run_requested(RunId::generate());
        bus.publish(&event).await.unwrap();
        let mut wakeups = bus.wakeups().await.unwrap();
        let wakeup = within(wakeups.next()).await.unwrap();
        wakeup.settle.reject("not now".to_owned()).await.unwrap();
        let dead = bus.dead_letters(usize::MAX).await.unwrap();
        assert_eq!(dead[0].body, command.encode().unwrap());
        assert_eq!(dead[1].body, event.encode().unwrap());
        assert_eq!(bus.dead_letters(1).await.unwrap(), dead[..1]);
        assert_eq!(bus.queue(DEAD).await.unwrap().unwrap().ready, 2);
        assert_eq!(bus.queue(PLAN).await.unwrap().unwrap().ready, 0);

        let both: BTreeSet<_> = dead.iter().map(|letter| letter.id.clone()).collect();
        let retried = bus.retry_dead(&both).await.unwrap();
        assert_eq!(BTreeSet::from_iter(retried.returned), both);
        assert!(rejected(&bus).await.is_empty());
        assert_eq!(within(wakeups.next()).await.unwrap().event, event);
        let mut commands = bus.commands(&scan_queue()).await.unwrap();
        let delivery = within(commands.next()).await.unwrap();
        assert_eq!(delivery.command, command);
        delivery.settle.reject("again".to_owned()).await.unwrap();

        let again = bus.dead_letters(usize::MAX).await.unwrap().remove(0).id;
        let unknown = BTreeSet::from([again.clone(), crate::seam::LetterId("0".to_owned())]);
        assert_eq!(bus.drop_dead(&unknown).await.unwrap(), [again]);
        assert!(rejected(&bus).await.is_empty());
        bus.bury(SCAN, &command, "it kills".to_owned())
            .await
            .unwrap();
        assert_eq!(bus.purge(DEAD).await.unwrap(), 1);
        assert!(rejected(&bus).await.is_empty());
    }
}

#[tokio::test]
async fn queues_of_a_bus_in_memory_are_purged_and_counted_as_those_of_a_file_are() {
    let journal = Journaled::new();
    for bus in both(&journal).await {
        for _ in 0..3 {
            let run = RunId::generate();
            bus.issue(SCAN, &scan_command(run, 1)).await.unwrap();
            bus.publish(&run_requested(run)).await.unwrap();
        }
        let mut commands = bus.commands(&scan_queue()).await.unwrap();
        let held = within(commands.next()).await.unwrap();
        assert_eq!(bus.queue(SCAN).await.unwrap().unwrap().ready, 2);
        assert_eq!(bus.purge(SCAN).await.unwrap(), 2);
        assert_eq!(bus.queue_lengths().await.unwrap()[SCAN], 1);
        held.settle.ack().await.unwrap();
        assert_eq!(bus.purge(SCAN).await.unwrap(), 0);
        assert_eq!(bus.queue(PLAN).await.unwrap().unwrap().ready, 3);
        assert_eq!(bus.purge(PLAN).await.unwrap(), 3);
        assert_eq!(bus.queue("history").await.unwrap().unwrap().ready, 3);
        assert_eq!(bus.queue("nothing").await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_bus_in_memory_keeps_the_newest_two_snapshots_and_finds_the_newest() {
    let bus = Embedded::in_memory();
    assert_eq!(bus.newest_snapshot().await.unwrap(), None);
    for offset in 1..=3 {
        let fleet = Fleet {
            offset: Some(offset),
            ..Fleet::default()
        };
        let planner = "planner@1".parse().unwrap();
        let mut snapshot = Snapshot::take(fleet, planner, Timestamp::now());
        if offset == 3 {
            snapshot.state_version += 1;
        }
        bus.keep_snapshot(&snapshot).await.unwrap();
    }
    assert_eq!(bus.queue("snapshots").await.unwrap().unwrap().ready, 2);
    let newest = bus.newest_snapshot().await.unwrap().unwrap();
    assert_eq!(newest.fleet.offset, Some(2), "the newest is not understood");
}

#[tokio::test]
async fn a_time_is_found_in_the_history_of_a_bus_in_memory() {
    let bus = Embedded::in_memory();
    let event = run_requested(RunId::generate());
    bus.publish(&event).await.unwrap();
    let now = Timestamp::now();
    let hour = jiff::SignedDuration::from_hours(1);
    let mut since = bus.history(Position::Time(now - hour)).await.unwrap();
    assert_eq!(ids(&mut since, 1).await, [event.id]);
    let mut later = bus.history(Position::Time(now + hour)).await.unwrap();
    let next = run_requested(RunId::generate());
    let (read, published) = tokio::join!(ids(&mut later, 1), bus.publish(&next));
    published.unwrap();
    assert_eq!(read, [next.id]);
}

#[tokio::test]
async fn whoever_reads_a_bus_that_is_dropped_learns_that_it_is_closed() {
    let bus = Embedded::in_memory();
    let mut history = bus.history(Position::First).await.unwrap();
    let mut commands = bus.commands(&scan_queue()).await.unwrap();
    drop(bus);
    let (item, command) = (within(history.next()).await, within(commands.next()).await);
    assert!(matches!(item, Err(BusError::Closed)));
    assert!(matches!(command, Err(BusError::Closed)));
}
