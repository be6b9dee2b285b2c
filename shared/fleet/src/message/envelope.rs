//! What every message carries around its content.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::name::{EventId, WorkerId};

/// The version of the wire format that this program writes and reads.
pub const WIRE_VERSION: u32 = 1;

/// A message with its id, its time and its sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

    /// Reads a message, its version first.
    ///
    /// # Errors
    /// [`DecodeError`], with the position in the text for what is malformed.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let VersionOnly { v } = serde_json::from_slice(body)?;
        if v != WIRE_VERSION {
            return Err(DecodeError::Version { found: v });
        }
        Ok(serde_json::from_slice(body)?)
    }
}
