//! An operator who meddles: purges queues, pauses and resumes workers and roles, and has things tried
//! again that failed for good.

use std::sync::Arc;
use std::time::Duration;

use gentoo_updater_bus::embedded::Embedded;
use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_bus::{Bus, Inspect, Speaker, topology};
use gentoo_updater_fleet::message::{
    Event, PauseRequested, PauseTarget, ResumeRequested, RetryRequested, Role, Task, WorkKey,
};
use gentoo_updater_fleet::name::WorkerId;
use gentoo_updater_fleet::state::Fleet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::faults::{Fault, Weather};
use crate::random::Dice;
use crate::records::Records;
use crate::world::{World, platform};

/// An operator at a desk, without troubles of its own.
pub struct Operator {
    /// What the operator is up to.
    pub dice: Dice,
    /// Meddling ends with the rough weather.
    pub weather: Arc<Weather>,
    /// The bus, without its faults.
    pub bus: Arc<Embedded>,
    /// What has been seen of workers.
    pub records: Arc<Records>,
    /// Whose clock tells when something was asked for.
    pub speaker: Speaker,
    /// Ends it.
    pub over: CancellationToken,
}

impl Operator {
    /// Takes all that waits off one queue after the other.
    pub async fn purge(self, world: Arc<World>) -> Result<(), String> {
        let mut queues = vec![
            topology::PLAN.to_owned(),
            topology::SCAN.to_owned(),
            topology::build_queue(&platform()),
            topology::collect_queue(&platform()),
        ];
        queues.extend(world.guests.keys().map(topology::install_queue));
        queues.extend(world.builders.keys().map(topology::clean_queue));
        while self.wait(200, 8_000).await {
            let queue = self.one_of(&queues);
            let taken = self.bus.purge(queue).await.map_err(|e| e.to_string())?;
            if taken > 0 {
                self.weather.count(Fault::Purged);
            }
        }
        self.over.cancelled().await;
        Ok(())
    }

    /// Pauses one after the other, and resumes each after a while.
    pub async fn pause(self, workers: Vec<WorkerId>) -> Result<(), String> {
        use Role::{Builder, Installer, Janitor, Planner, Scanner};
        let roles = [Planner, Scanner, Builder, Installer, Janitor].map(PauseTarget::Role);
        let mut targets: Vec<_> = workers.into_iter().map(PauseTarget::Worker).collect();
        targets.extend(roles);
        while self.wait(200, 20_000).await {
            let target = self.one_of(&targets).clone();
            self.weather.count(Fault::Paused);
            let reason = Some("the room is too hot".to_owned());
            let paused = PauseRequested {
                target: target.clone(),
                reason,
            };
            self.say(Event::PauseRequested(paused)).await?;
            // Whoever pauses a fleet and goes home has no right to an end of its runs.
            sleep(self.pause_for()).await;
            let resumed = ResumeRequested { target };
            self.say(Event::ResumeRequested(resumed)).await?;
        }
        self.over.cancelled().await;
        Ok(())
    }

    /// Has what failed for good tried again, some of it twice, and now and then something that has
    /// not failed. What failed at the end of the rough weather gets another chance, too.
    pub async fn retry(self) -> Result<(), String> {
        let view = FleetView::follow(self.bus.clone(), self.over.clone()).await;
        let view = view.map_err(|error| error.to_string())?;
        let mut rough = true;
        while rough {
            rough = self.wait(100, 2_000).await;
            let (failed, others) = view.read(attempts);
            for work in failed.iter().filter(|_| self.dice.per_mille(500)) {
                self.weather.count(Fault::Retried);
                let times = 1 + u32::from(self.dice.per_mille(300));
                for _ in 0..times {
                    let work = work.clone();
                    self.say(Event::RetryRequested(RetryRequested { work }))
                        .await?;
                    sleep(self.dice.millis(0, 2_000)).await;
                }
            }
            if !others.is_empty() && self.dice.per_mille(200) {
                let work = self.one_of(&others).clone();
                self.say(Event::RetryRequested(RetryRequested { work }))
                    .await?;
            }
        }
        self.over.cancelled().await;
        Ok(())
    }

    fn pause_for(&self) -> Duration {
        let longest = [1_000, 20_000, 150_000][self.dice.between(0, 2) as usize];
        self.dice.millis(100, longest)
    }

    /// Waits; false when the weather is calm by then.
    async fn wait(&self, from: u64, to: u64) -> bool {
        sleep(self.dice.millis(from, to)).await;
        self.weather.is_rough()
    }

    fn one_of<'a, T>(&self, things: &'a [T]) -> &'a T {
        let last = u64::try_from(things.len() - 1).unwrap_or(0);
        &things[usize::try_from(self.dice.between(0, last)).unwrap_or(0)]
    }

    async fn say(&self, event: Event) -> Result<(), String> {
        if let Event::RetryRequested(retry) = &event {
            self.records.retry(retry.work.run);
        }
        let said = self.bus.publish(&self.speaker.say(event)).await;
        said.map_err(|error| error.to_string())
    }
}

/// The last attempts at what has failed for good and can be tried again, and all other attempts.
fn attempts(fleet: &Fleet) -> (Vec<WorkKey>, Vec<WorkKey>) {
    let (mut failed, mut others) = (Vec::new(), Vec::new());
    for run in fleet.unfinished() {
        for (task, state) in &run.tasks {
            let Some((attempt, _)) = state.attempts.last_key_value() else {
                continue;
            };
            let work = WorkKey {
                run: run.id,
                task: task.clone(),
                attempt: *attempt,
            };
            match fleet.can_retry(run.id, task) {
                true => failed.push(work),
                false if matches!(task, Task::Build(_) | Task::Install(_)) => others.push(work),
                false => {}
            }
        }
    }
    (failed, others)
}
