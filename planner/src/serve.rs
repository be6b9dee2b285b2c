//! The order of steps of one planner.

use std::time::Duration;

use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_bus::topology;
use gentoo_updater_bus::{Speaker, Wakeup, Wakeups};
use gentoo_updater_fleet::decide::{Order, decide, observe};
use gentoo_updater_fleet::liveness::Liveness;
use gentoo_updater_fleet::message::{
    Command, CommandIssued, Event, PlannerAlive, Role, WorkerRegistered,
};
use gentoo_updater_fleet::name::{EventId, WorkerId};
use gentoo_updater_runtime::{Context, worker_id};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

/// How often a planner says that it lives. The beat that comes back is also what lets time pass
/// for it: retries and leases are looked at once a beat.
const BEAT: Duration = Duration::from_secs(2);

/// Plans until the context is stopped.
///
/// # Errors
/// When the bus cannot go on; passing faults of the broker are none.
pub async fn serve(context: &Context) -> anyhow::Result<()> {
    // A broker that is away can hold up any of this, and must not hold up the stop.
    tokio::select! {
        biased;
        () = context.stop.cancelled() => Ok(()),
        planned = plan(context) => planned,
    }
}

async fn plan(context: &Context) -> anyhow::Result<()> {
    // Two planners may share a machine, and neither resumes anything: any unique name will do.
    let id = worker_id(
        "planner",
        &context.clock.event_id().0.simple().to_string()[20..],
    )?;
    let view = FleetView::follow(context.bus.clone(), context.stop.clone()).await?;
    let policy = &context.settings.policy;
    let mut planner = Planner {
        context,
        liveness: Liveness::new(policy.lease, policy.unserved, BEAT),
        id,
        view,
        beat: 0,
        last_return: None,
    };
    planner.register().await?;
    let mut wakeups = context.bus.wakeups().await?;
    let mut beats = interval(BEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        planner.step(&mut beats, wakeups.as_mut()).await?;
    }
}

struct Planner<'a> {
    context: &'a Context,
    liveness: Liveness,
    id: WorkerId,
    view: FleetView,
    beat: u64,
    last_return: Option<Instant>,
}

impl Planner<'_> {
    async fn register(&self) -> anyhow::Result<()> {
        let event = Event::WorkerRegistered(WorkerRegistered {
            worker: self.id.clone(),
            role: Role::Planner,
            queues: vec![topology::PLAN.to_owned()],
        });
        self.publish(event).await?;
        Ok(())
    }

    async fn step(
        &mut self,
        beats: &mut Interval,
        wakeups: &mut dyn Wakeups,
    ) -> anyhow::Result<()> {
        tokio::select! {
            _ = beats.tick() => self.say_alive().await,
            wakeup = wakeups.next() => self.wake(wakeup?).await,
        }
    }

    async fn say_alive(&mut self) -> anyhow::Result<()> {
        self.beat += 1;
        let event = Event::PlannerAlive(PlannerAlive {
            worker: self.id.clone(),
            beat: self.beat,
        });
        self.publish(event).await?;
        Ok(())
    }

    /// One wake-up: it is a hint only. The history is read as far as the event, and everything
    /// that should be out and is not is sent; then the wake-up is settled.
    async fn wake(&mut self, wakeup: Wakeup) -> anyhow::Result<()> {
        match &wakeup.event.message {
            Event::WorkerAlive(alive) => self.liveness.alive(&alive.worker, &alive.working_on),
            Event::PlannerAlive(alive) if alive.worker == self.id => {
                let now = Instant::now();
                let elapsed = self.last_return.map(|last| now.duration_since(last));
                self.liveness.beat(elapsed.unwrap_or_default());
                self.last_return = Some(now);
                self.carry_out().await?;
            }
            Event::PlannerAlive(_) => {}
            _ => {
                self.view.wait_for_event(wakeup.event.id).await?;
                self.carry_out().await?;
            }
        }
        wakeup.settle.ack().await?;
        Ok(())
    }

    /// Decides and carries out until nothing is left to do.
    async fn carry_out(&mut self) -> anyhow::Result<()> {
        loop {
            let patience = &self.context.settings.policy.patience;
            let now = self.context.clock.now();
            let liveness = &mut self.liveness;
            let orders = self.view.read(|fleet| {
                observe(fleet, liveness);
                decide(fleet, liveness, patience, now)
            });
            let mut last = None;
            for order in orders {
                last = Some(match order {
                    Order::Issue(command) => self.issue(command).await?,
                    Order::Publish(event) => {
                        tracing::info!(event = event.kind(), "decided");
                        self.publish(event).await?
                    }
                });
            }
            // The next decision sees what this one did, or it would do it again.
            let Some(last) = last else { return Ok(()) };
            self.view.wait_for_event(last).await?;
        }
    }

    /// Sends a command, and then says so in the history: a crash between the two costs a
    /// repeated command, which claims make harmless, and never a lost one.
    async fn issue(&self, command: Command) -> anyhow::Result<EventId> {
        let work = command.work();
        let id = command.id()?;
        let platform = match &command {
            Command::BuildPackage(build) => Some(build.job.platform.clone()),
            _ => None,
        };
        let queue = topology::queue_of(&work.task, platform.as_ref());
        tracing::info!(
            run.id = %work.run, task = %work.task, attempt = work.attempt, queue, "command issued"
        );
        let envelope = self.speaker().say(command);
        self.context.bus.issue(&queue, &envelope).await?;
        self.publish(Event::CommandIssued(CommandIssued {
            command: id,
            work,
            queue,
        }))
        .await
    }

    async fn publish(&self, event: Event) -> anyhow::Result<EventId> {
        let envelope = self.speaker().say(event);
        self.context.bus.publish(&envelope).await?;
        Ok(envelope.id)
    }

    fn speaker(&self) -> Speaker {
        Speaker::new(self.id.clone(), self.context.clock.clone())
    }
}
