//! What an operator asks of the queues and dead letters of the journal.

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::deliveries::WaitingWakeup;
use super::letters::{Returned, Settled};
use super::storage::Kept;
use super::{Embedded, EmbeddedReader};
use crate::seam::{BusError, DeadLetter, Health, Inspect, LetterId, QueueState, Retried};
use crate::topology::{DEAD, HISTORY, PLAN, SNAPSHOTS, is_command_queue, is_queue};

fn no_queue(name: &str) -> BusError {
    let name = name.to_owned();
    BusError::NoQueue { name }
}

fn of_embedded(ready: usize) -> QueueState {
    QueueState {
        ready: ready as u64,
        consumers: None,
    }
}

impl Embedded {
    /// Queues are not declared here: there is every one that a fleet may have.
    pub(super) async fn queue_state(&self, name: &str) -> Result<Option<QueueState>, BusError> {
        if name == PLAN {
            return Ok(Some(of_embedded(self.wakeups.count(|_| true))));
        }
        if is_command_queue(name) {
            let ready = self.commands.count(|(queue, _)| queue == name);
            return Ok(Some(of_embedded(ready)));
        }
        kept_state(name, |kept| self.journal.count(kept)).await
    }

    async fn purge_commands(&self, name: &str) -> Result<u64, BusError> {
        // What is lent to a reader is not there to be taken.
        let taken = self.commands.drain(|(queue, _)| queue == name);
        let numbers = taken.iter().map(|(_, number)| *number).collect();
        match self.journal.delete_commands(numbers).await {
            Ok(()) => Ok(taken.len() as u64),
            Err(error) => {
                taken
                    .into_iter()
                    .for_each(|entry| self.commands.push(entry));
                Err(error)
            }
        }
    }

    async fn purge_wakeups(&self) -> Result<u64, BusError> {
        let taken = self.wakeups.drain(|_| true);
        let offsets = taken.iter().filter_map(|waiting| match waiting {
            WaitingWakeup::Event(offset) => Some(*offset),
            WaitingWakeup::Alive(..) => None,
        });
        match self.journal.delete_wakeups(offsets.collect()).await {
            Ok(()) => Ok(taken.len() as u64),
            Err(error) => {
                taken.into_iter().for_each(|entry| self.wakeups.push(entry));
                Err(error)
            }
        }
    }

    fn give_out(&self, settled: Settled) -> Retried {
        for returned in settled.returned {
            match returned {
                Returned::Command(queue, number) => self.commands.push((queue, number)),
                Returned::Wakeup(offset) => self.wakeups.push(WaitingWakeup::Event(offset)),
            }
        }
        Retried {
            returned: settled.done,
            stayed: settled.stayed,
        }
    }
}

#[async_trait]
impl Inspect for Embedded {
    async fn purge(&self, queue: &str) -> Result<u64, BusError> {
        self.check_open()?;
        match queue {
            PLAN => self.purge_wakeups().await,
            DEAD => self.journal.purge_dead().await,
            queue if is_queue(queue) => self.purge_commands(queue).await,
            queue => Err(no_queue(queue)),
        }
    }

    async fn dead_letters(&self, most: usize) -> Result<Vec<DeadLetter>, BusError> {
        self.journal.dead_letters(most).await
    }

    async fn retry_dead(&self, letters: &BTreeSet<LetterId>) -> Result<Retried, BusError> {
        self.check_open()?;
        let settled = self.journal.retry_dead(letters.clone()).await?;
        Ok(self.give_out(settled))
    }

    async fn drop_dead(&self, letters: &BTreeSet<LetterId>) -> Result<Vec<LetterId>, BusError> {
        self.check_open()?;
        Ok(self.journal.drop_dead(letters.clone()).await?.done)
    }

    /// The journal takes messages while it can be read.
    async fn probe(&self) -> Result<Health, BusError> {
        self.check_open()?;
        self.journal.end().await.map(|_| Health::Good)
    }
}

impl EmbeddedReader {
    /// As [`Embedded::queue_state`]. What a worker holds counts, too: only the process that works
    /// with the journal knows it.
    pub(super) async fn queue_state(&self, name: &str) -> Result<Option<QueueState>, BusError> {
        if is_command_queue(name) {
            let lengths = self.journal.queue_lengths().await?;
            return Ok(Some(QueueState {
                ready: lengths.get(name).copied().unwrap_or(0),
                consumers: None,
            }));
        }
        kept_state(name, |kept| self.journal.count(kept)).await
    }
}

#[async_trait]
impl Inspect for EmbeddedReader {
    async fn purge(&self, _: &str) -> Result<u64, BusError> {
        Err(BusError::ReadOnly)
    }

    async fn dead_letters(&self, most: usize) -> Result<Vec<DeadLetter>, BusError> {
        self.journal.dead_letters(most).await
    }

    async fn retry_dead(&self, _: &BTreeSet<LetterId>) -> Result<Retried, BusError> {
        Err(BusError::ReadOnly)
    }

    async fn drop_dead(&self, _: &BTreeSet<LetterId>) -> Result<Vec<LetterId>, BusError> {
        Err(BusError::ReadOnly)
    }

    async fn probe(&self) -> Result<Health, BusError> {
        self.journal.end().await.map(|_| Health::Good)
    }
}

/// What is kept under a name that is no queue of commands.
async fn kept_state<C>(
    name: &str,
    count: impl FnOnce(Kept) -> C,
) -> Result<Option<QueueState>, BusError>
where
    C: Future<Output = Result<u64, BusError>>,
{
    let kept = match name {
        PLAN => Kept::Wakeups,
        DEAD => Kept::Dead,
        HISTORY => Kept::History,
        SNAPSHOTS => Kept::Snapshots,
        _ => return Ok(None),
    };
    Ok(Some(QueueState {
        ready: count(kept).await?,
        consumers: None,
    }))
}
