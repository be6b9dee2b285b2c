//! The history and the wake-ups as they are read.

use std::sync::Arc;

use async_trait::async_trait;
use gentoo_updater_bus::{Bus, BusError, History, HistoryItem, Wakeup, Wakeups};
use tokio::time::{Instant, sleep_until};

use super::Trouble;
use super::commands::faulty;
use crate::faults::Fault;

pub(super) struct FaultyHistory {
    pub(super) inner: Box<dyn History>,
    pub(super) trouble: Trouble,
    /// Read, and not handed out yet: a call may be cancelled.
    pub(super) late: Option<HistoryItem>,
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

pub(super) struct FaultyWakeups {
    /// Absent while the connection is cut: another planner is active then.
    pub(super) inner: Option<Box<dyn Wakeups>>,
    pub(super) bus: Arc<dyn Bus>,
    pub(super) trouble: Trouble,
    pub(super) away_until: Instant,
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
