//! A dead letter as it is shown: what can be made out of its body, whatever is wrong with it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use gentoo_updater_bus::DeadLetter;
use gentoo_updater_fleet::inspect::{KnownJobs, TaskView};
use gentoo_updater_fleet::message::{Command, Envelope, Event};
use gentoo_updater_fleet::name::RunId;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

/// A dead letter as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct LetterView {
    /// Names it.
    pub(super) id: String,
    /// When it came here.
    pub(super) at: Timestamp,
    /// The queue that it was in.
    pub(super) queue: String,
    /// The type of the message, where it names one.
    pub(super) kind: Option<String>,
    /// Why it is here.
    pub(super) cause: String,
    /// The run, where it can be made out.
    pub(super) run: Option<RunId>,
    /// What it orders, where it is a command that can be understood.
    pub(super) task: Option<String>,
    /// Which attempt it orders, where that can be made out.
    pub(super) attempt: Option<u32>,
    /// How often it had been delivered, where that is known.
    pub(super) deliveries: Option<u64>,
    /// Who says in the message that it is from them.
    pub(super) sender: Option<String>,
    /// Who had sent it, as the broker knows the sender.
    pub(super) user: Option<String>,
    /// Who put it here, and says all this of it; absent where the bus itself did.
    pub(super) buried_by: Option<String>,
    /// The size of the body in bytes.
    pub(super) bytes: usize,
}

/// A dead letter with its body.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct WholeLetter {
    /// All but the body.
    #[serde(flatten)]
    pub(super) letter: LetterView,
    /// Why this program cannot use the message either; absent where it can.
    pub(super) problem: Option<String>,
    /// The body, where it is JSON.
    pub(super) message: Option<Value>,
    /// The body as it was, in Base64.
    pub(super) body: String,
}

/// What a body says.
enum Content {
    Command(Envelope<Command>),
    Event(Envelope<Event>),
    /// Why it is neither.
    Neither(String),
}

fn content(body: &[u8]) -> Content {
    match Envelope::<Command>::decode(body) {
        Ok(command) => Content::Command(command),
        Err(as_command) => match Envelope::<Event>::decode(body) {
            Ok(event) => Content::Event(event),
            // Of the two the one is told that speaks of the content and not of the type.
            Err(as_event) if as_command.to_string().contains("unknown variant") => {
                Content::Neither(as_event.to_string())
            }
            Err(_) => Content::Neither(as_command.to_string()),
        },
    }
}

impl LetterView {
    /// What can be made out of a dead letter.
    pub(super) fn of(letter: &DeadLetter) -> Self {
        let value: Option<Value> = serde_json::from_slice(&letter.body).ok();
        let text = |pointer: &str| {
            let found = value.as_ref()?.pointer(pointer)?;
            found.as_str().map(str::to_owned)
        };
        let (run, attempt, task) = match content(&letter.body) {
            Content::Command(command) => {
                let work = command.message.work();
                // A build carries its job along, so its package is known without the history.
                let words = in_words(&command.message);
                (Some(work.run), Some(work.attempt), Some(words))
            }
            Content::Event(event) => (event.message.run(), None, None),
            Content::Neither(_) => (None, None, None),
        };
        let number = |pointer: &str| value.as_ref()?.pointer(pointer)?.as_u64();
        let told_attempt = number("/body/attempt").and_then(|told| u32::try_from(told).ok());
        let told_run = text("/body/run").and_then(|told| told.parse().ok());
        Self {
            id: letter.id.to_string(),
            at: letter.at,
            queue: letter.queue.clone(),
            kind: text("/type"),
            cause: letter.cause.clone(),
            run: run.or(told_run),
            task,
            attempt: attempt.or(told_attempt),
            deliveries: letter.deliveries,
            sender: text("/sender"),
            user: letter.user.clone(),
            buried_by: letter.buried_by.clone(),
            bytes: letter.body.len(),
        }
    }
}

impl WholeLetter {
    /// All that can be made out of a dead letter.
    pub(super) fn of(letter: &DeadLetter) -> Self {
        let problem = match content(&letter.body) {
            Content::Command(_) | Content::Event(_) => None,
            Content::Neither(problem) => Some(problem),
        };
        Self {
            letter: LetterView::of(letter),
            problem,
            message: serde_json::from_slice(&letter.body).ok(),
            body: BASE64_STANDARD.encode(&letter.body),
        }
    }
}

fn in_words(command: &Command) -> String {
    match command {
        Command::BuildPackage(build) => format!("build {}", build.job.key.cpv),
        command => TaskView::of(&command.work(), &KnownJobs::default()).to_string(),
    }
}
