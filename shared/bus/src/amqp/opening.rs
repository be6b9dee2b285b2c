//! Opening a consumer, whatever becomes of the one who waits for it.
//!
//! A wait may be cancelled at any time. Were the opening cancelled with it, the broker could have
//! begun to deliver to a consumer of which nobody here knows, and the message would stay there.
//! Were it only left where it stopped, it could hold the lock of its connection, and everybody who
//! needs that one would wait until this wait goes on. So it goes on by itself.

use std::panic::resume_unwind;

use tokio::task::JoinHandle;

use super::fault::Fault;
use crate::seam::BusError;

/// An opening that goes on when its wait is cancelled, and also when nobody waits any more: what it
/// opened is then dropped, and thereby closed.
pub(super) struct Opening<T> {
    begun: Option<JoinHandle<Result<T, Fault>>>,
}

impl<T> Default for Opening<T> {
    fn default() -> Self {
        Self { begun: None }
    }
}

impl<T: Send + 'static> Opening<T> {
    /// Waits for what was begun, or begins anew, and ends with it. It may be cancelled and called
    /// again.
    pub(super) async fn finish<F>(&mut self, begin: impl FnOnce() -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Fault>> + Send + 'static,
    {
        let begun = self.begun.get_or_insert_with(|| tokio::spawn(begin()));
        let opened = begun.await;
        self.begun = None;
        opened.unwrap_or_else(|ended| match ended.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // The runtime ends, and all connections with it.
            Err(_) => Err(Fault::Fatal(BusError::Closed)),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::FutureExt;
    use tokio::sync::{Mutex, Notify};
    use tokio::task::yield_now;

    use super::*;

    #[tokio::test]
    async fn an_opening_whose_wait_is_cancelled_goes_on_and_is_not_begun_again() {
        let (begun, open) = (Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
        let mut opening = Opening::default();
        let begin = || {
            let (begun, open) = (begun.clone(), open.clone());
            async move {
                begun.fetch_add(1, Ordering::SeqCst);
                open.notified().await;
                Ok(7)
            }
        };
        assert!(opening.finish(begin).now_or_never().is_none());
        yield_now().await;
        assert!(opening.finish(begin).now_or_never().is_none());
        open.notify_one();
        assert_eq!(opening.finish(begin).await.ok(), Some(7));
        assert_eq!(begun.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn an_opening_that_nobody_waits_for_any_more_is_finished() {
        let (open, finished) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let mut opening = Opening::default();
        let (waits, tells) = (open.clone(), finished.clone());
        let begin = || async move {
            waits.notified().await;
            tells.notify_one();
            Ok(7)
        };
        assert!(opening.finish(begin).now_or_never().is_none());
        drop(opening);
        open.notify_one();
        finished.notified().await;
    }

    #[tokio::test]
    async fn an_opening_whose_wait_is_cancelled_leaves_no_lock_to_those_who_wait_for_another() {
        let (connection, open) = (Arc::new(Mutex::new(())), Arc::new(Notify::new()));
        let mut opening = Opening::default();
        let begin = || {
            let (connection, open) = (connection.clone(), open.clone());
            async move {
                let _held = connection.lock().await;
                open.notified().await;
                Ok(7)
            }
        };
        assert!(opening.finish(begin).now_or_never().is_none());
        while connection.try_lock().is_ok() {
            yield_now().await;
        }
        open.notify_one();
        // Meanwhile nobody asks how the opening is.
        drop(connection.lock().await);
        assert_eq!(opening.finish(begin).await.ok(), Some(7));
    }
}
