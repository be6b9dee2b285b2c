//! What there is to be told, of what is known of the loop and of its bus.

use gentoo_updater_bus::{Health, Turn};

/// Something to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message {
    /// It serves.
    Ready,
    /// Its loop turns.
    Alive,
    /// It is not ready, and gets on.
    StillStarts,
    /// It was told to stop.
    Stopping,
    /// What it does, for people.
    Status(String),
}

/// What was told so far.
#[derive(Debug)]
pub(super) struct Told {
    turn: Option<Turn>,
    health: Health,
    status: String,
}

impl Told {
    /// Nothing, of a bus that is like this.
    pub(super) fn new(health: Health) -> Self {
        Self {
            turn: None,
            health,
            status: String::new(),
        }
    }

    /// The loop is asked.
    pub(super) fn asks(&mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        match (&self.turn, &self.health) {
            // It reads the history, however long that is.
            (None, Health::Good) => messages.push(Message::StillStarts),
            // To be started anew would bring no broker back, and nothing of it is the loop's fault.
            (Some(_), Health::Blocked(_) | Health::Disconnected(_)) => {
                messages.push(Message::Alive);
            }
            // Of a start that waits for the broker the manager's own limit holds.
            (None, _) | (Some(_), Health::Good) => {}
        }
        messages.extend(self.news());
        messages
    }

    /// The loop has come round.
    pub(super) fn turned(&mut self, turn: Option<Turn>) -> Vec<Message> {
        let mut messages = Vec::new();
        match (&self.turn, &turn) {
            (None, Some(_)) => messages.extend([Message::Ready, Message::Alive]),
            (Some(last), Some(turn)) if turn.question > last.question => {
                messages.push(Message::Alive);
            }
            _ => {}
        }
        self.turn = turn.or(self.turn);
        messages.extend(self.news());
        messages
    }

    /// The bus has changed.
    pub(super) fn bus(&mut self, health: Health) -> Vec<Message> {
        self.health = health;
        self.news().into_iter().collect()
    }

    /// It was told to stop.
    pub(super) fn stops() -> Vec<Message> {
        let status = "stops: what is begun is brought to its end".to_owned();
        vec![Message::Stopping, Message::Status(status)]
    }

    fn news(&mut self) -> Option<Message> {
        let status = match (&self.health, &self.turn) {
            (Health::Blocked(cause), _) => format!("the broker takes no messages: {cause}"),
            (Health::Disconnected(cause), _) => format!("the broker is not reached: {cause}"),
            (Health::Good, None) => "reads the history".to_owned(),
            (Health::Good, Some(turn)) => turn.doing.to_string(),
        };
        // A line is the end of a message, and the cause is somebody else's text.
        let status = status.replace(char::is_control, " ");
        (status != self.status).then(|| {
            self.status.clone_from(&status);
            Message::Status(status)
        })
    }
}

#[cfg(test)]
mod tests {
    use gentoo_updater_bus::Doing;

    use super::*;

    fn turn(question: u64, doing: Doing) -> Option<Turn> {
        Some(Turn { question, doing })
    }

    fn status(text: &str) -> Message {
        Message::Status(text.to_owned())
    }

    #[test]
    fn who_reads_a_long_history_is_given_time_and_is_ready_when_the_loop_turns() {
        let mut told = Told::new(Health::Good);
        assert_eq!(
            told.asks(),
            [Message::StillStarts, status("reads the history")]
        );
        assert_eq!(told.asks(), [Message::StillStarts]);
        assert_eq!(
            told.turned(turn(0, Doing::Waits)),
            [Message::Ready, Message::Alive, status("waits for work")]
        );
        assert!(told.asks().is_empty());
    }

    #[test]
    fn a_start_that_finds_no_broker_is_given_no_time() {
        let mut told = Told::new(Health::Disconnected("refused\nREADY=1".to_owned()));
        let said = status("the broker is not reached: refused READY=1");
        assert_eq!(told.asks(), [said]);
        assert!(told.asks().is_empty());
    }

    #[test]
    fn a_loop_is_alive_when_it_has_answered_and_not_while_it_is_asked() {
        let mut told = Told::new(Health::Good);
        told.turned(turn(0, Doing::Waits));
        assert!(told.asks().is_empty());
        assert_eq!(told.turned(turn(1, Doing::Waits)), [Message::Alive]);
        assert!(told.asks().is_empty());
        assert!(told.asks().is_empty());
        let doing = Doing::Works { taken: 1, slots: 4 };
        assert_eq!(
            told.turned(turn(1, doing)),
            [status("works: 1 of 4 slots are taken")],
            "the same answer once more is none"
        );
    }

    #[test]
    fn a_loop_that_waits_for_a_broker_is_alive_until_the_broker_is_back() {
        let mut told = Told::new(Health::Good);
        told.turned(turn(0, Doing::Waits));
        assert_eq!(
            told.bus(Health::Blocked("memory".to_owned())),
            [status("the broker takes no messages: memory")]
        );
        assert_eq!(told.asks(), [Message::Alive]);
        assert_eq!(told.bus(Health::Good), [status("waits for work")]);
        assert!(told.asks().is_empty());
        assert_eq!(Told::stops()[0], Message::Stopping);
    }
}
