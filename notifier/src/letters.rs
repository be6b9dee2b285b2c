//! How many dead letters there are. A broker's number is a hint: while somebody looks at them, or its queue is
//! busy, it says that there are fewer.

use std::collections::VecDeque;
use std::time::Duration;

use gentoo_updater_bus::{Bus, topology};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

/// How often they are counted.
const EVERY: Duration = Duration::from_secs(10);
/// So many counts one after the other have to be lower until there are fewer.
const COUNTS: usize = 6;

/// The last counts.
#[derive(Debug, Default)]
struct Counts(VecDeque<u64>);

impl Counts {
    /// The number after one more count.
    fn add(&mut self, count: u64) -> u64 {
        self.0.push_back(count);
        if self.0.len() > COUNTS {
            self.0.pop_front();
        }
        self.0.iter().copied().max().unwrap_or_default()
    }
}

/// The number now.
///
/// # Errors
/// When the bus cannot go on.
pub(crate) async fn count(bus: &dyn Bus) -> anyhow::Result<u64> {
    let queue = bus.queue(topology::DEAD).await?;
    Ok(queue.map_or(0, |queue| queue.ready))
}

/// Counts them for as long as it is polled.
pub(crate) async fn watch(bus: &dyn Bus, number: &watch::Sender<u64>) -> anyhow::Result<()> {
    let mut counts = Counts::default();
    counts.add(*number.borrow());
    let mut looks = interval(EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let now = counts.add(count(bus).await?);
        number.send_if_modified(|last| std::mem::replace(last, now) != now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_are_believed_at_once_and_fewer_after_a_minute() {
        let mut counts = Counts::default();
        let numbers = [2, 3, 0, 0, 0, 1, 1, 1, 0, 4].map(|count| counts.add(count));
        assert_eq!(numbers, [2, 3, 3, 3, 3, 3, 3, 1, 1, 4]);
    }
}
