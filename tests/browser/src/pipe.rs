//! The protocol on its pipes: JSON, each message ended by a zero byte.

use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

/// How long an answer may take: a machine that compiles at the same time is slow.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Pipe {
    to: ChildStdin,
    from: Receiver<Value>,
    called: u64,
}

impl Pipe {
    pub(crate) fn new(to: ChildStdin, from: ChildStdout) -> Self {
        let (send, receive) = channel();
        // It ends with the browser.
        std::thread::spawn(move || {
            let mut from = BufReader::new(from);
            let mut message = Vec::new();
            while from.read_until(0, &mut message).is_ok_and(|read| read > 0) {
                message.pop();
                let value = serde_json::from_slice(&message).expect("the browser speaks JSON");
                message.clear();
                if send.send(value).is_err() {
                    break;
                }
            }
        });
        Self {
            to,
            from: receive,
            called: 0,
        }
    }

    /// The result of a method, and what happened meanwhile.
    pub(crate) fn call(
        &mut self,
        session: Option<&str>,
        method: &str,
        parameters: Value,
    ) -> (Value, Vec<Value>) {
        self.called += 1;
        let mut message = json!({ "id": self.called, "method": method, "params": parameters });
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.to.write_all(&bytes).expect("the browser lives");
        let mut happened = Vec::new();
        loop {
            let mut told = self
                .from
                .recv_timeout(PATIENCE)
                .unwrap_or_else(|error| panic!("{method}: the browser says nothing: {error}"));
            if told["id"] == self.called {
                assert!(told["error"].is_null(), "{method}: {}", told["error"]);
                return (told["result"].take(), happened);
            }
            happened.push(told);
        }
    }
}
