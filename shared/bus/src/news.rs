//! A value that changes, and those who wait for that.

use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// A value that changes. Whoever waits for it is woken in the order in which the waits began:
/// `tokio::sync::watch` wakes in an order of chance, and no test could repeat what came of it.
#[derive(Debug, Default)]
pub(crate) struct News<T> {
    value: Mutex<T>,
    changed: Notify,
}

impl<T: Copy> News<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            value: Mutex::new(value),
            changed: Notify::new(),
        }
    }

    /// The value as it is now.
    pub(crate) fn get(&self) -> T {
        *self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the value, and wakes all who wait.
    pub(crate) fn change(&self, change: impl FnOnce(&mut T)) {
        change(&mut self.value.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_waiters();
    }

    /// Waits until the value is as wanted. It may be cancelled.
    pub(crate) async fn until(&self, mut wanted: impl FnMut(&T) -> bool) -> T {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            let value = self.get();
            if wanted(&value) {
                return value;
            }
            changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn those_who_wait_are_woken_in_the_order_in_which_they_began() {
        let (news, woken) = (Arc::new(News::new(0)), Arc::new(Mutex::new(Vec::new())));
        let mut waits = Vec::new();
        for number in 0..20 {
            let (news, woken) = (news.clone(), woken.clone());
            waits.push(tokio::spawn(async move {
                news.until(|value| *value > 0).await;
                woken.lock().unwrap().push(number);
            }));
        }
        tokio::task::yield_now().await;
        news.change(|value| *value = 1);
        for wait in waits {
            wait.await.unwrap();
        }
        assert_eq!(*woken.lock().unwrap(), (0..20).collect::<Vec<_>>());
    }
}
