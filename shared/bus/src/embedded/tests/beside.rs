//! What is said beside the process that holds the journal.

use gentoo_updater_fleet::message::{ApprovalGiven, HoldTarget};
use gentoo_updater_fleet::name::GuestName;

use super::*;

fn approval(name: &str) -> Envelope<Event> {
    let guest: GuestName = name.parse().unwrap();
    let target = HoldTarget::Guest(guest);
    said(Event::ApprovalGiven(ApprovalGiven { target }))
}

#[tokio::test]
async fn what_an_operator_says_beside_the_holder_is_in_the_history_and_nothing_else_is() {
    let journaled = Journaled::new();
    let bus = journaled.open().await;
    let folder = journaled.path().with_file_name("said");
    std::fs::create_dir_all(&folder).unwrap();
    // No operator says such a thing, and this is nothing at all.
    std::fs::write(folder.join("1.json"), alive(1).encode().unwrap()).unwrap();
    std::fs::write(folder.join("2.json"), "{").unwrap();
    let stop = CancellationToken::new();
    let beside = EmbeddedReader::open_to_say(journaled.path()).await.unwrap();
    let inbox = Said::beside(&journaled.path());
    let event = approval("g1");
    let talk = async {
        within(beside.publish(&event)).await.unwrap();
        stop.cancel();
    };
    tokio::join!(inbox.take(&bus, &stop), talk);
    let mut history = bus.history(Position::First).await.unwrap();
    assert_eq!(ids(&mut history, 1).await, [event.id]);
    assert_eq!(bus.end().await.unwrap(), Some(1));
    let mut left: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["1.refused", "2.refused"]);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_takes_is_not_said() {
    let journaled = Journaled::new();
    let _holder = journaled.open().await;
    let beside = EmbeddedReader::open_to_say(journaled.path()).await.unwrap();
    let refused = beside.publish(&approval("g1")).await;
    assert!(
        matches!(refused, Err(BusError::NotTaken { .. })),
        "{refused:?}"
    );
    let folder = journaled.path().with_file_name("said");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
}
