//! What stands in for the inspection of a bus that has none yet.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use gentoo_updater_bus::{Bus, BusError, DeadLetter, Health, Inspect, LetterId};

/// Knows the health of its bus, and refuses everything else.
pub(super) struct Unwired(pub(super) Arc<dyn Bus>);

#[async_trait]
impl Inspect for Unwired {
    async fn purge(&self, _: &str) -> Result<u64, BusError> {
        Err(BusError::ReadOnly)
    }

    async fn dead_letters(&self, _: usize) -> Result<Vec<DeadLetter>, BusError> {
        Err(BusError::ReadOnly)
    }

    async fn retry_dead(&self, _: &BTreeSet<LetterId>) -> Result<Vec<LetterId>, BusError> {
        Err(BusError::ReadOnly)
    }

    async fn drop_dead(&self, _: &BTreeSet<LetterId>) -> Result<Vec<LetterId>, BusError> {
        Err(BusError::ReadOnly)
    }

    async fn probe(&self) -> Result<Health, BusError> {
        Ok(self.0.health().borrow().clone())
    }
}
