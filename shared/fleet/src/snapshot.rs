//! Snapshots: the state as it was at one offset of the history, so that nobody has to read all of
//! the history to know it.
//!
//! The fold from a snapshot on gives the same state as the fold from the beginning. On the wire a
//! snapshot is JSON, compressed by DEFLATE with a zlib header (RFC 1950).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::name::WorkerId;
use crate::packed::{PackError, pack, unpack};
use crate::state::Fleet;

/// The version of the state and of the fold. Whoever changes what an event does to the state, or
/// the form of the state, raises it: an older snapshot is then passed over and the history read.
pub const STATE_VERSION: u32 = 16;

/// The state as it was at one offset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// [`STATE_VERSION`] of the program that took it.
    pub state_version: u32,
    /// When it was taken, by the clock of whoever took it.
    pub at: Timestamp,
    /// Who took it.
    pub sender: WorkerId,
    /// The state; its offset is that of the newest event that is in it.
    pub fleet: Fleet,
}

/// Why a snapshot cannot be used. The history is read instead.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// It cannot be packed, unpacked or decoded.
    #[error("the snapshot cannot be read: {0}")]
    Packed(#[from] PackError),
    /// Another version of this program took it.
    #[error("the snapshot has state version {found}, this program reads {STATE_VERSION}")]
    Version {
        /// The version in it.
        found: u32,
    },
}

#[derive(Deserialize)]
struct VersionOnly {
    state_version: u32,
}

impl Snapshot {
    /// The state as it is now.
    pub fn take(fleet: Fleet, sender: WorkerId, at: Timestamp) -> Self {
        Self {
            state_version: STATE_VERSION,
            at,
            sender,
            fleet,
        }
    }

    /// Packs it.
    ///
    /// # Errors
    /// When the state cannot be serialised, which no state does.
    pub fn encode(&self) -> Result<Vec<u8>, SnapshotError> {
        Ok(pack(self)?)
    }

    /// Unpacks one, its version first.
    ///
    /// # Errors
    /// [`SnapshotError`].
    pub fn decode(packed: &[u8]) -> Result<Self, SnapshotError> {
        let text = unpack(packed)?;
        let VersionOnly { state_version } =
            serde_json::from_slice(&text).map_err(PackError::from)?;
        if state_version != STATE_VERSION {
            return Err(SnapshotError::Version {
                found: state_version,
            });
        }
        let mut read: Self = serde_json::from_slice(&text).map_err(PackError::from)?;
        read.fleet.share();
        Ok(read)
    }
}
