//! What must hold when a run is over, whatever happened meanwhile.

use std::time::Duration;

use gentoo_updater_bus::Position;
use gentoo_updater_bus::topology::{
    DEAD, SCAN, build_queue, clean_queue, collect_queue, install_queue,
};
use gentoo_updater_chaos::program::record;
use gentoo_updater_fleet::message::{Envelope, Event, PackageBuilt, RunOutcome, Task};
use gentoo_updater_fleet::name::{JobId, RunId};
use gentoo_updater_fleet::report::{GuestOutcome, guest_outcome};
use gentoo_updater_fleet::state::{Fleet as State, Run, TaskOutcome};
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};

use super::figures::Figures;
use super::fleet::Fleet;
use super::within;

/// What a fault may cost.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Expected {
    /// How many builds may be begun twice: those of workers that died or were silent for the
    /// lease while their programs went on.
    pub(crate) doubled: usize,
    /// How long it took, in seconds, until the fleet went on.
    pub(crate) recovery: Option<f64>,
}

impl Expected {
    /// It costs nothing but the time until the fleet went on.
    pub(crate) fn recovered(recovery: Option<f64>) -> Self {
        Self {
            recovery,
            ..Self::default()
        }
    }

    /// One build is begun again elsewhere, while its program goes on without its worker.
    pub(crate) fn doubled_once(recovery: Option<f64>) -> Self {
        Self {
            doubled: 1,
            recovery,
        }
    }
}

impl Fleet {
    /// Waits for the end of a run and checks all of it.
    pub(crate) async fn finish(&self, run: RunId, expected: Expected) -> Figures {
        self.until("the end of the run", run, |run| run.finished.is_some())
            .await;
        let state = self.view.read(|fleet| fleet.runs[&run].clone());
        self.every_task_has_its_outcome(&state);
        let doubled = self.nothing_is_done_twice(&state, expected.doubled);
        let events = self.history().await;
        replaying_gives_the_same(&events, &state);
        self.nothing_is_left_in_queues().await;
        Figures {
            jobs: (self.scene.jobs().len(), state.built.len()),
            guests: (self.scene.guests.len(), state.guests.len()),
            doubled,
            recovery: expected.recovery,
            took: took(&state),
        }
    }

    fn every_task_has_its_outcome(&self, run: &Run) {
        let jobs = run.jobs.as_ref().map_or(0, |jobs| jobs.len());
        assert_eq!(jobs, self.scene.jobs().len(), "every key is one job");
        assert_eq!(run.built.len(), jobs, "every job is built");
        for (task, state) in &run.tasks {
            let done = matches!(state.outcome, Some(TaskOutcome::Done { .. }));
            assert!(done, "{task}: {state:?}");
        }
        for guest in self.scene.guests.keys() {
            let outcome = guest_outcome(run, guest);
            assert_eq!(outcome, GuestOutcome::Updated, "{guest}");
        }
        let finished = run.finished.expect("the run is over");
        assert_eq!(finished.outcome, RunOutcome::Complete);
    }

    /// Goes by what the programs wrote down, not by what the workers say. Says how many builds
    /// were begun more than once.
    fn nothing_is_done_twice(&self, run: &Run, allowed: usize) -> usize {
        let record = record(&self.scene, run.id);
        let mut doubled = 0;
        for task in run.tasks.keys() {
            let work = match task {
                Task::Build(job) => format!("build {job}"),
                Task::Install(guest) => format!("install {guest}"),
                Task::Clean(builder) => format!("clean {builder}"),
                Task::Sync(_) | Task::Scan(_) | Task::Search(_) | Task::Collect(_) => continue,
            };
            let count = record.get(&work).copied().unwrap_or_default();
            assert!(count.ended > 0, "{work} was never done: {count:?}");
            doubled += count.begun - 1;
        }
        assert!(doubled <= allowed, "{doubled} were done twice: {record:?}");
        if allowed == 0 {
            let again: Vec<_> = run
                .tasks
                .iter()
                .filter(|(_, t)| t.attempts.len() > 1)
                .collect();
            assert!(
                again.is_empty(),
                "nobody was silent for the lease: {again:?}"
            );
        }
        doubled
    }

    /// The whole history, as it is on the broker.
    pub(crate) async fn history(&self) -> Vec<(u64, Envelope<Event>)> {
        let read = async {
            let end = self.bus.end().await.expect("a history");
            let mut history = self.bus.history(Position::First).await.expect("a history");
            let mut events = Vec::new();
            while events.last().map(|(offset, _)| *offset) < end {
                let item = history.next().await.expect("an event");
                let event = item.event.expect("an event that can be read");
                events.push((item.offset, event));
            }
            events
        };
        within("reading the history", 60, read).await
    }

    /// Waits until the history has so many results of a job, and gives them in its order.
    pub(crate) async fn results_of(&self, job: &JobId, count: usize) -> Vec<PackageBuilt> {
        let all = async {
            loop {
                let events = self.history().await.into_iter();
                let results = events.filter_map(|(_, event)| match event.message {
                    Event::PackageBuilt(built) if built.job == *job => Some(built),
                    _ => None,
                });
                let results: Vec<PackageBuilt> = results.collect();
                if results.len() >= count {
                    return results;
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        within("the results of a job", 90, all).await
    }

    /// A command that nobody wants any more is dropped by who takes it, so that may take a moment.
    async fn nothing_is_left_in_queues(&self) {
        let mut queues = vec![DEAD.to_owned(), SCAN.to_owned()];
        let platform = "default".parse().expect("a platform");
        queues.extend([build_queue(&platform), collect_queue(&platform)]);
        queues.extend(self.scene.guests.keys().map(install_queue));
        queues.extend(["b1", "b2"].map(|name| clean_queue(&name.parse().expect("a builder"))));
        let connection = Connection::connect(&self.url, ConnectionProperties::default());
        let connection = connection.await.expect("a broker");
        let channel = connection.create_channel().await.expect("a channel");
        for queue in queues {
            let empty = async {
                loop {
                    let options = QueueDeclareOptions::durable().passive();
                    let name = queue.as_str().into();
                    let declared = channel.queue_declare(name, options, FieldTable::default());
                    let count = declared.await.expect("a queue").message_count();
                    assert!(queue != DEAD || count == 0, "{count} messages are dead");
                    if count == 0 {
                        return;
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            };
            within(&format!("the emptying of {queue}"), 60, empty).await;
        }
        connection
            .close(200, "goodbye".into())
            .await
            .expect("a farewell");
    }
}

/// The state is a fold over what is on the broker, and one end is one end.
fn replaying_gives_the_same(events: &[(u64, Envelope<Event>)], run: &Run) {
    let mut fleet = State::default();
    for (offset, event) in events {
        fleet.apply(*offset, event);
    }
    assert_eq!(&*fleet.runs[&run.id], run);
}

fn took(run: &Run) -> f64 {
    let finished = run.finished.expect("the run is over");
    finished.at.duration_since(run.requested_at).as_secs_f64()
}
