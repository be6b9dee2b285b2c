//! A bus that doubles, delays, loses and reorders, as a broker and its connections do.
//!
//! It keeps the promises of the seam: a publish that returned is safe, and what was not settled
//! comes again. Everything else goes wrong here.

use std::sync::Arc;

use async_trait::async_trait;
use gentoo_updater_bus::{
    Alive, Bus, BusError, CommandDelivery, Commands, Health, History, HistoryItem, Position,
    QueueState, Settle, Wakeup, Wakeups,
};
use gentoo_updater_fleet::message::{Command, Envelope, Event};
use gentoo_updater_fleet::snapshot::Snapshot;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

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
}

impl Trouble {
    /// A step at which the process may die, when the broker is there.
    pub async fn step(&self) {
        self.life.switch.step().await;
        self.weather.broker().await;
    }

    fn strikes(&self, fault: Fault) -> bool {
        let rates = &self.weather.rates;
        let chance = match fault {
            Fault::Doubled => rates.doubled,
            Fault::SentLate => rates.late,
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
        self.inner.publish(event).await?;
        if let Event::WorkerAlive(alive) = &event.message {
            self.trouble.records.sign(alive);
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
        self.inner.issue(queue, command).await?;
        self.trouble.records.issue(command.message.work());
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

struct FaultyCommands {
    inner: Box<dyn Commands>,
    trouble: Trouble,
}

#[async_trait]
impl Commands for FaultyCommands {
    async fn next(&mut self) -> Result<CommandDelivery, BusError> {
        loop {
            let delivery = self.inner.next().await?;
            self.trouble.step().await;
            if self.trouble.strikes(Fault::LostDelivery) {
                // It goes back to its queue, and somebody takes it again.
                drop(delivery);
                self.trouble.pause().await;
                continue;
            }
            self.trouble.obeys(&delivery.queue, &delivery.command);
            let CommandDelivery {
                queue,
                command,
                settle,
            } = delivery;
            let settle = faulty(settle, &self.trouble);
            return Ok(CommandDelivery {
                queue,
                command,
                settle,
            });
        }
    }

    async fn rest(&mut self) {
        self.inner.rest().await;
    }
}

struct FaultySettle {
    inner: Box<dyn Settle>,
    trouble: Trouble,
}

fn faulty(inner: Box<dyn Settle>, trouble: &Trouble) -> Box<dyn Settle> {
    let trouble = trouble.clone();
    Box::new(FaultySettle { inner, trouble })
}

#[async_trait]
impl Settle for FaultySettle {
    async fn ack(self: Box<Self>) -> Result<(), BusError> {
        self.trouble.step().await;
        if self.trouble.strikes(Fault::LostAck) {
            // The connection is gone: the message comes again.
            return Ok(());
        }
        self.inner.ack().await?;
        self.trouble.step().await;
        Ok(())
    }

    async fn reject(self: Box<Self>, cause: String) -> Result<(), BusError> {
        self.trouble.step().await;
        self.inner.reject(cause).await?;
        self.trouble.step().await;
        Ok(())
    }
}

struct FaultyHistory {
    inner: Box<dyn History>,
    trouble: Trouble,
    /// Read, and not handed out yet: a call may be cancelled.
    late: Option<HistoryItem>,
}

#[async_trait]
impl History for FaultyHistory {
    async fn next(&mut self) -> Result<HistoryItem, BusError> {
        if self.late.is_none() {
            self.late = Some(self.inner.next().await?);
        }
        self.trouble.step().await;
        self.trouble.perhaps(Fault::Delayed).await;
        let item = self.late.take().ok_or(BusError::Closed)?;
        if let Ok(event) = &item.event {
            self.trouble.orders.hear(&event.message);
        }
        Ok(item)
    }
}

struct FaultyWakeups {
    /// Absent while the connection is cut: another planner is active then.
    inner: Option<Box<dyn Wakeups>>,
    bus: Arc<dyn Bus>,
    trouble: Trouble,
    away_until: Instant,
}

impl FaultyWakeups {
    /// The connection is gone, and is opened again after a while.
    fn cut(&mut self) {
        self.inner = None;
        self.away_until = Instant::now() + self.trouble.life.dice.millis(2_000, 6_000);
    }
}

#[async_trait]
impl Wakeups for FaultyWakeups {
    async fn next(&mut self) -> Result<Wakeup, BusError> {
        loop {
            let inner = match &mut self.inner {
                Some(inner) => inner,
                none => {
                    sleep_until(self.away_until).await;
                    none.insert(self.bus.wakeups().await?)
                }
            };
            let Wakeup { event, settle } = inner.next().await?;
            self.trouble.step().await;
            if self.trouble.strikes(Fault::LostDelivery) {
                drop(settle);
                self.cut();
                continue;
            }
            if self.trouble.strikes(Fault::CutOff) {
                // This one still works on what it got, and another is active already.
                self.cut();
            }
            let settle = faulty(settle, &self.trouble);
            return Ok(Wakeup { event, settle });
        }
    }
}
