//! A bus that doubles, delays, loses and reorders, as a broker and its connections do.
//!
//! It keeps the promises of the seam: a publish that returned without an error is safe, and what
//! was not settled comes again. Everything else goes wrong here.

mod commands;
mod reading;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use gentoo_updater_bus::worker::MemoryDirectory;
use gentoo_updater_bus::{
    Alive, Bus, BusError, Commands, Health, History, Position, QueueState, Wakeups,
};
use gentoo_updater_fleet::message::{Command, Envelope, Event, WorkKey};
use gentoo_updater_fleet::snapshot::Snapshot;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use self::commands::FaultyCommands;
use self::reading::{FaultyHistory, FaultyWakeups};
use crate::faults::{Fault, Weather};
use crate::orders::Orders;
use crate::process::Life;
use crate::records::{Records, work_of};

/// The bus as one process sees it.
pub struct FaultyBus {
    inner: Arc<dyn Bus>,
    trouble: Trouble,
}

/// What happens to one process.
#[derive(Clone)]
pub struct Trouble {
    /// The life that it can lose.
    pub life: Life,
    /// The state of the broker.
    pub weather: Arc<Weather>,
    /// What is seen of it.
    pub records: Arc<Records>,
    /// What an operator wants of it, as far as it knows.
    pub orders: Arc<Orders>,
    /// Where it keeps its claims.
    pub disk: MemoryDirectory,
    /// The commands in its hands.
    pub held: Arc<Mutex<Vec<WorkKey>>>,
}

impl Trouble {
    /// A step at which the process may die, when the broker is there.
    pub async fn step(&self) {
        if self.life.ignores_failure() {
            let words = "a process went on although the bus had failed it for good";
            self.records.violate(words.to_owned());
        }
        self.life.switch.step().await;
        self.weather.broker().await;
    }

    fn strikes(&self, fault: Fault) -> bool {
        let rates = &self.weather.rates;
        let chance = match fault {
            Fault::Doubled => rates.doubled,
            Fault::SentLate => rates.late,
            Fault::Refused => rates.refused,
            Fault::LostDelivery => rates.lost_delivery,
            Fault::LostAck => rates.lost_ack,
            Fault::Delayed => rates.delayed,
            Fault::LostAlive => rates.lost_alive,
            Fault::CutOff => rates.cut_off,
            _ => 0,
        };
        self.weather.strikes(&self.life.dice, fault, chance)
    }

    async fn pause(&self) {
        let longest = self.weather.rates.longest_pause;
        sleep(self.life.dice.millis(1, longest)).await;
    }

    /// Nobody who is paused takes or issues a command.
    fn obeys(&self, queue: &str, command: &Envelope<Command>) {
        if self.orders.is_paused() {
            let task = command.message.work().task;
            let words = format!("{task} of {queue} is taken or issued in spite of a pause");
            self.records.violate(words);
        }
    }

    /// Fails its process for good, as far as it can tell.
    fn fail(&self) -> BusError {
        let _first = self.life.failed.set(Instant::now());
        BusError::AccessRefused {
            detail: "permissions that somebody took away for a moment".to_owned(),
        }
    }

    async fn perhaps(&self, fault: Fault) {
        if self.strikes(fault) {
            self.pause().await;
        }
    }
}

impl FaultyBus {
    /// The bus of a process in trouble.
    pub fn wrap(inner: Arc<dyn Bus>, trouble: Trouble) -> Arc<dyn Bus> {
        Arc::new(Self { inner, trouble })
    }
}

#[async_trait]
impl Bus for FaultyBus {
    async fn publish(&self, event: &Envelope<Event>) -> Result<(), BusError> {
        if let Some(work) = work_of(&event.message) {
            self.trouble.records.tell(work);
        }
        self.trouble.step().await;
        if event.message.is_alive() && self.trouble.strikes(Fault::LostAlive) {
            return Ok(());
        }
        self.trouble.perhaps(Fault::SentLate).await;
        let is_refused = self.trouble.strikes(Fault::Refused);
        if is_refused && self.trouble.life.dice.per_mille(500) {
            return Err(self.trouble.fail());
        }
        self.inner.publish(event).await?;
        match &event.message {
            Event::WorkerAlive(alive) => self.trouble.records.sign(alive),
            Event::WorkStarted(started) => self.trouble.records.claim(started.work.clone()),
            Event::TaskAbandoned(abandoned) => self.trouble.records.tell(abandoned.work.clone()),
            _ => {}
        }
        if is_refused {
            return Err(self.trouble.fail());
        }
        self.trouble.step().await;
        if self.trouble.strikes(Fault::Doubled) {
            self.trouble.pause().await;
            self.inner.publish(event).await?;
            self.trouble.step().await;
        }
        Ok(())
    }

    async fn issue(&self, queue: &str, command: &Envelope<Command>) -> Result<(), BusError> {
        self.trouble.obeys(queue, command);
        self.trouble.step().await;
        self.trouble.perhaps(Fault::SentLate).await;
        let is_refused = self.trouble.strikes(Fault::Refused);
        if is_refused && self.trouble.life.dice.per_mille(500) {
            return Err(self.trouble.fail());
        }
        self.inner.issue(queue, command).await?;
        self.trouble.records.issue(command.message.work());
        if is_refused {
            return Err(self.trouble.fail());
        }
        self.trouble.step().await;
        if self.trouble.strikes(Fault::Doubled) {
            self.trouble.pause().await;
            self.inner.issue(queue, command).await?;
            self.trouble.step().await;
        }
        Ok(())
    }

    async fn bury(
        &self,
        queue: &str,
        command: &Envelope<Command>,
        cause: String,
    ) -> Result<(), BusError> {
        self.trouble.step().await;
        self.inner.bury(queue, command, cause).await?;
        self.trouble.step().await;
        Ok(())
    }

    async fn commands(&self, queues: &[String]) -> Result<Box<dyn Commands>, BusError> {
        self.trouble.step().await;
        let inner = self.inner.commands(queues).await?;
        let trouble = self.trouble.clone();
        Ok(Box::new(FaultyCommands { inner, trouble }))
    }

    async fn history(&self, from: Position) -> Result<Box<dyn History>, BusError> {
        self.trouble.step().await;
        let inner = self.inner.history(from).await?;
        let (trouble, late) = (self.trouble.clone(), None);
        Ok(Box::new(FaultyHistory {
            inner,
            trouble,
            late,
        }))
    }

    async fn end(&self) -> Result<Option<u64>, BusError> {
        self.trouble.step().await;
        self.inner.end().await
    }

    async fn wakeups(&self) -> Result<Box<dyn Wakeups>, BusError> {
        self.trouble.step().await;
        let inner = Some(self.inner.wakeups().await?);
        let (bus, trouble) = (self.inner.clone(), self.trouble.clone());
        Ok(Box::new(FaultyWakeups {
            inner,
            bus,
            trouble,
            away_until: Instant::now(),
        }))
    }

    async fn alive(&self) -> Result<Box<dyn Alive>, BusError> {
        self.inner.alive().await
    }

    async fn keep_snapshot(&self, snapshot: &Snapshot) -> Result<(), BusError> {
        self.trouble.step().await;
        self.trouble.records.keep(snapshot.clone());
        self.inner.keep_snapshot(snapshot).await
    }

    async fn newest_snapshot(&self) -> Result<Option<Snapshot>, BusError> {
        self.trouble.step().await;
        let newest = self.inner.newest_snapshot().await?;
        if let Some(snapshot) = &newest {
            self.trouble.weather.count(Fault::BegunInTheMiddle);
            self.trouble.orders.begin(&snapshot.fleet);
        }
        Ok(newest)
    }

    async fn queue(&self, name: &str) -> Result<Option<QueueState>, BusError> {
        self.trouble.step().await;
        self.inner.queue(name).await
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.inner.health()
    }

    async fn close(&self) {}
}
