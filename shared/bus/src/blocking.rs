//! Work that blocks: files and SQLite.

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::spawn_blocking;

/// Runs work that blocks on a thread for it, to its end even when nobody waits for it. `None` when
/// the runtime shuts down.
///
/// On a runtime of one thread it runs at once, in place: a thread of its own would only make the
/// order of things a matter of luck there, and tests rely on that order.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::CurrentThread => {
            // Whoever calls this in a loop lets the others have their turn.
            tokio::task::consume_budget().await;
            Some(work())
        }
        _ => spawn_blocking(work).await.ok(),
    }
}
