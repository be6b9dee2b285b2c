//! Snapshots: the state as it was at one offset of the history, so that nobody has to read all of
//! the history to know it.
//!
//! The fold from a snapshot on gives the same state as the fold from the beginning. On the wire a
//! snapshot is JSON, compressed by DEFLATE with a zlib header (RFC 1950).

use std::io::{self, BufWriter, IntoInnerError, Read};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::name::WorkerId;
use crate::state::Fleet;

/// The version of the state and of the fold. Whoever changes what an event does to the state, or
/// the form of the state, raises it: an older snapshot is then passed over and the history read.
pub const STATE_VERSION: u32 = 16;

/// How large a snapshot may be when it is unpacked: what says that it is larger is damaged.
const MOST_BYTES: u64 = 1 << 30;

/// How many bytes of text are packed at once.
const TEXT_AT_ONCE: usize = 64 * 1024;

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
    /// It cannot be unpacked or packed.
    #[error("the snapshot cannot be unpacked: {0}")]
    Packed(#[from] io::Error),
    /// It is no JSON of this form.
    #[error("the snapshot cannot be decoded: {0}")]
    Malformed(#[from] serde_json::Error),
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
        // Ten times as large as text, which nobody needs as a whole.
        let packed = ZlibEncoder::new(Vec::new(), Compression::fast());
        let mut text = BufWriter::with_capacity(TEXT_AT_ONCE, packed);
        serde_json::to_writer(&mut text, self)?;
        let packed = text.into_inner().map_err(IntoInnerError::into_error)?;
        Ok(packed.finish()?)
    }

    /// Unpacks one, its version first.
    ///
    /// # Errors
    /// [`SnapshotError`].
    pub fn decode(packed: &[u8]) -> Result<Self, SnapshotError> {
        let mut text = Vec::new();
        ZlibDecoder::new(packed)
            .take(MOST_BYTES)
            .read_to_end(&mut text)?;
        let VersionOnly { state_version } = serde_json::from_slice(&text)?;
        if state_version != STATE_VERSION {
            return Err(SnapshotError::Version {
                found: state_version,
            });
        }
        Ok(serde_json::from_slice(&text)?)
    }
}
