//! An operator who meddles: purges queues, and pauses and resumes workers and roles.

use std::sync::Arc;
use std::time::Duration;

use gentoo_updater_bus::embedded::Embedded;
use gentoo_updater_bus::{Bus, Inspect, Speaker, topology};
use gentoo_updater_fleet::message::{Event, PauseRequested, PauseTarget, ResumeRequested, Role};
use gentoo_updater_fleet::name::WorkerId;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::faults::{Fault, Weather};
use crate::random::Dice;
use crate::world::{World, platform};

/// An operator at a desk, without troubles of its own.
pub struct Operator {
    /// What the operator is up to.
    pub dice: Dice,
    /// Meddling ends with the rough weather.
    pub weather: Arc<Weather>,
    /// The bus, without its faults.
    pub bus: Arc<Embedded>,
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
        let said = self.bus.publish(&self.speaker.say(event)).await;
        said.map_err(|error| error.to_string())
    }
}
