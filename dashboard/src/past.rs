//! Reads the whole history for what came of runs that the state has forgotten.

use std::sync::{Arc, PoisonError};

use gentoo_updater_bus::{Bus, BusError, Position};

use crate::http::Shared;

/// Folds the history from its beginning on, until it ends.
pub(crate) async fn follow(shared: Arc<Shared>, bus: Arc<dyn Bus>) {
    if let Err(error) = fold(&shared, bus.as_ref()).await
        && !matches!(error, BusError::Closed)
    {
        tracing::error!(%error, "the plots of former runs lack what comes from now on");
    }
}

async fn fold(shared: &Shared, bus: &dyn Bus) -> Result<(), BusError> {
    let mut history = bus.history(Position::First).await?;
    loop {
        let item = tokio::select! {
            item = history.next() => item?,
            () = shared.stop.cancelled() => return Ok(()),
        };
        // What cannot be understood is told by the follower of the state.
        if let Ok(event) = &item.event {
            let mut past = shared.past.write().unwrap_or_else(PoisonError::into_inner);
            past.apply(item.offset, event);
        }
        // A long history shall not keep browsers waiting.
        tokio::task::yield_now().await;
    }
}
