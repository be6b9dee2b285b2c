//! What every message carries around its content.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::name::{EventId, WorkerId};

/// The version of the wire format that this program writes and reads.
pub const WIRE_VERSION: u32 = 1;

/// A message with its id, its time and its sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Envelope<T> {
    /// The version of the wire format.
    pub v: u32,
    /// Names this message; a message that is published again keeps its id.
    pub id: EventId,
    /// When the sender made it, by the sender's clock. For people; nothing is decided by it.
    pub at: Timestamp,
    /// Who says it.
    pub sender: WorkerId,
    /// What is said.
    #[serde(flatten)]
    pub message: T,
}

/// Why a message cannot be understood. Such a message becomes a dead letter.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// It is no JSON, has a type that is not known, or a field that its type refuses.
    #[error("the message cannot be decoded: {0}")]
    Malformed(#[from] serde_json::Error),
    /// It was written by another version of this program.
    #[error("the message has version {found}, this program reads version {WIRE_VERSION}")]
    Version {
        /// The version in the message.
        found: u32,
    },
}

#[derive(Deserialize)]
struct VersionOnly {
    v: u32,
}

/// An envelope without what is in it.
#[derive(Deserialize)]
struct Outside {
    v: u32,
    id: EventId,
    at: Timestamp,
    sender: WorkerId,
}

impl<T: Serialize + DeserializeOwned> Envelope<T> {
    /// Wraps a new message.
    pub fn new(sender: WorkerId, at: Timestamp, message: T) -> Self {
        Self {
            v: WIRE_VERSION,
            id: EventId::generate(),
            at,
            sender,
            message,
        }
    }

    /// The message as JSON.
    ///
    /// # Errors
    /// When the content cannot be serialised, which no message of this crate does.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// Reads a message.
    ///
    /// What is around its content and the content are read one after the other: as one, serde would keep all
    /// of the content in a form of its own before it makes a message of it, and that of a large batch is
    /// several times its text.
    ///
    /// # Errors
    /// [`DecodeError`], with the position in the text for what is malformed. Of another version nothing but
    /// that is said: it may have other fields.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let outside = serde_json::from_slice::<Outside>(body);
        let v = match &outside {
            Ok(outside) => outside.v,
            Err(_) => serde_json::from_slice::<VersionOnly>(body)?.v,
        };
        if v != WIRE_VERSION {
            return Err(DecodeError::Version { found: v });
        }
        let Outside { id, at, sender, .. } = outside?;
        Ok(Self {
            v,
            id,
            at,
            sender,
            message: serde_json::from_slice(body)?,
        })
    }
}
