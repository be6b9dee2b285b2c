//! What emerge says beside the list of packages.

mod beginnings;
mod detail;
mod kind;
mod parse;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use detail::{ConfigurationChange, ConfigurationFile, MaskedPackage};
pub use kind::NoticeKind;

pub(super) use parse::{begins, parse, parse_errors};

/// One thing that emerge said beside the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What it means.
    #[serde(flatten)]
    pub kind: NoticeKind,
    /// The words of emerge, without escape sequences, empty lines at both ends removed.
    pub text: String,
}
