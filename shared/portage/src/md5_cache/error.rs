//! What can be wrong with an entry of the metadata cache.

/// A text that is not an entry of the metadata cache, or not all of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Md5CacheError {
    /// A line is not UTF-8.
    #[error("line {0} is not UTF-8")]
    NotUtf8(usize),
    /// The last line does not end.
    #[error("the last line has no end: the entry was cut")]
    Truncated,
    /// A line is not a key, an equals sign and a value.
    #[error("line {number} is not understood: {line:?}")]
    Line {
        /// The number of the line, from 1.
        number: usize,
        /// The line, shortened.
        line: String,
    },
    /// A key is there twice.
    #[error("line {number}: {key} is there twice")]
    Twice {
        /// The number of the second line, from 1.
        number: usize,
        /// The key.
        key: String,
    },
    /// A key that every entry has is missing or empty.
    #[error("the entry has no {0}")]
    Missing(&'static str),
    /// A value is not what its key demands.
    #[error("{key} (line {number}) is wrong: {reason}")]
    Value {
        /// The number of the line, from 1; 0 where it is not known any more.
        number: usize,
        /// The key.
        key: &'static str,
        /// What is wrong.
        reason: String,
    },
}
