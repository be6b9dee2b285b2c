//! A bus whose process dies at a step: before or after one call of it.
//!
//! Steps are counted in the order in which they are made. Signs of life are none: they come when
//! they like, and nothing hangs on them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use gentoo_updater_bus::{
    Alive, Bus, BusError, CommandDelivery, Commands, Health, History, Position, QueueState, Settle,
    Wakeup, Wakeups,
};
use gentoo_updater_fleet::message::{Command, Envelope, Event};
use gentoo_updater_fleet::snapshot::Snapshot;
use rustix::process::{Signal, getpid, kill_process};
use tokio::sync::watch;

/// Counts the steps of a process.
struct Steps {
    left: AtomicU32,
}

impl Steps {
    /// One more step. The last one does not end.
    async fn step(&self, what: &str) {
        if self.left.fetch_sub(1, Ordering::SeqCst) != 1 {
            return;
        }
        eprintln!("killed {what}");
        if let Err(error) = kill_process(getpid(), Signal::KILL) {
            eprintln!("it could not be killed: {error}");
        }
        // The signal ends the process at any moment now; nothing may happen until then.
        std::future::pending().await
    }
}

/// A bus that ends its process at a step.
pub struct Interrupted {
    bus: Arc<dyn Bus>,
    steps: Arc<Steps>,
}

impl Interrupted {
    /// Wraps a bus; the process dies at this step, counted from 1.
    pub fn wrap(bus: Arc<dyn Bus>, step: u32) -> Arc<dyn Bus> {
        // A counter that has passed its end goes round, and would need 2^32 steps to come back.
        let steps = Arc::new(Steps {
            left: AtomicU32::new(step),
        });
        Arc::new(Self { bus, steps })
    }
}

#[async_trait]
impl Bus for Interrupted {
    async fn publish(&self, event: &Envelope<Event>) -> Result<(), BusError> {
        if event.message.is_alive() {
            return self.bus.publish(event).await;
        }
        let kind = event.message.kind();
        self.steps
            .step(&format!("before it published {kind}"))
            .await;
        self.bus.publish(event).await?;
        self.steps.step(&format!("after it published {kind}")).await;
        Ok(())
    }

    async fn issue(&self, queue: &str, command: &Envelope<Command>) -> Result<(), BusError> {
        let kind = command.message.kind();
        self.steps.step(&format!("before it issued {kind}")).await;
        self.bus.issue(queue, command).await?;
        self.steps.step(&format!("after it issued {kind}")).await;
        Ok(())
    }

    async fn bury(
        &self,
        queue: &str,
        command: &Envelope<Command>,
        cause: String,
    ) -> Result<(), BusError> {
        let kind = command.message.kind();
        self.steps.step(&format!("before it buried {kind}")).await;
        self.bus.bury(queue, command, cause).await?;
        self.steps.step(&format!("after it buried {kind}")).await;
        Ok(())
    }

    async fn commands(&self, queues: &[String]) -> Result<Box<dyn Commands>, BusError> {
        let commands = self.bus.commands(queues).await?;
        let steps = self.steps.clone();
        Ok(Box::new(InterruptedCommands { commands, steps }))
    }

    async fn history(&self, from: Position) -> Result<Box<dyn History>, BusError> {
        self.bus.history(from).await
    }

    async fn end(&self) -> Result<Option<u64>, BusError> {
        self.bus.end().await
    }

    async fn wakeups(&self) -> Result<Box<dyn Wakeups>, BusError> {
        let wakeups = self.bus.wakeups().await?;
        let steps = self.steps.clone();
        Ok(Box::new(InterruptedWakeups { wakeups, steps }))
    }

    async fn alive(&self) -> Result<Box<dyn Alive>, BusError> {
        self.bus.alive().await
    }

    async fn keep_snapshot(&self, snapshot: &Snapshot) -> Result<(), BusError> {
        self.steps.step("before it kept a snapshot").await;
        self.bus.keep_snapshot(snapshot).await?;
        self.steps.step("after it kept a snapshot").await;
        Ok(())
    }

    async fn newest_snapshot(&self) -> Result<Option<Snapshot>, BusError> {
        self.bus.newest_snapshot().await
    }

    async fn queue(&self, name: &str) -> Result<Option<QueueState>, BusError> {
        self.bus.queue(name).await
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.bus.health()
    }

    async fn close(&self) {
        self.bus.close().await;
    }
}

struct InterruptedCommands {
    commands: Box<dyn Commands>,
    steps: Arc<Steps>,
}

#[async_trait]
impl Commands for InterruptedCommands {
    async fn next(&mut self) -> Result<CommandDelivery, BusError> {
        let CommandDelivery {
            queue,
            command,
            settle,
        } = self.commands.next().await?;
        let kind = command.message.kind();
        self.steps.step(&format!("after it took {kind}")).await;
        let settle = Box::new(InterruptedSettle {
            settle,
            kind,
            steps: self.steps.clone(),
        });
        Ok(CommandDelivery {
            queue,
            command,
            settle,
        })
    }

    async fn rest(&mut self) {
        self.commands.rest().await;
    }
}

struct InterruptedWakeups {
    wakeups: Box<dyn Wakeups>,
    steps: Arc<Steps>,
}

#[async_trait]
impl Wakeups for InterruptedWakeups {
    async fn next(&mut self) -> Result<Wakeup, BusError> {
        let Wakeup { event, settle } = self.wakeups.next().await?;
        if event.message.is_alive() {
            return Ok(Wakeup { event, settle });
        }
        let kind = event.message.kind();
        let settle = Box::new(InterruptedWakeup {
            settle,
            kind,
            steps: self.steps.clone(),
        });
        Ok(Wakeup { event, settle })
    }
}

struct InterruptedSettle {
    settle: Box<dyn Settle>,
    kind: &'static str,
    steps: Arc<Steps>,
}

#[async_trait]
impl Settle for InterruptedSettle {
    async fn ack(self: Box<Self>) -> Result<(), BusError> {
        let kind = self.kind;
        self.steps.step(&format!("before it settled {kind}")).await;
        self.settle.ack().await?;
        self.steps.step(&format!("after it settled {kind}")).await;
        Ok(())
    }

    async fn reject(self: Box<Self>, cause: String) -> Result<(), BusError> {
        self.settle.reject(cause).await
    }
}

/// A wake-up is a hint only: one step is enough for its settlement.
struct InterruptedWakeup {
    settle: Box<dyn Settle>,
    kind: &'static str,
    steps: Arc<Steps>,
}

#[async_trait]
impl Settle for InterruptedWakeup {
    async fn ack(self: Box<Self>) -> Result<(), BusError> {
        self.steps
            .step(&format!("before it settled {}", self.kind))
            .await;
        self.settle.ack().await
    }

    async fn reject(self: Box<Self>, cause: String) -> Result<(), BusError> {
        self.settle.reject(cause).await
    }
}
