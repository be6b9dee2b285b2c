//! Opening a consumer, whatever becomes of the one who waits for it.
//!
//! A wait may be cancelled at any time. Were the opening cancelled with it, the broker could have
//! begun to deliver to a consumer of which nobody here knows, and the message would stay there.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::fault::Fault;

/// An opening that goes on where it stopped when its wait was cancelled.
pub(super) struct Opening<T: Send + 'static> {
    begun: Option<BoxFuture<'static, Result<T, Fault>>>,
}

impl<T: Send + 'static> Default for Opening<T> {
    fn default() -> Self {
        Self { begun: None }
    }
}

impl<T: Send + 'static> Opening<T> {
    /// Goes on with what was begun, or begins anew, and ends with it. It may be cancelled and
    /// called again.
    pub(super) async fn finish<F>(&mut self, begin: impl FnOnce() -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Fault>> + Send + 'static,
    {
        let opened = self.begun.get_or_insert_with(|| begin().boxed()).await;
        self.begun = None;
        opened
    }
}

impl<T: Send + 'static> Drop for Opening<T> {
    /// What was begun is finished before it is dropped, and thereby closed.
    fn drop(&mut self) {
        if let (Some(begun), Ok(runtime)) =
            (self.begun.take(), tokio::runtime::Handle::try_current())
        {
            runtime.spawn(async move { drop(begun.await) });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Notify;

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
}
