//! The plan that `emerge --pretend --verbose` prints.
//!
//! The source of the format is `_emerge/resolver/output.py` of Portage, and what stood in its place
//! since 2.1.6 (2008): six or seven letters, with and without slots and repositories, sizes in kB
//! or KiB with the separators of any locale, lists and trees.
//!
//! The reader demands the whole of an output: a list that was cut, a row that it does not
//! understand, rows that do not add up to the `Total:` line, or an exit status that nothing
//! explains are errors. What emerge prints with `--quiet`, with `--columns` or without `--verbose`
//! holds no total, and is refused.
//!
//! One thing is not protected: rows that do nothing (`[nomerge …]`, and in a tree the blocks which
//! the plan resolves) are not in the total, so nobody can tell when one of them was lost.

mod document;
mod error;
mod list;
mod notice;
mod output;
mod row;
mod totals;

use serde::{Deserialize, Serialize};

pub use document::{DocumentRow, DocumentRowKind, PlanDocument};
pub use error::PlanError;
pub use notice::{ConfigurationChange, ConfigurationFile, MaskedPackage, Notice, NoticeKind};
pub use output::parse;
pub use row::{Block, FetchRestriction, FlagSet, Mask, Previous, Row, RowKind, Status, UseState};
pub use totals::Totals;

/// What emerge would do, and what it has to say about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The exit status of emerge. Where it is not 0, the rows are what emerge would like to do but
    /// refuses to; [`notices`](Self::notices) then holds the reason.
    pub status: i32,
    /// The rows, in the order printed. The order differs between versions of Portage.
    pub rows: Vec<Row>,
    /// The rows that say which package blocks which.
    pub blocks: Vec<Block>,
    /// The `Total:` line. The rows add up to it.
    pub totals: Totals,
    /// Everything that emerge said beside the list.
    pub notices: Vec<Notice>,
}

impl Plan {
    /// The rows that install something: ebuilds to compile and binary packages.
    pub fn merges(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.kind.is_merge())
    }

    /// The notices because of which the plan is not what was asked for, or not all of it.
    pub fn objections(&self) -> impl Iterator<Item = &Notice> {
        self.notices
            .iter()
            .filter(|notice| notice.kind.is_objection())
    }
}
