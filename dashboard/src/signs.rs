//! Who gives signs of life.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use gentoo_updater_bus::{Bus, BusError};
use gentoo_updater_fleet::inspect::Signs;
use tokio::time::{Instant, interval, sleep};

use crate::http::Shared;

/// After how many heartbeats without a sign a worker counts as silent, at least.
const MISSED: u32 = 3;
/// The pause before signs are listened to again, when that broke off.
const PAUSE: Duration = Duration::from_secs(5);
/// How often it is looked whether the process is there in which all workers run.
const LOOK: Duration = Duration::from_secs(2);

/// Keeps up who lives.
pub(crate) async fn listen(shared: Arc<Shared>, bus: Arc<dyn Bus>) {
    if shared.settings.broker.is_none() {
        let mut looks = interval(LOOK);
        loop {
            looks.tick().await;
            if let Some(alive) = shared.operations.process(&shared.view).await {
                set(&shared, Signs::Process(alive));
            }
        }
    }
    loop {
        if let Err(error) = hear(&shared, bus.as_ref()).await {
            if matches!(error, BusError::Closed) {
                return;
            }
            tracing::warn!(%error, "signs of life are not heard for a while");
        }
        sleep(PAUSE).await;
    }
}

/// What was heard in this while and in the one before counts.
async fn hear(shared: &Shared, bus: &dyn Bus) -> Result<(), BusError> {
    let mut alive = bus.alive().await?;
    let lasts = shared.settings.policy.heartbeat * MISSED;
    let (mut before, mut now) = (Signs::nobody_heard(), Signs::nobody_heard());
    let mut ends = Instant::now() + lasts;
    loop {
        let event = alive.next().await?;
        if Instant::now() >= ends {
            before = std::mem::replace(&mut now, Signs::nobody_heard());
            ends = Instant::now() + lasts;
        }
        before.hear(&event);
        now.hear(&event);
        set(shared, before.clone());
    }
}

fn set(shared: &Shared, signs: Signs) {
    *shared.signs.write().unwrap_or_else(PoisonError::into_inner) = signs;
}
