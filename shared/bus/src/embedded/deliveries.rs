//! Commands, wake-ups and signs of life as readers get them.

use std::sync::Arc;

use async_trait::async_trait;
use gentoo_updater_fleet::message::{Envelope, Event};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Mutex, OwnedMutexGuard, broadcast};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::ready::{Lent, Ready};
use super::storage::Storage;
use crate::meters::{COMMAND, DELIVERED, WAKEUP};
use crate::seam::{Alive, BusError, CommandDelivery, Commands, Settle, Wakeup, Wakeups};

/// What waits for the planner.
#[derive(Clone)]
pub(super) enum WaitingWakeup {
    /// The offset of an event.
    Event(i64),
    /// A sign of life, and when it expires.
    Alive(Arc<Envelope<Event>>, Instant),
}

impl WaitingWakeup {
    /// Whether it has not expired.
    pub(super) fn is_kept(&self, now: Instant) -> bool {
        match self {
            Self::Event(_) => true,
            Self::Alive(_, expires) => now < *expires,
        }
    }
}

pub(super) struct JournalCommands {
    pub(super) journal: Storage,
    pub(super) ready: Arc<Ready<(String, i64)>>,
    pub(super) queues: Vec<String>,
    pub(super) closed: CancellationToken,
}

#[async_trait]
impl Commands for JournalCommands {
    async fn next(&mut self) -> Result<CommandDelivery, BusError> {
        loop {
            let lent = tokio::select! {
                biased;
                lent = self.ready.take(|(queue, _)| self.queues.contains(queue)) => lent,
                () = self.closed.cancelled() => return Err(BusError::Closed),
            };
            let Some((queue, number)) = lent.entry().cloned() else {
                continue;
            };
            let Some(command) = self.journal.command(number).await? else {
                // It was settled by a call that nobody waited for.
                lent.settle();
                continue;
            };
            DELIVERED.count(COMMAND);
            match command {
                Ok(command) => {
                    let settle = CommandSettle {
                        journal: self.journal.clone(),
                        lent,
                        number,
                    };
                    return Ok(CommandDelivery {
                        queue,
                        command,
                        settle: Box::new(settle),
                    });
                }
                Err(error) => {
                    tracing::warn!(queue, %error, "a command becomes a dead letter");
                    self.journal.bury_command(number, error.to_string()).await?;
                    lent.settle();
                }
            }
        }
    }

    /// Nothing is on its way to anybody: a command is taken when it is asked for.
    async fn rest(&mut self) {}
}

struct CommandSettle {
    journal: Storage,
    lent: Lent<(String, i64)>,
    number: i64,
}

#[async_trait]
impl Settle for CommandSettle {
    async fn ack(self: Box<Self>) -> Result<(), BusError> {
        self.journal.delete_commands(vec![self.number]).await?;
        self.lent.settle();
        Ok(())
    }

    async fn reject(self: Box<Self>, cause: String) -> Result<(), BusError> {
        self.journal.bury_command(self.number, cause).await?;
        self.lent.settle();
        Ok(())
    }
}

pub(super) struct JournalWakeups {
    pub(super) journal: Storage,
    pub(super) ready: Arc<Ready<WaitingWakeup>>,
    pub(super) single: Arc<Mutex<()>>,
    /// Held from the first call of `next` until this reader is dropped.
    pub(super) active: Option<OwnedMutexGuard<()>>,
    pub(super) closed: CancellationToken,
}

impl JournalWakeups {
    async fn take(&mut self) -> Lent<WaitingWakeup> {
        if self.active.is_none() {
            self.active = Some(self.single.clone().lock_owned().await);
        }
        self.ready.take(|_| true).await
    }
}

#[async_trait]
impl Wakeups for JournalWakeups {
    async fn next(&mut self) -> Result<Wakeup, BusError> {
        let closed = self.closed.clone();
        loop {
            let lent = tokio::select! {
                biased;
                lent = self.take() => lent,
                () = closed.cancelled() => return Err(BusError::Closed),
            };
            let journal = self.journal.clone();
            match lent.entry().cloned() {
                Some(WaitingWakeup::Alive(event, expires)) if Instant::now() < expires => {
                    DELIVERED.count(WAKEUP);
                    let event = event.as_ref().clone();
                    let settle = WakeupSettle {
                        journal,
                        lent,
                        offset: None,
                    };
                    return Ok(Wakeup {
                        event,
                        settle: Box::new(settle),
                    });
                }
                Some(WaitingWakeup::Event(offset)) => {
                    let Some(event) = journal.event(offset).await? else {
                        // The history has been trimmed since.
                        lent.settle();
                        continue;
                    };
                    DELIVERED.count(WAKEUP);
                    match event {
                        Ok(event) => {
                            let settle = WakeupSettle {
                                journal,
                                lent,
                                offset: Some(offset),
                            };
                            return Ok(Wakeup {
                                event,
                                settle: Box::new(settle),
                            });
                        }
                        Err(error) => {
                            tracing::warn!(offset, %error, "an event becomes a dead letter");
                            journal.bury_wakeup(offset, error.to_string()).await?;
                            lent.settle();
                        }
                    }
                }
                Some(WaitingWakeup::Alive(..)) | None => lent.settle(),
            }
        }
    }
}

struct WakeupSettle {
    journal: Storage,
    lent: Lent<WaitingWakeup>,
    /// Absent for a sign of life, which is nowhere on the disk.
    offset: Option<i64>,
}

#[async_trait]
impl Settle for WakeupSettle {
    async fn ack(self: Box<Self>) -> Result<(), BusError> {
        if let Some(offset) = self.offset {
            self.journal.delete_wakeups(vec![offset]).await?;
        }
        self.lent.settle();
        Ok(())
    }

    async fn reject(self: Box<Self>, cause: String) -> Result<(), BusError> {
        if let Some(offset) = self.offset {
            self.journal.bury_wakeup(offset, cause).await?;
        }
        self.lent.settle();
        Ok(())
    }
}

pub(super) struct JournalAlive {
    pub(super) events: broadcast::Receiver<Arc<Envelope<Event>>>,
    pub(super) closed: CancellationToken,
}

#[async_trait]
impl Alive for JournalAlive {
    async fn next(&mut self) -> Result<Envelope<Event>, BusError> {
        loop {
            let received = tokio::select! {
                biased;
                received = self.events.recv() => received,
                () = self.closed.cancelled() => return Err(BusError::Closed),
            };
            match received {
                Ok(event) => return Ok(event.as_ref().clone()),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return Err(BusError::Closed),
            }
        }
    }
}
