//! A plan as JSON, for people who look at one and for other programs.

use serde::{Deserialize, Serialize};

use super::{Block, Notice, Plan, Row, RowKind, Totals, UseState};
use crate::atom::Atom;
use crate::cpv::Cpv;
use crate::name::{RepositoryName, Slot};
use crate::version::Version;

/// A [`Plan`] in the form in which it is printed as JSON.
///
/// ```json
/// {
///   "rows": [
///     {
///       "kind": "ebuild", "status": "rR", "cpv": "dev-libs/libbeta-1.0", "build_id": null,
///       "slot": "0", "subslot": null, "repository": "gentoo", "previous": ["1.0"], "root": null,
///       "use": {
///         "enabled": ["fast"], "disabled": ["doc"], "changed": [], "new": [], "forced": [],
///         "removed": []
///       },
///       "size_bytes": 0
///     }
///   ],
///   "totals": { "packages": 1, "reinstalls": 1, "size_bytes": 0 },
///   "notices": [{ "kind": "news_unread", "text": "* IMPORTANT: 1 news items need reading …" }],
///   "exit_status": 0
/// }
/// ```
///
/// Every field is always there; what is not known, or has no meaning for a row, is `null` or empty.
/// `totals` (shortened above) has the fields of [`Totals`], a notice those of [`Notice`].
/// Fields may be added; none is renamed or removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanDocument {
    /// The rows in the order printed, and after them those that say what blocks what.
    pub rows: Vec<DocumentRow>,
    /// The `Total:` line. The rows add up to it.
    pub totals: Totals,
    /// What emerge said beside the list.
    pub notices: Vec<Notice>,
    /// The exit status of emerge. Where it is not 0 emerge refuses the plan, and a notice says why.
    #[serde(default)]
    pub exit_status: i32,
}

/// The kind of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DocumentRowKind {
    /// Compiled and installed.
    Ebuild,
    /// Installed from a binary package.
    Binary,
    /// Shown as the parent of another row; nothing is done.
    NoMerge,
    /// Removed, because it blocks another.
    Uninstall,
    /// Says that packages block another: `blocked` and `by` are there, and of the other fields
    /// `status` alone means something.
    Blocks,
}

/// One row of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentRow {
    /// What is done with the package.
    pub kind: DocumentRowKind,
    /// The letters between the brackets, blanks at both ends removed: `rR`, `r  U`, `N    ~`. Of
    /// a block `b` where the plan resolves it, `B` where emerge refuses the plan because of it.
    pub status: String,
    /// The package with its version, without BUILD_ID.
    pub cpv: Option<Cpv>,
    /// The BUILD_ID of a binary package of a store that numbers them.
    pub build_id: Option<u32>,
    /// The slot, where the output tells.
    pub slot: Option<Slot>,
    /// The subslot; `null` where it is the same as the slot.
    pub subslot: Option<Slot>,
    /// The repository, where Portage knows it.
    pub repository: Option<RepositoryName>,
    /// The installed versions that Portage compares with; several may be printed, of other slots.
    /// For a version that is installed again Portage prints none where slot and repository stay
    /// the same: it is that version then.
    pub previous: Vec<Version>,
    /// Where to, when that is not `/`.
    pub root: Option<String>,
    /// USE flags, those of USE_EXPAND under their full name (`python_targets_python3_12`).
    #[serde(rename = "use")]
    pub use_flags: UseState,
    /// Bytes that are still to be fetched, for rows that install something.
    pub size_bytes: Option<u64>,
    /// The atom that is blocked. In rows of the kind `blocks` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<Atom>,
    /// The packages that block it. In rows of the kind `blocks` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Vec<Cpv>>,
}

impl From<&Plan> for PlanDocument {
    fn from(plan: &Plan) -> Self {
        let rows = plan.rows.iter().map(DocumentRow::from);
        let blocks = plan.blocks.iter().map(DocumentRow::from);
        Self {
            rows: rows.chain(blocks).collect(),
            totals: plan.totals,
            notices: plan.notices.clone(),
            exit_status: plan.status,
        }
    }
}

impl From<RowKind> for DocumentRowKind {
    fn from(kind: RowKind) -> Self {
        match kind {
            RowKind::Ebuild => Self::Ebuild,
            RowKind::Binary => Self::Binary,
            RowKind::NoMerge => Self::NoMerge,
            RowKind::Uninstall => Self::Uninstall,
        }
    }
}

impl From<&Row> for DocumentRow {
    fn from(row: &Row) -> Self {
        let slot = row.slot.as_ref();
        let mut previous: Vec<_> = row.previous.iter().map(|old| old.version.clone()).collect();
        if previous.is_empty() && row.status.reinstall {
            previous.push(row.cpv.version.clone());
        }
        Self {
            kind: row.kind.into(),
            status: row.status.to_string(),
            cpv: Some(row.cpv.clone()),
            build_id: row.build_id,
            slot: slot.map(|slot| slot.slot.clone()),
            subslot: slot
                .filter(|slot| slot.subslot != slot.slot)
                .map(|slot| slot.subslot.clone()),
            repository: row.repository.clone(),
            previous,
            root: row.root.clone(),
            use_flags: row.use_flags.clone(),
            size_bytes: row.size_bytes,
            blocked: None,
            by: None,
        }
    }
}

impl From<&Block> for DocumentRow {
    fn from(block: &Block) -> Self {
        Self {
            kind: DocumentRowKind::Blocks,
            status: if block.satisfied { "b" } else { "B" }.to_owned(),
            cpv: None,
            build_id: None,
            slot: None,
            subslot: None,
            repository: None,
            previous: Vec::new(),
            root: None,
            use_flags: UseState::default(),
            size_bytes: None,
            blocked: Some(block.blocked.clone()),
            by: Some(block.by.clone()),
        }
    }
}
