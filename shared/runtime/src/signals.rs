//! SIGTERM and SIGINT end a worker in good order.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Cancels the token at the first SIGTERM or SIGINT, and ends the process at the second: work goes
/// on detached on its machines and is attached to at the next start, so nothing is lost.
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
            _ = terminate.recv() => tracing::info!("SIGTERM: what is begun is brought to its end"),
            _ = interrupt.recv() => tracing::info!("SIGINT: what is begun is brought to its end"),
        }
        stop.cancel();
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::warn!("a second signal: work that goes on is left to the next start");
        std::process::exit(i32::from(crate::EXIT_COULD_NOT_RUN));
    });
}
