//! The decoder that an index is pushed through, piece by piece.

use std::collections::BTreeSet;

use memchr::memmem::Finder;

use crate::packages_index::fields::Fields;
use crate::packages_index::{EntryRef, Header, IndexError};
use crate::text::excerpt;

/// The greatest length of an entry, and of the header, in bytes. The longest entries of Gentoo's
/// own store have less than a tenth of it.
pub const MAX_ENTRY_LENGTH: usize = 1 << 20;

/// Reads an index that arrives in pieces of any size, and hands over each entry as soon as it is
/// whole and checked.
///
/// ```
/// use gentoo_updater_portage::packages_index::{Decoder, IndexError};
///
/// let mut sizes = 0;
/// let mut decoder = Decoder::new();
/// for piece in ["PACKAGES: 1\nTIMESTAMP: 5\nVERSION: 0\n\nCPV: app-misc/", "hello-2.0\nSIZE: 9\n\n"] {
///     decoder.feed(piece.as_bytes(), |entry| {
///         sizes += entry.size();
///         Ok::<(), IndexError>(())
///     })?;
/// }
/// let header = decoder.finish()?;
/// assert_eq!((header.packages(), sizes), (1, 9));
/// # Ok::<(), IndexError>(())
/// ```
///
/// It holds at most one entry ([`MAX_ENTRY_LENGTH`]) and the BUILD_IDs of one version: Portage
/// writes the entries sorted by CPV, so that two of the same name meet. An index in another order
/// is refused ([`IndexError::Order`]). Where the pieces end makes no difference.
#[derive(Debug)]
pub struct Decoder {
    finder: Finder<'static>,
    header: Option<Header>,
    /// What was fed of a block that is not whole yet.
    buffer: Vec<u8>,
    position: Position,
    abandoned: bool,
}

/// What is known of the part that was read.
#[derive(Debug)]
struct Position {
    /// The number of the line where the next block begins.
    line: usize,
    entries: usize,
    /// The last CPV, and the BUILD_IDs that it had.
    cpv: String,
    build_ids: BTreeSet<Option<u32>>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder before the first byte.
    #[must_use]
    pub fn new() -> Self {
        Self {
            finder: Finder::new(b"\n\n"),
            header: None,
            buffer: Vec::new(),
            position: Position {
                line: 1,
                entries: 0,
                cpv: String::new(),
                build_ids: BTreeSet::new(),
            },
            abandoned: false,
        }
    }

    /// The header, once it was read.
    #[must_use]
    pub fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    /// Reads the next piece, and gives each entry that it completes to `receive`.
    ///
    /// The entries are those of an index that may still turn out to be cut: only
    /// [`finish`](Self::finish) tells that it was whole.
    ///
    /// # Errors
    ///
    /// See [`IndexError`]; and the error of `receive`. The decoder is of no use any more then.
    pub fn feed<E: From<IndexError>>(
        &mut self,
        piece: &[u8],
        mut receive: impl FnMut(&EntryRef<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        // Set back at the end only, so that every way out before it is covered.
        if std::mem::replace(&mut self.abandoned, true) {
            return Err(IndexError::Abandoned.into());
        }
        let mut rest = piece;
        while !rest.is_empty() {
            let Some(end) = self.end_of_block(rest) else {
                self.check_length(rest.len())?;
                self.buffer.extend_from_slice(rest);
                break;
            };
            self.check_length(end)?;
            if self.buffer.is_empty() {
                read_block(
                    &mut self.header,
                    &mut self.position,
                    &rest[..end],
                    &mut receive,
                )?;
            } else {
                self.buffer.extend_from_slice(&rest[..end]);
                read_block(
                    &mut self.header,
                    &mut self.position,
                    &self.buffer,
                    &mut receive,
                )?;
                self.buffer.clear();
            }
            rest = &rest[end..];
        }
        self.abandoned = false;
        Ok(())
    }

    /// Where the block that the buffer begins ends in `rest`: after an empty line.
    fn end_of_block(&self, rest: &[u8]) -> Option<usize> {
        if self.buffer.last() == Some(&b'\n') && rest.first() == Some(&b'\n') {
            return Some(1);
        }
        self.finder.find(rest).map(|start| start + 2)
    }

    fn check_length(&self, more: usize) -> Result<(), IndexError> {
        if self.buffer.len() + more > MAX_ENTRY_LENGTH {
            return Err(IndexError::TooLong(self.position.line));
        }
        Ok(())
    }

    /// Ends the index.
    ///
    /// # Errors
    ///
    /// [`IndexError`], where the index does not end at the end of an entry, or holds another number
    /// of entries than the header counts.
    pub fn finish(self) -> Result<Header, IndexError> {
        if self.abandoned {
            return Err(IndexError::Abandoned);
        }
        if let Some(b'\n') = self.buffer.first() {
            return Err(IndexError::Line {
                number: self.position.line,
                line: String::new(),
            });
        }
        if !self.buffer.is_empty() {
            return Err(IndexError::Truncated(self.unfinished()));
        }
        let header = self
            .header
            .ok_or_else(|| IndexError::Header("PACKAGES".to_owned()))?;
        if header.packages() != self.position.entries {
            return Err(IndexError::Count {
                header: header.packages(),
                found: self.position.entries,
            });
        }
        Ok(header)
    }

    /// How to call the block that has no end.
    fn unfinished(&self) -> String {
        if self.header.is_none() {
            return "the header".to_owned();
        }
        let text = String::from_utf8_lossy(&self.buffer);
        let mut lines = text.split_inclusive('\n');
        match lines.find_map(|line| line.strip_prefix("CPV: ")?.strip_suffix('\n')) {
            Some(cpv) => format!("the entry of {}", excerpt(cpv)),
            None => format!("the entry of line {}", self.position.line),
        }
    }
}

/// Reads a whole block, its empty line included.
fn read_block<E: From<IndexError>>(
    header: &mut Option<Header>,
    position: &mut Position,
    block: &[u8],
    receive: &mut impl FnMut(&EntryRef<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let text = match std::str::from_utf8(block) {
        Ok(text) => text,
        Err(error) => {
            let lines = memchr::memchr_iter(b'\n', &block[..error.valid_up_to()]).count();
            return Err(IndexError::NotUtf8(position.line + lines).into());
        }
    };
    let text = text.strip_suffix('\n').unwrap_or(text);
    match header {
        None => {
            *header = Some(Header::read(text, position.line)?);
            position.line += memchr::memchr_iter(b'\n', block).count();
        }
        Some(header) => {
            let (entry, lines) = EntryRef::read(header, Fields::new(text, position.line))?;
            position.accept(&entry)?;
            position.line += lines + 1;
            receive(&entry)?;
        }
    }
    Ok(())
}

impl Position {
    fn accept(&mut self, entry: &EntryRef<'_>) -> Result<(), IndexError> {
        let cpv = entry.cpv_text();
        let line = self.line;
        match cpv.cmp(self.cpv.as_str()) {
            std::cmp::Ordering::Less => {
                return Err(IndexError::Order {
                    entry: cpv.to_owned(),
                    previous: self.cpv.clone(),
                    line,
                });
            }
            std::cmp::Ordering::Greater => {
                self.cpv.clear();
                self.cpv.push_str(cpv);
                self.build_ids.clear();
            }
            std::cmp::Ordering::Equal => {}
        }
        if !self.build_ids.insert(entry.build_id()) {
            return Err(IndexError::Duplicate {
                entry: entry.exact_package().to_string(),
                line,
            });
        }
        self.entries += 1;
        Ok(())
    }
}
