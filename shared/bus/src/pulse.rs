//! Whether a loop still turns: whoever watches over its process asks, and the loop answers when it
//! comes round. Nobody who is not asked does anything for it.

use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

/// What a loop does at the moment, in words for who looks at its process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// It waits for work, which can come.
    Waits,
    /// It works on commands that take so many of its slots.
    Works {
        /// The slots that are taken.
        taken: u16,
        /// All of them.
        slots: u16,
    },
    /// An operator has paused it.
    IsPaused,
    /// Its machine is not fit for work, or not looked at yet.
    IsUnfit,
    /// It does what comes, one after the other.
    Serves,
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waits => f.write_str("waits for work"),
            Self::Works { taken, slots } => write!(f, "works: {taken} of {slots} slots are taken"),
            Self::IsPaused => f.write_str("is paused by an operator"),
            Self::IsUnfit => f.write_str("looks whether its machine is fit for work"),
            Self::Serves => f.write_str("serves"),
        }
    }
}

/// What a loop says when it comes round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// The last question that it has seen; 0 before the first.
    pub question: u64,
    /// What it does.
    pub doing: Doing,
}

/// The questions to one loop, and its answers. A clone is the same.
#[derive(Debug, Clone, Default)]
pub struct Pulse {
    asked: Arc<watch::Sender<u64>>,
    turned: Arc<watch::Sender<Option<Turn>>>,
}

impl Pulse {
    /// Asks the loop to say that it turns.
    pub fn ask(&self) {
        self.asked.send_modify(|question| *question += 1);
    }

    /// The last turn of the loop, as it changes; none before the loop has begun.
    pub fn turns(&self) -> watch::Receiver<Option<Turn>> {
        self.turned.subscribe()
    }

    /// Ends when there is a question that the loop has not answered. It may be cancelled.
    pub async fn asked(&self) {
        let seen = self.turned.borrow().map_or(0, |turn| turn.question);
        // The other end lives as long as this value, so it cannot fail.
        let _ = self.asked.subscribe().wait_for(|last| *last > seen).await;
    }

    /// Called by the loop whenever it comes round.
    pub fn turn(&self, doing: Doing) {
        let question = *self.asked.borrow();
        self.turned.send_if_modified(|last| {
            let turn = Some(Turn { question, doing });
            let is_news = *last != turn;
            *last = turn;
            is_news
        });
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_loop_is_asked_until_it_has_come_round() {
        let pulse = Pulse::default();
        let mut turns = pulse.turns();
        assert_eq!(*turns.borrow_and_update(), None);
        assert_eq!(pulse.asked().now_or_never(), None, "nobody has asked");

        pulse.ask();
        pulse.asked().await;
        pulse.asked().await;
        pulse.turn(Doing::Waits);
        assert_eq!(pulse.asked().now_or_never(), None, "it has answered");
        assert!(turns.has_changed().unwrap());
        let turn = turns.borrow_and_update().unwrap();
        assert_eq!((turn.question, turn.doing), (1, Doing::Waits));

        pulse.turn(Doing::Waits);
        assert!(!turns.has_changed().unwrap(), "nothing is new");
        pulse.turn(Doing::IsPaused);
        assert!(turns.has_changed().unwrap());
    }
}
