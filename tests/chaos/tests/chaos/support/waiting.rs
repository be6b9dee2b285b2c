//! Waiting for what happens in a fleet.

use std::time::{Duration, Instant};

use gentoo_updater_bus::{BusError, Position};
use gentoo_updater_chaos::program::{Record, record};
use gentoo_updater_fleet::message::{Event, Task};
use gentoo_updater_fleet::name::{BuilderName, JobId, RunId};
use gentoo_updater_fleet::state::{Fleet as State, Run};
use jiff::Timestamp;

use super::fleet::Fleet;
use super::within;

/// How long a run may take, faults and all.
const RUN_SECONDS: u64 = 240;

impl Fleet {
    /// Waits until a run is as wanted.
    pub(crate) async fn until(&self, what: &str, run: RunId, wanted: impl Fn(&Run) -> bool) {
        let reached = self
            .view
            .wait_until(|fleet| fleet.runs.get(&run).is_some_and(|run| wanted(run)));
        within(what, RUN_SECONDS, reached)
            .await
            .expect("a history that can be followed");
    }

    /// Waits until the history has something of a run that was made after this call, and says how
    /// many seconds that took: called when a fault is over, how long the fleet takes to go on.
    /// What was made before and comes only now is no sign of that. `None` where the run is over.
    pub(crate) async fn recovered(&self, run: RunId) -> Option<f64> {
        let (begun, now) = (Instant::now(), Timestamp::now());
        let next = self.view.applied().map_or(0, |applied| applied + 1);
        let is_over = |fleet: &State| fleet.runs[&run].finished.is_some();
        if self.view.read(is_over) {
            return None;
        }
        let goes_on = async {
            let mut history = self.bus.history(Position::Offset(next)).await?;
            loop {
                let Ok(event) = history.next().await?.event else {
                    continue;
                };
                let is_last = matches!(event.message, Event::RunFinished(_));
                if event.message.run() == Some(run) && (event.at >= now || is_last) {
                    return Ok::<_, BusError>(());
                }
            }
        };
        let recovered = within("something of the run", RUN_SECONDS, goes_on).await;
        recovered.expect("a history that can be followed");
        Some(begun.elapsed().as_secs_f64())
    }

    /// Waits until another worker has an attempt at a job after the first, and says how many
    /// seconds that took.
    pub(crate) async fn claimed_again(&self, run: RunId, job: &JobId) -> Option<f64> {
        let (begun, task) = (Instant::now(), Task::Build(job.clone()));
        self.until("a claim of another builder", run, |run| {
            let attempt = run.tasks.get(&task).and_then(|task| task.attempts.get(&2));
            attempt.is_some_and(|attempt| attempt.claim.is_some())
        })
        .await;
        Some(begun.elapsed().as_secs_f64())
    }

    /// Waits until the run is in full swing: some jobs are built, and others are being built.
    pub(crate) async fn until_in_full_swing(&self, run: RunId) {
        self.until("building", run, |run| run.built.len() >= 2)
            .await;
        self.until_recorded("a build that goes on", run, |record| {
            record.values().any(|count| count.begun > count.ended)
        })
        .await;
    }

    /// Waits until the programs of a run have written down what is wanted.
    async fn until_recorded(&self, what: &str, run: RunId, wanted: impl Fn(&Record) -> bool) {
        let written = async {
            while !wanted(&record(&self.scene, run)) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        within(what, RUN_SECONDS, written).await;
    }

    /// Waits until no program of a run goes on: one may outlive the run, with its worker dead.
    pub(crate) async fn until_programs_end(&self, run: RunId) {
        self.until_recorded("the end of all programs", run, |record| {
            record.values().all(|count| count.begun == count.ended)
        })
        .await;
    }

    /// Waits until a builder builds, and says which job.
    pub(crate) async fn job_of(&self, run: RunId, name: &str) -> JobId {
        let builder: BuilderName = name.parse().expect("a builder");
        let claimed = |run: &Run| {
            run.tasks.iter().find_map(|(task, state)| {
                let claim = state.attempts.get(&1)?.claim.as_ref()?;
                match task {
                    Task::Build(job) if claim.builder.as_ref() == Some(&builder) => {
                        state.outcome.is_none().then(|| job.clone())
                    }
                    _ => None,
                }
            })
        };
        self.until("a claim", run, |run| claimed(run).is_some())
            .await;
        let job = self.view.read(|fleet| claimed(&fleet.runs[&run]));
        let job = job.expect("a build that has just been claimed goes on");
        let work = format!("build {job}");
        self.until_recorded("the begin of a build", run, |record| {
            record.contains_key(&work)
        })
        .await;
        job
    }
}
