//! Values as they are kept and sent where they are large: JSON, compressed by DEFLATE with a zlib header
//! (RFC 1950), whose checksum tells of damage.

use std::io::{self, BufWriter, IntoInnerError, Read};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde::Serialize;

/// How large it may be when it is unpacked: what says that it is larger is damaged.
const MOST_BYTES: u64 = 1 << 30;

/// How many bytes of text are packed at once.
const TEXT_AT_ONCE: usize = 64 * 1024;

/// Why something cannot be packed or unpacked.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// It is no packed text, or is damaged.
    #[error("it cannot be unpacked: {0}")]
    Packed(#[from] io::Error),
    /// It is no JSON of this form.
    #[error("it cannot be decoded: {0}")]
    Malformed(#[from] serde_json::Error),
}

/// Packs a value.
///
/// # Errors
/// When it cannot be serialised.
pub(crate) fn pack(value: &impl Serialize) -> Result<Vec<u8>, PackError> {
    // The text is ten times as large, and nobody needs it as a whole.
    let packed = ZlibEncoder::new(Vec::new(), Compression::fast());
    let mut text = BufWriter::with_capacity(TEXT_AT_ONCE, packed);
    serde_json::to_writer(&mut text, value)?;
    let packed = text.into_inner().map_err(IntoInnerError::into_error)?;
    Ok(packed.finish()?)
}

/// The text of a packed value.
///
/// # Errors
/// [`PackError::Packed`].
pub(crate) fn unpack(packed: &[u8]) -> Result<Vec<u8>, PackError> {
    let mut text = Vec::new();
    ZlibDecoder::new(packed)
        .take(MOST_BYTES)
        .read_to_end(&mut text)?;
    Ok(text)
}
