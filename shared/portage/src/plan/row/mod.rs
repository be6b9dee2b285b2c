//! One row of the list.

mod block;
mod flag_set;
mod known_flags;
mod letters;
mod package;
mod size;
mod use_state;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::cpv::Cpv;
use crate::name::{RepositoryName, SlotAndSubslot};
use crate::text::excerpt;

pub use block::Block;
pub use flag_set::FlagSet;
pub use letters::{FetchRestriction, Mask, Status};
pub use package::Previous;
pub use use_state::UseState;

pub(super) use known_flags::KnownFlags;
pub(super) use size::{Unit, parse_digits, parse_size};

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
    /// Slot and subslot. Portage prints them since 2.1.11 and leaves `0/0` out. Absent where the
    /// output names none and is older than Portage 2.2.11 (its sizes are in kB): it may be `0/0`, or
    /// the version of Portage may not print slots.
    pub slot: Option<SlotAndSubslot>,
    /// The repository. Absent where Portage does not know it (`__unknown__`), and where the output
    /// does not tell: Portage names it in every row since 2.2.16, before that where it is not the
    /// main repository, or by a number (`[1]`) whose meaning follows the list.
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
    /// that install nothing, and for binary packages in Portage before 2.1.10.
    pub size_bytes: Option<u64>,
}

/// A row, divided at its brackets.
#[derive(Debug)]
pub(super) struct Brackets<'a> {
    /// Nothing for a block.
    pub(super) kind: Option<RowKind>,
    letters: &'a str,
    rest: &'a str,
    /// How many letters fit between the brackets: 6 or 7.
    pub(super) columns: usize,
    /// Whether it stands below another row of a tree.
    pub(super) is_indented: bool,
}

/// The kinds of rows, as they begin.
const KINDS: [(&str, Option<RowKind>); 5] = [
    ("[ebuild ", Some(RowKind::Ebuild)),
    ("[binary ", Some(RowKind::Binary)),
    ("[nomerge ", Some(RowKind::NoMerge)),
    ("[uninstall ", Some(RowKind::Uninstall)),
    ("[blocks ", None),
];

/// The place of the closing bracket in every row: all kinds are padded to it. One column less
/// where the output has six letters.
const CLOSING_BRACKET: usize = 15;

/// Whether a line begins as a row does, understood or not.
pub(super) fn looks_like_row(line: &str) -> bool {
    KINDS.iter().any(|(start, _)| line.starts_with(start))
}

/// Whether a line was a row before a character of it was lost or changed.
pub(super) fn resembles_row(line: &str) -> bool {
    let beginning: String = line.chars().take(CLOSING_BRACKET + 2).collect();
    let has_word = KINDS.iter().any(|(start, _)| {
        let word = start.trim_matches(['[', ' ']);
        // A word of the kind stands at the beginning, whatever became of the bracket before it.
        beginning.find(word).is_some_and(|place| place <= 4)
    });
    let has_brackets = beginning.starts_with('[')
        && beginning
            .rfind(']')
            .is_some_and(|place| place + 3 >= CLOSING_BRACKET);
    has_word || has_brackets
}

/// Divides one row. The error says what is wrong with it.
pub(super) fn divide(line: &str) -> Result<Brackets<'_>, String> {
    let Some((start, kind)) = KINDS.iter().find(|(start, _)| line.starts_with(start)) else {
        return Err("it is neither a row nor the line \"Total:\" after the rows".to_owned());
    };
    let columns = match line.find(']') {
        Some(CLOSING_BRACKET) => 7,
        Some(place) if place + 1 == CLOSING_BRACKET => 6,
        _ => return Err("the letters do not fill seven columns, nor six".to_owned()),
    };
    let (brackets, rest) = line.split_at(CLOSING_BRACKET + columns - 7);
    let Some(rest) = rest.strip_prefix("] ") else {
        return Err("a blank is missing after the bracket".to_owned());
    };
    Ok(Brackets {
        kind: *kind,
        letters: &brackets[start.len()..],
        // Rows below others are indented in a tree.
        rest: rest.trim_matches(' '),
        columns,
        is_indented: rest.starts_with(' '),
    })
}

/// Reads a row that blocks.
pub(super) fn parse_block(brackets: &Brackets<'_>) -> Result<Block, String> {
    block::parse_block(brackets.letters, brackets.rest)
}

/// Reads a row of this kind, and the unit of its size.
pub(super) fn parse_row(
    kind: RowKind,
    brackets: &Brackets<'_>,
    flags: &mut KnownFlags,
) -> Result<(Row, Option<Unit>), String> {
    let status = letters::parse_letters(brackets.letters, kind)?;
    let rest = brackets.rest;
    let (word, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let package = package::parse_package(kind, word, rest)?;
    // Where there are none, two blanks follow, and then perhaps the number of a repository.
    let (previous, rest) = package::take_previous(rest)?;
    package::check_previous(&status, &previous)?;
    let (root, rest) = take_root(rest.trim_start_matches(' '))?;
    let (use_flags, rest) = use_state::take_use_state(rest, flags)?;
    let size = without_repository_number(rest);
    let size = match (size.is_empty(), kind.is_merge()) {
        (true, _) => None,
        (false, true) => Some(parse_size(size)?),
        (false, false) => return Err(format!("{:?} is not understood", excerpt(size))),
    };
    let row = Row {
        kind,
        status,
        cpv: package.name.cpv,
        build_id: package.name.build_id,
        slot: package.slot,
        repository: package.repository,
        previous,
        root,
        use_flags,
        size_bytes: size.map(|(bytes, _)| bytes),
    };
    Ok((row, size.map(|(_, unit)| unit)))
}

/// Takes `to /usr/cross/` from the beginning of `text`, where it is. The path is that of any
/// folder, and ends in a slash.
fn take_root(text: &str) -> Result<(Option<String>, &str), String> {
    let Some(rest) = text.strip_prefix("to ") else {
        return Ok((None, text));
    };
    let end = match rest.find("/ ") {
        Some(place) => place + 1,
        None => rest.len(),
    };
    let (root, rest) = rest.split_at(end);
    if !root.starts_with('/') || !root.ends_with('/') {
        return Err(format!("{:?} is not the path of a root", excerpt(root)));
    }
    Ok((Some(root.to_owned()), rest))
}

/// Removes `[1]`, `[?]` or `[0=>1]` from the end: the number of the repository, and of that of the
/// installed version before it (`--quiet-repo-display`; always until Portage 2.1.10).
fn without_repository_number(text: &str) -> &str {
    let number = text
        .strip_suffix(']')
        .and_then(|text| text.rsplit_once('['));
    let Some((rest, number)) = number else {
        return text;
    };
    let is_number =
        |text: &str| text == "?" || (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()));
    let understood = match number.split_once("=>") {
        Some((before, after)) => is_number(before) && is_number(after),
        None => is_number(number),
    };
    match rest.strip_suffix(' ') {
        Some(rest) if understood => rest,
        None if understood && rest.is_empty() => rest,
        _ => text,
    }
}

fn reason(error: impl std::fmt::Display) -> String {
    error.to_string()
}
