//! `[blocks b      ] app-misc/old ("<app-misc/old-2" is soft blocking app-misc/new-1.0)`.

use serde::{Deserialize, Serialize};

use super::reason;
use crate::atom::Atom;
use crate::cpv::Cpv;

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

/// How the row says that it blocks: "blocking" alone until Portage 2.1, "soft blocking" since
/// 3.0.27.
const BLOCKING: [&str; 3] = ["is soft blocking ", "is hard blocking ", "is blocking "];

/// Reads what stands between the brackets, and what follows them: what is blocked as the package
/// manager resolved it, and in parentheses the atom as the ebuild has it, where it differs, and
/// those that block.
pub(super) fn parse_block(letters: &str, rest: &str) -> Result<Block, String> {
    let satisfied = match letters.trim_end_matches(' ') {
        "b" => true,
        "B" => false,
        _ => return Err(format!("the letters {letters:?} are not understood")),
    };
    let wrong = || "a block names what is blocked, and in brackets by what".to_owned();
    let (resolved, words) = rest.split_once(" (").ok_or_else(wrong)?;
    let words = words.strip_suffix(')').ok_or_else(wrong)?;
    let resolved: Atom = resolved.parse().map_err(reason)?;
    let (blocked, by) = match words.strip_prefix('"') {
        Some(quoted) => {
            let (atom, by) = quoted.split_once("\" ").ok_or_else(wrong)?;
            (atom.parse().map_err(reason)?, by)
        }
        None => (resolved, words),
    };
    let by = BLOCKING
        .iter()
        .find_map(|words| by.strip_prefix(words))
        .ok_or_else(wrong)?;
    let by: Result<Vec<Cpv>, String> = by
        .split(", ")
        .map(|cpv| cpv.parse().map_err(reason))
        .collect();
    Ok(Block {
        satisfied,
        blocked,
        by: by?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_names_both_sides() {
        for (letters, rest, satisfied, blocked, by) in [
            (
                "b      ",
                "a/old (\"<a/old-2:0\" is soft blocking a/new-1.0, a/newer-2)",
                true,
                "<a/old-2:0",
                "a/new-1.0 a/newer-2",
            ),
            (
                "B      ",
                "a/old (is hard blocking a/new-1.0)",
                false,
                "a/old",
                "a/new-1.0",
            ),
            (
                "B     ",
                "<a/old-2 (\"<a/old-2\" is blocking a/new-1.0)",
                false,
                "<a/old-2",
                "a/new-1.0",
            ),
            (
                "B     ",
                "mail-mta/postfix (\"virtual/mta\" is blocking mail-mta/ssmtp-2.62-r3)",
                false,
                "virtual/mta",
                "mail-mta/ssmtp-2.62-r3",
            ),
        ] {
            let block = parse_block(letters, rest).unwrap();
            assert_eq!(block.satisfied, satisfied);
            assert_eq!(block.blocked.to_string(), blocked);
            let names: Vec<String> = block.by.iter().map(Cpv::to_string).collect();
            assert_eq!(names.join(" "), by);
        }
    }

    #[test]
    fn a_block_that_is_not_understood_is_refused() {
        for (letters, rest) in [
            ("b      ", "a/b"),
            ("c      ", "a/b (is blocking c/d-1)"),
            (" b     ", "a/b (is blocking c/d-1)"),
            ("b      ", "a/b (is blocking c/d)"),
            ("b      ", "a/b (is blocking )"),
            ("b      ", "a/b (is blocking c/d-1"),
            ("b      ", "a/b (blocks c/d-1)"),
            ("b      ", "a;b (is blocking c/d-1)"),
            ("b      ", "a/b (\"a/b is blocking c/d-1)"),
        ] {
            assert!(parse_block(letters, rest).is_err(), "{letters:?} {rest}");
        }
    }
}
