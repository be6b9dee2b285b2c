//! A block of lines `NAME: value`: the header, or one entry.

use crate::packages_index::IndexError;
use crate::text::excerpt;

/// The lines of a block, without the empty one that ends it.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a> {
    rest: &'a str,
    /// The number of the next line in the file.
    line: usize,
}

impl<'a> Fields<'a> {
    /// `block` ends with the line feed of its last line.
    pub(super) fn new(block: &'a str, first_line: usize) -> Self {
        Self {
            rest: block,
            line: first_line,
        }
    }

    /// The number of the next line in the file.
    pub(super) fn line(&self) -> usize {
        self.line
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(&'a str, &'a str), IndexError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let (line, rest) = match memchr::memchr(b'\n', self.rest.as_bytes()) {
            Some(end) => (&self.rest[..end], &self.rest[end + 1..]),
            None => (self.rest, ""),
        };
        let number = self.line;
        self.rest = rest;
        self.line += 1;
        Some(split(line).ok_or_else(|| IndexError::Line {
            number,
            line: excerpt(line),
        }))
    }
}

/// Portage drops whatever follows the colon, so that anything but a blank loses a letter.
fn split(line: &str) -> Option<(&str, &str)> {
    let bytes = line.as_bytes();
    let colon = bytes
        .iter()
        .position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_')?;
    if colon == 0 || bytes[colon] != b':' {
        return None;
    }
    match bytes.get(colon + 1) {
        None => Some((&line[..colon], "")),
        Some(b' ') => Some((&line[..colon], &line[colon + 2..])),
        Some(_) => None,
    }
}
