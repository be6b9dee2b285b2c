//! What can be wrong with an index.

use crate::packages_index::MAX_ENTRY_LENGTH;

/// A text that is not an index, or not all of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// The header has no valid value of a variable that it must have, or an invalid one of another.
    #[error("the header has no valid {0}: this is not an index of binary packages")]
    Header(String),
    /// The format is a newer one.
    #[error("the index has version {0}, and only version 0 is understood")]
    Version(String),
    /// A line is not a name, a colon, a blank and a value; or it is empty where nothing ends.
    #[error("line {number} is not understood: {line:?}")]
    Line {
        /// The number of the line, from 1.
        number: usize,
        /// The line, shortened.
        line: String,
    },
    /// A line is not UTF-8.
    #[error("line {0} is not UTF-8")]
    NotUtf8(usize),
    /// An entry, or the header, is longer than [`MAX_ENTRY_LENGTH`].
    #[error("what begins in line {0} is longer than {MAX_ENTRY_LENGTH} bytes")]
    TooLong(usize),
    /// The file ends within an entry: it was cut.
    #[error("the index ends within {0}: it was cut")]
    Truncated(String),
    /// An entry has no valid value of a variable that it must have, or an invalid one of another.
    #[error("the entry of {entry} (line {line}) is wrong: {reason}")]
    Entry {
        /// The value of its CPV, or where it begins.
        entry: String,
        /// The number of the line where it begins, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// Two entries have the same CPV and BUILD_ID: an atom for one means the other, too.
    #[error("{entry} is there twice, the second time in line {line}")]
    Duplicate {
        /// CPV and BUILD_ID.
        entry: String,
        /// The number of the line where the second one begins.
        line: usize,
    },
    /// The entries are not sorted by CPV, and Portage always writes them so.
    #[error("the entry of {entry} (line {line}) should stand before the one of {previous}")]
    Order {
        /// The CPV that comes too late.
        entry: String,
        /// The CPV before it.
        previous: String,
        /// The number of the line where it begins.
        line: usize,
    },
    /// The header counts more or fewer entries: the file was cut, or two writers collided.
    #[error("the header counts {header} packages, and the index holds {found}")]
    Count {
        /// The number in the header.
        header: usize,
        /// The number of entries.
        found: usize,
    },
    /// A decoder was used on after it had failed, or after its receiver had.
    #[error("the index was abandoned at an earlier error")]
    Abandoned,
}
