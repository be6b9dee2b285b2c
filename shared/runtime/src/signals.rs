//! SIGTERM and SIGINT end a worker in good order.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Cancels the token at the first SIGTERM or SIGINT.
pub fn stop_on_signals(stop: CancellationToken) {
    tokio::spawn(async move {
        let (Ok(mut terminate), Ok(mut interrupt)) = (
            signal(SignalKind::terminate()),
            signal(SignalKind::interrupt()),
        ) else {
            tracing::error!("signals cannot be watched; stop this process with SIGKILL only");
            return;
        };
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: no new work is taken"),
            _ = interrupt.recv() => tracing::info!("SIGINT: no new work is taken"),
        }
        stop.cancel();
    });
}
