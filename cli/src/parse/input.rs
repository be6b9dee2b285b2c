//! Where the text comes from.

use std::io::{self, ErrorKind, Read as _};
use std::path::Path;

use anyhow::Context as _;

use super::NotUnderstood;
use crate::WrongUsage;

/// The argument that means standard input.
const STANDARD_INPUT: &str = "-";

/// Whether the argument means standard input.
pub(super) fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == STANDARD_INPUT
}

/// How to call a source in a message.
pub(super) fn name(path: &Path) -> String {
    if is_standard_input(path) {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    }
}

/// Everything in a file, or in standard input.
pub(super) fn bytes(path: &Path) -> anyhow::Result<Vec<u8>> {
    if is_standard_input(path) {
        let mut bytes = Vec::new();
        let read = io::stdin().lock().read_to_end(&mut bytes);
        read.context("standard input cannot be read")?;
        return Ok(bytes);
    }
    std::fs::read(path).map_err(|error| cannot_read(path, error))
}

/// What a file that cannot be opened or read means for the exit code.
pub(super) fn cannot_read(path: &Path, error: io::Error) -> anyhow::Error {
    let message = format!("{}: {error}", path.display());
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory => {
            WrongUsage(message).into()
        }
        _ => anyhow::Error::new(error).context(format!("{} cannot be read", path.display())),
    }
}

/// The whole text, which must be UTF-8.
pub(super) fn text(path: &Path) -> anyhow::Result<String> {
    let not_utf8 = |error: std::string::FromUtf8Error| {
        let place = error.utf8_error().valid_up_to();
        let line = line_of(error.as_bytes(), place);
        NotUnderstood(format!("{}: line {line} is not UTF-8", name(path)))
    };
    Ok(String::from_utf8(bytes(path)?).map_err(not_utf8)?)
}

/// The whole text. What is not UTF-8 is replaced with U+FFFD, as it is when a guest is scanned, and
/// named on standard error: the reader accepts it beside a list and refuses it within one.
pub(super) fn text_of_emerge(path: &Path) -> anyhow::Result<String> {
    let bytes = bytes(path)?;
    Ok(match std::str::from_utf8(&bytes) {
        Ok(_) => String::from_utf8(bytes)?,
        Err(error) => {
            let line = line_of(&bytes, error.valid_up_to());
            eprintln!(
                "{}: line {line} is not UTF-8; what is not is read as U+FFFD",
                name(path)
            );
            String::from_utf8_lossy(&bytes).into_owned()
        }
    })
}

/// The number of the line that holds a byte, from 1.
fn line_of(bytes: &[u8], place: usize) -> usize {
    let before = bytes.iter().take(place);
    1 + before.filter(|byte| **byte == b'\n').count()
}
