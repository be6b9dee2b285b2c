//! The notifier's user.

use gentoo_updater_bus::{Bus, Position, topology};
use gentoo_updater_fleet::message::{Role, WorkerRegistered};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_notifier_reads_the_history_and_counts_dead_letters_and_that_is_all() {
    let vhost = set_up();
    // Who declares comes first.
    let planner = open_as(&vhost, "planner").await;
    let notifier = open_as(&vhost, "notifier").await;
    let registered = Event::WorkerRegistered(WorkerRegistered {
        worker: worker("notifier@control"),
        role: Role::Notifier,
        queues: Vec::new(),
        machine: None,
    });
    let registered = said("notifier@control", registered);
    within(notifier.publish(&registered)).await.unwrap();
    let mut history = notifier.history(Position::First).await.unwrap();
    let read = within(history.next()).await.unwrap();
    assert_eq!(read.event.unwrap(), registered);
    let dead = within(notifier.queue(topology::DEAD)).await.unwrap();
    assert_eq!(dead.map(|queue| queue.ready), Some(0));

    let run = RunId::generate();
    let ordered = within(notifier.issue("scan", &command("ScanGuest", run))).await;
    assert!(ordered.is_err(), "a notifier ordered something");
    let asked = event(&sample("RunRequested", "notifier@control"));
    assert!(within(notifier.publish(&asked)).await.is_err());
    drop(planner);
}
