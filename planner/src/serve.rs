//! The order of steps of one planner.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::try_join_all;
use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_bus::{BusError, Doing, Speaker, Wakeup, Wakeups, spans, topology};
use gentoo_updater_fleet::decide::{Order, decide_without, is_held, observe};
use gentoo_updater_fleet::liveness::Liveness;
use gentoo_updater_fleet::message::{
    Command, CommandIssued, Event, Failure, PlannerAlive, Role, WorkerRegistered,
};
use gentoo_updater_fleet::name::{EventId, WorkerId};
use gentoo_updater_runtime::{Context, worker_id};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, timeout};
use tracing::{Instrument, Span};

use crate::beats::Beats;
use crate::meters;
use crate::snapshots::Snapshots;

/// How often a planner says that it lives. The beat that comes back is also what lets time pass
/// for it: retries and leases are looked at once a beat.
pub const BEAT: Duration = Duration::from_secs(2);
/// How long the event of a wake-up is waited for: what comes later is looked at with a beat.
const WAKES_WITHIN: Duration = BEAT;
/// Every so many returned beats the bus is asked about queues that hold work for long.
pub(crate) const BEATS_BETWEEN_QUESTIONS: u64 = 5;
/// How many commands are issued side by side: a bus may wait for the disk once for what comes
/// together. After a crash so many may be issued again.
const ISSUES: usize = 16;

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
        snapshots: Snapshots::new(&view),
        id,
        view,
        beats: Beats::default(),
        returned: 0,
        decided: None,
        held: BTreeSet::new(),
    };
    let _watch = meters::begin(context, &planner.id, &planner.view);
    planner.register().await?;
    let mut wakeups = context.bus.wakeups().await?;
    tracing::info!(worker = %planner.id, "ready");
    let mut beats = interval(BEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        context.pulse.turn(Doing::Serves);
        planner.step(&mut beats, wakeups.as_mut()).await?;
    }
}

struct Planner<'a> {
    context: &'a Context,
    liveness: Liveness,
    id: WorkerId,
    view: FleetView,
    beats: Beats,
    /// How many of its beats came back.
    returned: u64,
    /// At this offset of the history nothing was left to do. What time brings is looked for at each
    /// beat.
    decided: Option<u64>,
    /// The queues whose commands wait here for an operator, so that it is said once.
    held: BTreeSet<String>,
    snapshots: Snapshots,
}

impl Planner<'_> {
    async fn register(&self) -> anyhow::Result<()> {
        let event = Event::WorkerRegistered(WorkerRegistered {
            worker: self.id.clone(),
            role: Role::Planner,
            queues: vec![topology::PLAN.to_owned()],
            machine: None,
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
            biased;
            error = self.view.ended() => Err(error.into()),
            () = self.context.pulse.asked() => Ok(()),
            _ = beats.tick() => self.say_alive().await,
            wakeup = wakeups.next() => self.wake(wakeup?).await,
        }
    }

    async fn say_alive(&mut self) -> anyhow::Result<()> {
        let event = Event::PlannerAlive(PlannerAlive {
            worker: self.id.clone(),
            beat: self.beats.send(Instant::now()),
        });
        self.publish(event).await?;
        self.beats.confirm(Instant::now());
        Ok(())
    }

    /// One wake-up: it is a hint only. The history is read as far as the event, and everything
    /// that should be out and is not is sent; then the wake-up is settled.
    async fn wake(&mut self, wakeup: Wakeup) -> anyhow::Result<()> {
        match &wakeup.event.message {
            Event::WorkerAlive(alive) => {
                let works = alive.working_on.iter().map(|ongoing| &ongoing.work);
                self.liveness.alive(&alive.worker, works);
            }
            Event::PlannerAlive(alive) if alive.worker == self.id => {
                match self.beats.returned(alive.beat) {
                    Some(elapsed) => self.liveness.beat(elapsed),
                    None => self.liveness.renew(),
                }
                meters::beaten(self.context.clock.now());
                self.returned += 1;
                if self.returned.is_multiple_of(BEATS_BETWEEN_QUESTIONS) {
                    self.ask_about_queues().await?;
                }
                self.carry_out().await?;
            }
            Event::PlannerAlive(_) => {}
            _ => {
                let read = self.view.wait_for_event(wakeup.event.id);
                match timeout(WAKES_WITHIN, read).await {
                    Ok(read) => read?,
                    // It comes late, and the next beat looks at it; or it went with a history that
                    // was deleted, of which there may be many in the queue.
                    Err(_) => {
                        let event = wakeup.event.message.kind();
                        tracing::debug!(id = %wakeup.event.id, event, "not in the history yet");
                    }
                }
                // Events come in bunches, and most of them are this planner's own.
                if self.view.read(|fleet| fleet.offset) != self.decided {
                    self.carry_out().await?;
                }
            }
        }
        wakeup.settle.ack().await?;
        // Only the planner that is woken comes here.
        let speaker = self.speaker();
        self.snapshots
            .keep(self.context.bus.as_ref(), &self.view, &speaker)
            .await;
        Ok(())
    }

    /// Decides and carries out until nothing is left to do.
    async fn carry_out(&mut self) -> anyhow::Result<()> {
        // What has to wait makes room for what need not: a decision does not name everything.
        let mut waiting = BTreeSet::new();
        let mut held = BTreeSet::new();
        loop {
            // A fleet that begins has thousands of commands, and this takes its time with them.
            self.context.pulse.turn(Doing::Serves);
            let patience = &self.context.settings.policy.patience;
            let liveness = &mut self.liveness;
            liveness.expect(self.beats.ahead());
            let now = self.context.clock.now();
            let begun = Instant::now();
            let (offset, orders) = self.view.read(|fleet| {
                observe(fleet, liveness);
                let orders = decide_without(fleet, liveness, patience, now, &waiting);
                (fleet.offset, orders)
            });
            meters::decided(begun.elapsed());
            let before = waiting.len();
            let (mut issues, mut said) = (Vec::new(), Vec::new());
            for order in orders {
                // What is said between two commands is said between them.
                if !matches!(order, Order::Issue(_)) || issues.len() == ISSUES {
                    said.extend(try_join_all(issues.drain(..)).await?);
                }
                match order {
                    Order::Issue(command) => {
                        let queue = topology::queue_for(&command);
                        if self.is_held(&queue) {
                            held.insert(queue);
                            waiting.insert(command.work());
                        } else {
                            issues.push(self.issue(command, queue));
                        }
                    }
                    Order::Bury(command, failure) => self.bury(command, &failure).await?,
                    Order::Publish(event) => {
                        let span = event.run().map_or_else(Span::none, spans::of_run);
                        span.in_scope(|| tracing::info!(event = event.kind(), "decided"));
                        said.push(self.publish(event).await?);
                    }
                }
            }
            said.extend(try_join_all(issues).await?);
            // The next decision sees what this one did, or it would do it again. What was said side
            // by side may come in any order.
            for event in said.iter().rev().take(ISSUES) {
                self.view.wait_for_event(*event).await?;
            }
            if said.is_empty() && waiting.len() == before {
                self.tell_held(held);
                self.decided = offset;
                return Ok(());
            }
        }
    }

    /// Whether an operator wants commands to this queue to wait: this planner is paused, or all
    /// who could take them are.
    fn is_held(&self, queue: &String) -> bool {
        self.view.read(|fleet| {
            fleet.pause_of(&self.id, Role::Planner).is_some()
                || is_held(fleet, &self.liveness, queue)
        })
    }

    fn tell_held(&mut self, held: BTreeSet<String>) {
        for queue in held.difference(&self.held) {
            tracing::info!(
                queue,
                "commands wait: an operator has paused who issues or takes them"
            );
        }
        self.held = held;
    }

    /// Looks whether what was issued long ago and is not claimed is in its queue at all: a queue
    /// may have been purged or deleted.
    async fn ask_about_queues(&mut self) -> anyhow::Result<()> {
        for queue in self.liveness.doubtful_queues() {
            match self.context.bus.queue(&queue).await {
                Ok(state) => {
                    let is_bare = state.is_none_or(|state| state.ready == 0);
                    self.liveness.saw_queue(&queue, is_bare);
                }
                Err(BusError::Closed) => return Err(BusError::Closed.into()),
                Err(error) => tracing::warn!(queue, %error, "a queue cannot be looked at"),
            }
        }
        Ok(())
    }

    /// Sends a command, and then says so in the history: a crash between the two costs a
    /// repeated command, which claims make harmless, and never a lost one.
    async fn issue(&self, command: Command, queue: String) -> anyhow::Result<EventId> {
        let span = spans::of_work(&command.work());
        self.issue_unmarked(command, queue).instrument(span).await
    }

    async fn issue_unmarked(&self, command: Command, queue: String) -> anyhow::Result<EventId> {
        let work = command.work();
        let id = command.id()?;
        tracing::info!(queue, "command issued");
        let envelope = self.speaker().say(command);
        self.context.bus.issue(&queue, &envelope).await?;
        self.view.read(|fleet| meters::issued(fleet, &work));
        self.publish(Event::CommandIssued(CommandIssued {
            command: id,
            work,
            queue,
        }))
        .await
    }

    /// Keeps a command that is given up, for whoever wants to know what its workers died of. A
    /// crash before the task is given up costs a second copy.
    async fn bury(&self, command: Command, failure: &Failure) -> anyhow::Result<()> {
        let queue = topology::queue_for(&command);
        let cause = format!("{}: {failure}", failure.cause);
        let envelope = self.speaker().say(command);
        self.context.bus.bury(&queue, &envelope, cause).await?;
        Ok(())
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
