//! Workers that are killed.

use std::time::Duration;

use gentoo_updater_chaos::Role;
use gentoo_updater_chaos::scene::Scene;
use gentoo_updater_fleet::message::Task;
use gentoo_updater_fleet::name::RunId;
use gentoo_updater_fleet::state::Fleet as State;
use gentoo_updater_test_broker::Broker;
use tokio::task::block_in_place;

use crate::support::{Expected, Figures, Fleet, Policy, builder, report, was_killed};

/// How long a build takes that others need not wait for.
const SHORT: Duration = Duration::from_millis(100);
/// How long the build takes whose worker dies: longer than it takes until another one has it.
const LONG: Duration = Duration::from_secs(40);

/// Which steps a test takes: of so many tests that share them, the one of this number.
#[derive(Debug, Clone, Copy)]
struct Share {
    number: u32,
    of: u32,
}

const ALL: Share = Share { number: 1, of: 1 };

/// Kills a worker before and after every call of its bus, one run for each, and starts it again
/// under its id. Nothing may be lost and nothing done twice. Ends with the run in which the step
/// was not reached.
async fn killed_at_every_step(role: Role, share: Share, least: u32) {
    let broker = block_in_place(Broker::shared);
    let vhost = block_in_place(|| broker.vhost());
    let scene = |folder: &_| Scene::small(folder, SHORT);
    let mut fleet = Fleet::start(vhost.url(), Policy::default(), scene).await;
    // With one builder the job is always that one's.
    assert!(fleet.stop_worker(&builder("b2")).await.success());
    let mut figures = Figures::default();
    let mut kills = 0;
    for step in (share.number..).step_by(share.of as usize) {
        let status = fleet.stop_worker(&role).await;
        assert!(status.success(), "{} ended with {status}", role.name());
        fleet.start_worker(&role, Some(step));
        let run = fleet.request_run().await;
        let recovery = fleet.until_killed_or_finished(&role, run).await;
        // It may also die of the very last step, when the run is over for all others.
        let was_reached = recovery.is_some() || was_killed(fleet.stop_worker(&role).await);
        if recovery.is_none() {
            fleet.start_worker(&role, None);
        }
        let expected = Expected::recovered(recovery);
        figures = figures.and(fleet.finish(run, expected).await);
        if !was_reached {
            break;
        }
        kills += 1;
    }
    // The very last step may come after the test has seen the end of the run and said stop.
    assert!(
        kills + 1 >= least,
        "{} was killed at {kills} steps only",
        role.name()
    );
    let part = match share.of {
        1 => String::new(),
        of => format!(" ({} of {of})", share.number),
    };
    let fault = format!("{} killed at each of {kills} steps{part}", role.name());
    fleet.end().await;
    report(&broker.version(), &fault, figures);
}

impl Fleet {
    /// Waits until a worker has died, starts it again, and says how many seconds it took until
    /// the fleet went on; `None` when the run is over and the worker lives.
    async fn until_killed_or_finished(&mut self, role: &Role, run: RunId) -> Option<f64> {
        let view = self.view.clone();
        let finished = |state: &State| {
            state
                .runs
                .get(&run)
                .is_some_and(|run| run.finished.is_some())
        };
        tokio::select! {
            status = self.worker_ended(role) => {
                assert!(was_killed(status), "{} ended with {status}", role.name());
            }
            over = view.wait_until(finished) => {
                over.expect("a history that can be followed");
                return None;
            }
        }
        self.start_worker(role, None);
        // A worker that died of its last step leaves nothing to wait for.
        Some(self.recovered(run).await.unwrap_or(0.0))
    }
}

/// Registration, claim and result are published, and the command is settled, before and after
/// each of which there is a step; and one is when the command has been taken.
const STEPS_OF_A_CLAIM: u32 = 9;

#[tokio::test(flavor = "multi_thread")]
async fn a_scanner_that_is_killed_at_any_step_of_a_claim_loses_nothing() {
    killed_at_every_step(Role::Scanner, ALL, STEPS_OF_A_CLAIM).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_builder_that_is_killed_at_any_step_of_a_claim_builds_nothing_twice() {
    killed_at_every_step(builder("b1"), ALL, STEPS_OF_A_CLAIM).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installer_that_is_killed_at_any_step_of_a_claim_installs_nothing_twice() {
    killed_at_every_step(Role::Installer, ALL, STEPS_OF_A_CLAIM).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_janitor_that_is_killed_at_any_step_of_a_claim_cleans_nothing_twice() {
    killed_at_every_step(Role::Janitor, ALL, STEPS_OF_A_CLAIM).await;
}

/// It issues four commands and publishes as often that it did, and three times something else:
/// before and after each there is a step, and one before each wake-up is settled.
const STEPS_OF_A_PLANNER: u32 = 2 * (4 + 4 + 3);

#[tokio::test(flavor = "multi_thread")]
async fn a_planner_that_is_killed_at_any_odd_step_repeats_no_work() {
    let share = Share { number: 1, of: 2 };
    killed_at_every_step(Role::Planner, share, STEPS_OF_A_PLANNER / 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planner_that_is_killed_at_any_even_step_repeats_no_work() {
    let share = Share { number: 2, of: 2 };
    killed_at_every_step(Role::Planner, share, STEPS_OF_A_PLANNER / 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_builder_that_is_killed_and_stays_away_loses_its_job_to_the_other_after_the_lease() {
    let broker = block_in_place(Broker::shared);
    let vhost = block_in_place(|| broker.vhost());
    let scene = |folder: &_| Scene::full(folder, SHORT).with_slow("b1", LONG);
    let policy = Policy {
        lease: 10,
        heartbeat: 1,
    };
    let mut fleet = Fleet::start(vhost.url(), policy, scene).await;
    let run = fleet.request_run().await;
    let job = fleet.job_of(run, "b1").await;
    fleet.kill_worker(&builder("b1")).await;
    let recovery = fleet.claimed_again(run, &job).await;
    // Its program goes on without it, and the other builder is another machine.
    let figures = fleet.finish(run, Expected::doubled_once(recovery)).await;
    assert_eq!(figures.doubled, 1);
    let again = fleet.view.read(|state| {
        let tasks = state.runs[&run].tasks.iter();
        let again = tasks.filter(|(_, task)| task.attempts.len() > 1);
        again.map(|(task, _)| task.clone()).collect::<Vec<_>>()
    });
    assert_eq!(again, [Task::Build(job)]);
    fleet.until_programs_end(run).await;
    fleet.end().await;
    report(&broker.version(), "builder killed for good", figures);
}
