//! A result that the broker refuses.

use std::sync::Arc;

use async_trait::async_trait;
use gentoo_updater_fleet::message::{Envelope, FailureClass};
use gentoo_updater_fleet::snapshot::Snapshot;
use tokio::sync::watch;

use super::bench::*;
use crate::seam::{Alive, Bus, BusError, Commands, Health, History, Position, QueueState, Wakeups};
use crate::testing::{said, scanned, within};
use crate::worker::*;

/// A broker to which every successful scan is too large.
struct Refusing(Arc<dyn Bus>);

#[async_trait]
impl Bus for Refusing {
    async fn publish(&self, event: &Envelope<Event>) -> Result<(), BusError> {
        match event.message {
            Event::GuestScanned(_) => Err(BusError::MessageRefused {
                kind: event.message.kind().to_owned(),
                detail: "larger than configured max size".to_owned(),
            }),
            _ => self.0.publish(event).await,
        }
    }

    async fn issue(&self, queue: &str, command: &Envelope<Command>) -> Result<(), BusError> {
        self.0.issue(queue, command).await
    }

    async fn bury(
        &self,
        queue: &str,
        command: &Envelope<Command>,
        cause: String,
    ) -> Result<(), BusError> {
        self.0.bury(queue, command, cause).await
    }

    async fn commands(&self, queues: &[String]) -> Result<Box<dyn Commands>, BusError> {
        self.0.commands(queues).await
    }

    async fn history(&self, from: Position) -> Result<Box<dyn History>, BusError> {
        self.0.history(from).await
    }

    async fn end(&self) -> Result<Option<u64>, BusError> {
        self.0.end().await
    }

    async fn wakeups(&self) -> Result<Box<dyn Wakeups>, BusError> {
        self.0.wakeups().await
    }

    async fn alive(&self) -> Result<Box<dyn Alive>, BusError> {
        self.0.alive().await
    }

    async fn keep_snapshot(&self, snapshot: &Snapshot) -> Result<(), BusError> {
        self.0.keep_snapshot(snapshot).await
    }

    async fn newest_snapshot(&self) -> Result<Option<Snapshot>, BusError> {
        self.0.newest_snapshot().await
    }

    async fn queue(&self, name: &str) -> Result<Option<QueueState>, BusError> {
        self.0.queue(name).await
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.0.health()
    }

    async fn close(&self) {
        self.0.close().await;
    }
}

async fn refusing() -> Bench {
    let mut bench = Bench::new().await;
    bench.bus = Arc::new(Refusing(bench.bus.clone()));
    bench
}

async fn causes(bench: &Bench) -> Vec<(FailureClass, String)> {
    let history = bench.history().await;
    let failures = history.iter().filter_map(|event| event.message.failure());
    failures
        .map(|failure| (failure.class, failure.cause.clone()))
        .collect()
}

fn too_large() -> (FailureClass, String) {
    (FailureClass::Permanent, "AnswerTooLarge".to_owned())
}

#[tokio::test]
async fn a_result_that_the_broker_refuses_is_a_failure_of_its_command_and_the_worker_lives_on() {
    let bench = refusing().await;
    let spec = bench.spec("scanner@1");
    let state = folder(&spec, "");
    let mut worker = Running::start(&bench, spec);
    for _ in 0..2 {
        let work = bench.issue().await.message.work();
        assert_eq!(worker.called().await, work);
        worker.release();
        bench.finished(&work).await;
    }
    worker.stop().await.unwrap();
    assert_eq!(causes(&bench).await, [too_large(), too_large()]);
    assert_eq!(files(&state.join("results")), 0);
    assert_eq!(files(&state.join("claims")), 0);
}

#[tokio::test]
async fn a_refused_result_that_is_found_after_a_restart_does_not_stop_the_worker() {
    let bench = refusing().await;
    let command = bench.issue().await;
    let Command::ScanGuest(scan) = &command.message else {
        panic!()
    };
    let spec = bench.spec("scanner@1");
    let id = command.message.id().unwrap();
    let store = store::Store::open(&spec).await.unwrap();
    store.write_claim(id, &command).await.unwrap();
    store.write_result(id, &said(scanned(scan))).await.unwrap();
    drop(store);

    let worker = Running::start(&bench, spec.clone());
    bench.finished(&command.message.work()).await;
    until_empty(&folder(&spec, "results")).await;
    within(worker.stop()).await.unwrap();
    assert_eq!(causes(&bench).await, [too_large()]);
    let again = Running::start(&bench, spec);
    again.asked(1).await;
    again.stop().await.unwrap();
}
