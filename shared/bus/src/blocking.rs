//! Work that blocks: files and SQLite.

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::spawn_blocking;

/// Runs work that waits for the disk on a thread for it, to its end even when nobody waits for it.
/// `None` when the runtime shuts down.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    spawn_blocking(work).await.ok()
}

/// The same for work that waits for no disk, but for what was not read for long. On a runtime of one
/// thread it runs at once, in place: to hand it over and back would take longer than most of it.
pub async fn quick<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    match is_of_one_thread() {
        true => {
            // Whoever calls this in a loop lets the others have their turn.
            tokio::task::consume_budget().await;
            Some(work())
        }
        false => blocking(work).await,
    }
}

/// Whether this runtime has one thread.
fn is_of_one_thread() -> bool {
    Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread
}
