//! Commands on their way to a worker, and their settlement.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use gentoo_updater_bus::worker::MemoryDirectory;
use gentoo_updater_bus::{BusError, CommandDelivery, Commands, Settle};
use gentoo_updater_fleet::message::{Command, WorkKey};

use super::Trouble;
use crate::faults::Fault;
use crate::records::Records;

pub(super) struct FaultyCommands {
    pub(super) inner: Box<dyn Commands>,
    pub(super) trouble: Trouble,
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
            let inner = faulty(settle, &self.trouble);
            let held = Held::new(&self.trouble, &command.message);
            let settle = Box::new(ClaimedSettle { inner, held });
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

pub(super) fn faulty(inner: Box<dyn Settle>, trouble: &Trouble) -> Box<dyn Settle> {
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

/// A copy of a command in the hands of a worker.
struct Held {
    records: Arc<Records>,
    disk: MemoryDirectory,
    command: Command,
    /// All copies in the hands of this life of it.
    copies: Arc<Mutex<Vec<WorkKey>>>,
    work: WorkKey,
}

impl Held {
    fn new(trouble: &Trouble, command: &Command) -> Self {
        let work = command.work();
        let copies = trouble.held.clone();
        lock(&copies).push(work.clone());
        Self {
            records: trouble.records.clone(),
            disk: trouble.disk.clone(),
            command: command.clone(),
            copies,
            work,
        }
    }

    fn is_on_disk(&self) -> bool {
        let id = self.command.id().expect("a command is JSON");
        self.disk.names().contains(&format!("claims/{id}.json"))
    }

    /// A command may go when it is claimed by somebody, or will be from this worker's disk, or is
    /// not wanted any more, or when this was a second copy of it.
    fn may_go(&self) -> bool {
        let copies = lock(&self.copies);
        let of_it = copies.iter().filter(|work| **work == self.work).count();
        of_it > 1 || self.records.is_taken_care_of(&self.work) || self.is_on_disk()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut copies = lock(&self.copies);
        if let Some(index) = copies.iter().position(|work| *work == self.work) {
            copies.swap_remove(index);
        }
    }
}

fn lock(copies: &Mutex<Vec<WorkKey>>) -> MutexGuard<'_, Vec<WorkKey>> {
    copies.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sees to it that no command is settled that nobody has claimed.
struct ClaimedSettle {
    inner: Box<dyn Settle>,
    held: Held,
}

#[async_trait]
impl Settle for ClaimedSettle {
    async fn ack(self: Box<Self>) -> Result<(), BusError> {
        let Self { inner, held } = *self;
        if !held.may_go() {
            let WorkKey { task, attempt, .. } = &held.work;
            let words = format!("{task} (attempt {attempt}) is settled before it is claimed");
            held.records.violate(words);
        }
        inner.ack().await
    }

    async fn reject(self: Box<Self>, cause: String) -> Result<(), BusError> {
        self.inner.reject(cause).await
    }
}
