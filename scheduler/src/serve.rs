//! The order of steps of one scheduler.

use std::collections::BTreeSet;
use std::time::Duration;

use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_bus::{Doing, Health, Speaker};
use gentoo_updater_fleet::message::Role;
use gentoo_updater_fleet::name::ScheduleName;
use gentoo_updater_fleet::schedule::{
    Blocker, Decision, Occurrence, Order, Waiting, decide, missed_words, occurrence_words,
};
use gentoo_updater_runtime::{Context, Presence, worker_id};
use tokio::time::{MissedTickBehavior, interval, timeout};

/// How often it is looked what is due. A clock may be set at any time, so nobody sleeps until then.
const LOOK: Duration = Duration::from_secs(1);
/// How long something may take to be said. What was decided an hour ago is not what is due now, so it is
/// given up, and decided anew.
const SAID_WITHIN: Duration = Duration::from_secs(30);

/// Begins what is due until the context is stopped.
///
/// # Errors
/// When the bus cannot go on; passing faults of the broker are none.
pub async fn serve(context: &Context, instance: &str) -> anyhow::Result<()> {
    // A broker that is away can hold up any of this, and must not hold up the stop.
    tokio::select! {
        biased;
        () = context.stop.cancelled() => Ok(()),
        served = follow(context, instance) => served,
    }
}

async fn follow(context: &Context, instance: &str) -> anyhow::Result<()> {
    let id = worker_id("scheduler", instance)?;
    let speaker = Speaker::new(id, context.clock.clone());
    let view = FleetView::follow(context.bus.clone(), context.stop.clone()).await?;
    let presence = Presence::new(context, Role::Scheduler, speaker.clone());
    presence.register().await?;
    tracing::info!(worker = %speaker.id, schedules = context.settings.schedules.len(), "ready");
    let mut scheduler = Scheduler {
        context,
        speaker,
        view,
        adopted: BTreeSet::new(),
        told: Vec::new(),
        warned: BTreeSet::new(),
    };
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut beats = interval(context.settings.policy.heartbeat);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    context.pulse.turn(Doing::Serves);
    loop {
        tokio::select! {
            biased;
            error = scheduler.view.ended() => return Err(error.into()),
            _ = beats.tick() => presence.say_alive(scheduler.is_paused()).await?,
            _ = looks.tick() => scheduler.look().await?,
            () = context.pulse.asked() => context.pulse.turn(Doing::Serves),
        }
    }
}

struct Scheduler<'a> {
    context: &'a Context,
    speaker: Speaker,
    view: FleetView,
    /// The schedules whose calendar this process has said.
    adopted: BTreeSet<ScheduleName>,
    /// What was said of what waits, so that it is said once.
    told: Vec<(Occurrence, &'static str)>,
    /// The schedules of which it was said that another scheduler goes by another calendar.
    warned: BTreeSet<ScheduleName>,
}

impl Scheduler<'_> {
    /// Says all that is to be said at this time.
    async fn look(&mut self) -> anyhow::Result<()> {
        // While the broker takes nothing, others may have said things that are not known here.
        if *self.context.bus.health().borrow() != Health::Good {
            return Ok(());
        }
        let decision = self.decide();
        if decision.orders.is_empty() {
            self.tell(&decision.waiting);
            return Ok(());
        }
        match timeout(SAID_WITHIN, self.carry_out()).await {
            Ok(said) => said,
            Err(_) => {
                tracing::warn!(
                    "what is due could not be said within {} s; it is decided anew",
                    SAID_WITHIN.as_secs()
                );
                Ok(())
            }
        }
    }

    async fn carry_out(&mut self) -> anyhow::Result<()> {
        // Read to its end: what another one has said in this moment need not be said again, and a run
        // that somebody has begun meanwhile is waited for.
        let (bus, stop) = (self.context.bus.clone(), self.context.stop.clone());
        FleetView::follow(bus, stop).await?;
        for order in self.decide().orders {
            self.log(&order);
            if let Order::Adopt(adopted) = &order {
                self.adopted.insert(adopted.schedule.clone());
            }
            let envelope = self.speaker.say(order.event());
            self.context.bus.publish(&envelope).await?;
            self.view.wait_for_event(envelope.id).await?;
        }
        Ok(())
    }

    fn decide(&self) -> Decision {
        let (schedules, now) = (&self.context.settings.schedules, self.context.clock.now());
        let is_paused = self.is_paused();
        self.view
            .read(|fleet| decide(schedules, &self.adopted, fleet, now, is_paused))
    }

    fn is_paused(&self) -> bool {
        self.view
            .read(|fleet| fleet.pause_of(&self.speaker.id, Role::Scheduler).is_some())
    }

    fn log(&self, order: &Order) {
        match order {
            Order::Adopt(adopted) => tracing::info!(
                schedule = %adopted.schedule, calendar = adopted.calendar,
                time_zone = adopted.time_zone, "its times count from now on"
            ),
            Order::Tell(missed) => tracing::warn!("{}", missed_words(missed)),
            Order::Begin(requested) => {
                let words = requested.schedule.as_ref().map(occurrence_words);
                let words = words.unwrap_or_default();
                tracing::info!(run.id = %requested.run, "{words} begins");
            }
        }
    }

    /// Says what waits, and that another scheduler goes by another calendar.
    fn tell(&mut self, waiting: &[Waiting]) {
        let now: Vec<(Occurrence, &'static str)> = waiting
            .iter()
            .map(|waiting| (waiting.occurrence.clone(), words(waiting.blocker)))
            .collect();
        for (occurrence, words) in &now {
            if !self.told.contains(&(occurrence.clone(), words)) {
                tracing::info!("{} waits: {words}", occurrence_words(occurrence));
            }
        }
        self.told = now;
        let (schedules, adopted) = (&self.context.settings.schedules, &self.adopted);
        let others: Vec<ScheduleName> = self.view.read(|fleet| {
            let own = schedules.iter().filter(|(name, _)| adopted.contains(*name));
            let otherwise = own.filter(|(name, schedule)| {
                let state = fleet.schedules.get(*name);
                state.is_some_and(|state| !state.is_of(&schedule.calendar))
            });
            otherwise.map(|(name, _)| name.clone()).collect()
        });
        for schedule in others {
            if self.warned.insert(schedule.clone()) {
                tracing::warn!(
                    %schedule,
                    "another scheduler goes by another calendar: give both the same configuration"
                );
            }
        }
    }
}

fn words(blocker: Blocker) -> &'static str {
    match blocker {
        Blocker::Paused => "the scheduler is paused; `gentoo-updater resume scheduler` ends that",
        Blocker::RunGoesOn { .. } => "a run goes on",
        Blocker::OutsideWindows { .. } => "none of its windows is open",
    }
}
