//! Queues and dead letters as an operator sees them.

use super::*;
use crate::seam::{Health, LetterId};
use crate::topology::{DEAD, HISTORY, PLAN};

async fn ready(bus: &impl Bus, queue: &str) -> Option<u64> {
    Some(bus.queue(queue).await.unwrap()?.ready)
}

#[tokio::test]
async fn a_queue_shows_what_waits_in_it_and_purging_takes_that_and_no_more() {
    let journal = Journaled::new();
    let bus = journal.open().await;
    for _ in 0..3 {
        let command = scan_command(RunId::generate(), 1);
        bus.issue(SCAN, &command).await.unwrap();
    }
    bus.issue("build.amd64", &scan_command(RunId::generate(), 1))
        .await
        .unwrap();
    let mut commands = bus.commands(&scan_queue()).await.unwrap();
    let held = within(commands.next()).await.unwrap();
    assert_eq!(ready(&bus, SCAN).await, Some(2));
    assert_eq!(ready(&bus, "install.g1").await, Some(0));
    assert_eq!(ready(&bus, "nothing").await, None);
    assert_eq!(bus.purge(SCAN).await.unwrap(), 2);
    assert_eq!(bus.purge(SCAN).await.unwrap(), 0);
    // What somebody holds is not purged, and comes again.
    let issued = held.command.clone();
    drop(held);
    assert_eq!(within(commands.next()).await.unwrap().command, issued);
    assert_eq!(ready(&bus, "build.amd64").await, Some(1));
    for queue in [HISTORY, "nothing"] {
        let error = bus.purge(queue).await.unwrap_err();
        assert!(matches!(error, BusError::NoQueue { .. }), "{error}");
    }

    bus.publish(&run_requested(RunId::generate()))
        .await
        .unwrap();
    bus.publish(&alive(1)).await.unwrap();
    assert_eq!(ready(&bus, PLAN).await, Some(2));
    assert_eq!(bus.purge(PLAN).await.unwrap(), 2);
    assert_eq!(ready(&bus, PLAN).await, Some(0));
    assert_eq!(ready(&bus, HISTORY).await, Some(1));
    assert_eq!(bus.probe().await.unwrap(), Health::Good);
    drop((commands, bus));
    // And it is so after a restart.
    let bus = journal.open().await;
    assert_eq!(
        (ready(&bus, SCAN).await, ready(&bus, PLAN).await),
        (Some(1), Some(0))
    );
}

#[tokio::test]
async fn dead_letters_go_back_or_are_deleted_by_their_ids() {
    let journal = Journaled::new();
    let bus = journal.open().await;
    let event = run_requested(RunId::generate());
    bus.publish(&event).await.unwrap();
    let issued = [1, 2, 3].map(|attempt| scan_command(RunId::generate(), attempt));
    let mut commands = bus.commands(&scan_queue()).await.unwrap();
    for command in &issued {
        bus.issue(SCAN, command).await.unwrap();
        let delivery = within(commands.next()).await.unwrap();
        delivery.settle.reject("a mood".to_owned()).await.unwrap();
    }
    let mut wakeups = bus.wakeups().await.unwrap();
    let wakeup = within(wakeups.next()).await.unwrap();
    wakeup.settle.reject("a mood".to_owned()).await.unwrap();

    let letters = bus.dead_letters(usize::MAX).await.unwrap();
    assert_eq!(letters.len(), 4);
    assert_eq!(bus.dead_letters(2).await.unwrap(), letters[..2]);
    assert_eq!(ready(&bus, DEAD).await, Some(4));
    let wanted = |numbers: &[usize]| -> BTreeSet<LetterId> {
        let unknown = LetterId("0123456789ab".to_owned());
        let known = numbers.iter().map(|number| letters[*number].id.clone());
        known.chain([unknown]).collect()
    };
    let done = bus.drop_dead(&wanted(&[0])).await.unwrap();
    assert_eq!(done, [letters[0].id.clone()]);
    let retried = bus.retry_dead(&wanted(&[0, 1, 3])).await.unwrap();
    assert_eq!(
        retried.returned,
        [letters[1].id.clone(), letters[3].id.clone()]
    );
    assert_eq!(retried.stayed, []);
    assert_eq!(within(commands.next()).await.unwrap().command, issued[1]);
    assert_eq!(within(wakeups.next()).await.unwrap().event, event);
    assert_eq!(bus.dead_letters(9).await.unwrap(), letters[2..3]);
    let reader = EmbeddedReader::open(journal.path()).await.unwrap();
    assert_eq!(reader.dead_letters(9).await.unwrap(), letters[2..3]);
    assert_eq!(
        ready(&reader, SCAN).await,
        Some(1),
        "what is held counts here"
    );
    let dropped = reader.drop_dead(&wanted(&[2])).await;
    assert!(matches!(dropped, Err(BusError::ReadOnly)));
}

#[tokio::test]
async fn a_wake_up_whose_event_is_gone_stays_a_dead_letter_and_all_others_go_back() {
    let journal = Journaled::new();
    let bus = journal.open().await;
    bus.publish(&run_requested(RunId::generate()))
        .await
        .unwrap();
    bus.issue(SCAN, &scan_command(RunId::generate(), 1))
        .await
        .unwrap();
    let mut commands = bus.commands(&scan_queue()).await.unwrap();
    let delivery = within(commands.next()).await.unwrap();
    delivery.settle.reject("a mood".to_owned()).await.unwrap();
    let mut wakeups = bus.wakeups().await.unwrap();
    let wakeup = within(wakeups.next()).await.unwrap();
    wakeup.settle.reject("a mood".to_owned()).await.unwrap();
    journal.tamper("DELETE FROM history");
    let letters = bus.dead_letters(9).await.unwrap();
    let wanted = letters.iter().map(|letter| letter.id.clone()).collect();
    let retried = bus.retry_dead(&wanted).await.unwrap();
    assert_eq!(retried.returned, [letters[0].id.clone()]);
    assert_eq!(retried.stayed.len(), 1);
    assert_eq!(retried.stayed[0].letter, letters[1].id);
    assert_eq!(retried.stayed[0].queue, PLAN);
    assert_eq!(bus.dead_letters(9).await.unwrap(), letters[1..]);
    assert_eq!(ready(&bus, SCAN).await, Some(1));
}
