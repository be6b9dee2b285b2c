//! An operator pauses and resumes workers.

use gentoo_updater_fleet::message::{PauseRequested, PauseTarget, ResumeRequested};

use super::bench::*;
use crate::seam::Alive;
use crate::testing::{said, within};
use crate::worker::*;

async fn pause(bench: &Bench, target: PauseTarget) {
    let reason = Some("the room is too hot".to_owned());
    let event = said(Event::PauseRequested(PauseRequested { target, reason }));
    bench.bus.publish(&event).await.unwrap();
    bench.view.wait_for_event(event.id).await.unwrap();
}

async fn resume(bench: &Bench, target: PauseTarget) {
    let event = said(Event::ResumeRequested(ResumeRequested { target }));
    bench.bus.publish(&event).await.unwrap();
}

/// Waits until the worker says that it lives, and whether it is paused.
async fn says(alive: &mut Box<dyn Alive>, expected: bool) {
    within(async {
        loop {
            match alive.next().await.unwrap().message {
                Event::WorkerAlive(alive) if alive.paused == expected => return,
                _ => {}
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_paused_worker_ends_what_it_has_takes_nothing_new_and_goes_on_when_it_is_resumed() {
    let bench = Bench::new().await;
    let mut alive = bench.bus.alive().await.unwrap();
    let mut worker = Running::start(&bench, bench.spec("scanner@1"));
    let first = bench.issue().await.message.work();
    assert_eq!(worker.called().await, first);

    let target = PauseTarget::Worker("scanner@1".parse().unwrap());
    pause(&bench, target.clone()).await;
    says(&mut alive, true).await;
    let second = bench.issue().await.message.work();
    worker.release();
    bench.finished(&first).await;
    // Whatever the worker had taken would be claimed by now: another one gets it.
    let mut other = Running::start(&bench, bench.spec("scanner@2"));
    assert_eq!(other.called().await, second);
    other.release();
    bench.finished(&second).await;
    other.stop().await.unwrap();
    assert!(worker.calls.try_recv().is_err());

    let third = bench.issue().await.message.work();
    resume(&bench, target).await;
    says(&mut alive, false).await;
    assert_eq!(worker.called().await, third);
}

#[tokio::test]
async fn a_worker_of_a_paused_role_takes_nothing_from_its_start_and_says_so() {
    let bench = Bench::new().await;
    let mut alive = bench.bus.alive().await.unwrap();
    let role = PauseTarget::Role(Role::Scanner);
    pause(&bench, role.clone()).await;
    let work = bench.issue().await.message.work();
    let mut spec = bench.spec("scanner@1");
    spec.heartbeat = Duration::from_millis(1);
    let mut worker = Running::start(&bench, spec);
    for _ in 0..5 {
        says(&mut alive, true).await;
    }
    assert_eq!(bench.view.read(|fleet| fleet.claim(&work).cloned()), None);
    resume(&bench, role).await;
    assert_eq!(worker.called().await, work);
}
