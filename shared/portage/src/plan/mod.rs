//! The plan that `emerge --pretend --verbose` prints.
//!
//! The source of the format is `_emerge/resolver/output.py` of Portage 3.0. The reader demands the
//! whole of it: a list that was cut, a row that it does not understand, rows that do not add up to
//! the `Total:` line, or an exit status that nothing explains are errors.

mod document;
mod error;
mod notice;
mod output;
mod row;
mod totals;
mod use_state;

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::atom::Atom;
use crate::cpv::Cpv;
use crate::name::{RepositoryName, SlotAndSubslot, UseFlag};
use crate::version::Version;

pub use document::{DocumentRow, DocumentRowKind, PlanDocument};
pub use error::PlanError;
pub use notice::{Notice, NoticeKind};
pub use output::parse;

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

/// What is done with the package of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RowKind {
    /// `[ebuild …]`: compiled and installed.
    Ebuild,
    /// `[binary …]`: installed from a binary package.
    Binary,
    /// `[nomerge …]`: nothing; it is shown as the parent of another row.
    NoMerge,
    /// `[uninstall …]`: removed, because it blocks another.
    Uninstall,
}

impl RowKind {
    /// Whether the row installs something.
    #[must_use]
    pub fn is_merge(self) -> bool {
        matches!(self, Self::Ebuild | Self::Binary)
    }
}

/// One package of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// What is done with it.
    pub kind: RowKind,
    /// The letters between the brackets.
    pub status: Status,
    /// The package and its version.
    pub cpv: Cpv,
    /// The BUILD_ID of the binary package, where its store numbers them
    /// (`FEATURES=binpkg-multi-instance`). Portage prints it as a part of the version; see
    /// [`ExactPackage`](crate::cpv::ExactPackage) for why it can be told apart.
    pub build_id: Option<u32>,
    /// Slot and subslot. Portage leaves `0/0` out.
    pub slot: SlotAndSubslot,
    /// The repository; absent where Portage does not know it.
    pub repository: Option<RepositoryName>,
    /// The installed versions that Portage compares with: those that are replaced, or those in
    /// other slots. Empty where the same version of the same slot and repository is installed.
    pub previous: Vec<Previous>,
    /// Where to, when that is not `/`.
    pub root: Option<String>,
    /// USE flags, those of USE_EXPAND under their full names. Flags of hidden USE_EXPAND groups
    /// (`USE_EXPAND_HIDDEN` of the profile) are not printed and hence not here.
    pub use_flags: UseState,
    /// How much is still to be fetched, in bytes: Portage prints KiB, rounded up. Absent for rows
    /// that install nothing.
    pub size_bytes: Option<u64>,
}

/// An installed version, between the brackets after the package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Previous {
    /// Its version. The BUILD_ID of an installed binary package is not shown.
    pub version: Version,
    /// Its slot and subslot.
    pub slot: SlotAndSubslot,
    /// The repository that it came from; absent where Portage does not know it.
    pub repository: Option<RepositoryName>,
}

/// The letters between the brackets of a row (`PkgAttrDisplay` of Portage).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// `I`: it asks questions while it is installed.
    pub interactive: bool,
    /// `N`: no version of it is installed, in this slot at least.
    pub new: bool,
    /// `S`, always with `N`: other slots of it are installed.
    pub new_slot: bool,
    /// `R`: this version is installed, and is installed again.
    pub reinstall: bool,
    /// `r`: it is installed again because something that it is bound to changes, or because all
    /// arguments are installed again.
    pub rebuild: bool,
    /// `U`: another version in this slot is replaced; by a lower one where `downgrade` is set.
    pub upgrade: bool,
    /// `D`, always with `U`: a lower version.
    pub downgrade: bool,
    /// `F` or `f`: the sources have to be fetched by hand.
    pub fetch_restriction: Option<FetchRestriction>,
    /// `g`: a binary package that is fetched from a server (Portage 3.0.78 and later).
    pub remote_binary: bool,
    /// The last column: why it would be masked if configuration did not accept it.
    pub mask: Option<Mask>,
}

/// Whether sources that have to be fetched by hand are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FetchRestriction {
    /// `f`
    Satisfied,
    /// `F`
    Unsatisfied,
}

/// Why a package would be masked, if configuration did not accept it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mask {
    /// `~`: its keyword is a testing one.
    Testing,
    /// `*`: it has no keyword for this architecture.
    MissingKeyword,
    /// `#`: it is in a `package.mask`.
    Masked,
}

impl fmt::Display for Status {
    /// The letters as printed, blanks at both ends removed: `rR`, `r  U`, `N    ~`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = [
            (self.interactive, 'I'),
            (
                self.new || self.rebuild,
                if self.rebuild { 'r' } else { 'N' },
            ),
            (
                self.new_slot || self.reinstall,
                if self.reinstall { 'R' } else { 'S' },
            ),
            match self.fetch_restriction {
                Some(FetchRestriction::Satisfied) => (true, 'f'),
                Some(FetchRestriction::Unsatisfied) => (true, 'F'),
                None => (self.remote_binary, 'g'),
            },
            (self.upgrade, 'U'),
            (self.downgrade, 'D'),
            match self.mask {
                Some(Mask::Testing) => (true, '~'),
                Some(Mask::MissingKeyword) => (true, '*'),
                Some(Mask::Masked) => (true, '#'),
                None => (false, ' '),
            },
        ];
        let text: String = letters
            .iter()
            .map(|(set, c)| if *set { *c } else { ' ' })
            .collect();
        formatter.pad(text.trim())
    }
}

/// The USE flags of a row.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct UseState {
    /// Flags that the package will be built with.
    pub enabled: BTreeSet<UseFlag>,
    /// Flags of the package that are off.
    pub disabled: BTreeSet<UseFlag>,
    /// `*`: differs from the installed package.
    pub changed: BTreeSet<UseFlag>,
    /// `%`: the installed package does not have the flag. (Portage leaves the mark out where a
    /// flag is both disabled and masked.)
    pub new: BTreeSet<UseFlag>,
    /// `( )`: forced or masked by the profile.
    pub forced: BTreeSet<UseFlag>,
    /// `(-flag%)`: the installed package has the flag and this version does not. Neither enabled
    /// nor disabled; also in `changed` where it was enabled.
    pub removed: BTreeSet<UseFlag>,
}

/// A row that says that one package blocks others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// `b`: the plan resolves it, by removing or replacing the blocked package. `B`: it does not,
    /// and emerge refuses to do the plan.
    pub satisfied: bool,
    /// What is blocked.
    pub blocked: Atom,
    /// Which packages block it.
    pub by: Vec<Cpv>,
}

/// The `Total:` line and the two that may follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// Packages that are installed, for whichever reason.
    pub packages: u64,
    /// A higher version in the same slot.
    pub upgrades: u64,
    /// A lower version in the same slot.
    pub downgrades: u64,
    /// No other version installed.
    pub new: u64,
    /// Other slots installed.
    pub new_slots: u64,
    /// The same version again.
    pub reinstalls: u64,
    /// How many of them are binary packages.
    pub binaries: u64,
    /// Packages that are removed because they block others.
    pub uninstalls: u64,
    /// How many ask questions.
    pub interactive: u64,
    /// How much is to be fetched, in bytes (KiB, rounded up).
    pub size_bytes: u64,
    /// How many have sources that must be fetched by hand.
    pub fetch_restricted: u64,
    /// How many of these have not been fetched.
    pub fetch_restricted_unsatisfied: u64,
    /// Blocks.
    pub blocks: u64,
    /// How many of these the plan does not resolve.
    pub blocks_unsatisfied: u64,
}
