//! The index `Packages` of a store of binary packages.
//!
//! Portage trusts the file (`FEATURES=pkgdir-index-trusted` is the default), skips what it does not
//! understand, and takes a truncated or missing one for an empty store. This reader does not.
//! The source of the format is `portage/getbinpkg.py` and `portage/dbapi/bintree.py`.
//!
//! An index is a header and entries, each a block of lines `NAME: value` and an empty line. An
//! entry takes CHOST and REPO from the header where it has none itself, and every other variable
//! that it lacks is empty, but SLOT and EAPI, which are 0 then.
//!
//! [`Decoder`] reads an index of any size as it arrives and lends each entry; [`PackagesIndex`]
//! owns a whole one.

mod check;
mod decoder;
mod entry;
mod entry_ref;
mod error;
mod fields;
mod header;
mod libraries;
mod variable;

pub use decoder::{Decoder, MAX_ENTRY_LENGTH};
pub use entry::Entry;
pub use entry_ref::{DependencyKind, EntryRef};
pub use error::IndexError;
pub use header::Header;

/// A whole index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackagesIndex {
    /// What it says of the store.
    pub header: Header,
    /// The binary packages, in the order of the file. Their number is that of the header.
    pub entries: Vec<Entry>,
}

impl PackagesIndex {
    /// Reads a whole index.
    ///
    /// # Errors
    ///
    /// See [`IndexError`]. An empty file is an error: even an empty store has a header.
    pub fn parse(text: impl AsRef<[u8]>) -> Result<Self, IndexError> {
        let mut entries = Vec::new();
        let mut decoder = Decoder::new();
        decoder.feed(text.as_ref(), |entry| {
            entries.push(entry.to_entry()?);
            Ok::<(), IndexError>(())
        })?;
        let header = decoder.finish()?;
        Ok(Self { header, entries })
    }
}
