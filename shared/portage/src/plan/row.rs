//! One row of the list.

use super::{Block, FetchRestriction, Mask, Previous, Row, RowKind, Status, use_state};
use crate::atom::Atom;
use crate::cpv::{Cpv, ExactPackage};
use crate::name::{RepositoryName, SlotAndSubslot};
use crate::version::Version;

/// What a row turned out to be.
#[derive(Debug)]
pub(super) enum Line {
    Row(Box<Row>),
    Block(Block),
}

/// The kinds of rows, as they begin.
const KINDS: [(&str, Option<RowKind>); 5] = [
    ("[ebuild ", Some(RowKind::Ebuild)),
    ("[binary ", Some(RowKind::Binary)),
    ("[nomerge ", Some(RowKind::NoMerge)),
    ("[uninstall ", Some(RowKind::Uninstall)),
    ("[blocks ", None),
];

/// The place of the closing bracket in every row: all kinds are padded to it.
const CLOSING_BRACKET: usize = 15;

/// Whether a line looks like a row, understood or not.
pub(super) fn looks_like_row(line: &str) -> bool {
    KINDS.iter().any(|(start, _)| line.starts_with(start))
}

/// Reads one row. The error says what is wrong with it.
pub(super) fn parse_line(line: &str) -> Result<Line, String> {
    let Some((start, kind)) = KINDS.iter().find(|(start, _)| line.starts_with(start)) else {
        return Err("it is neither a row nor the end of the list".to_owned());
    };
    if !line.is_ascii() {
        return Err("a row holds ASCII characters only".to_owned());
    }
    match line.find(']') {
        Some(CLOSING_BRACKET) => {}
        Some(place) if place + 1 == CLOSING_BRACKET => {
            return Err("it has six columns of letters, as with --quiet: seven are needed".into());
        }
        _ => return Err("the letters do not fill seven columns".to_owned()),
    }
    let letters = &line[start.len()..CLOSING_BRACKET];
    let Some(rest) = line[CLOSING_BRACKET + 1..].strip_prefix(' ') else {
        return Err("a blank is missing after the bracket".to_owned());
    };
    // Rows below others are indented in a tree, which Portage prints to show a circle.
    let rest = rest.trim();
    match kind {
        Some(kind) => parse_row(*kind, letters, rest).map(|row| Line::Row(Box::new(row))),
        None => parse_block(letters, rest).map(Line::Block),
    }
}

fn parse_row(kind: RowKind, letters: &str, rest: &str) -> Result<Row, String> {
    let status = if kind.is_merge() {
        parse_status(letters)?
    } else if letters.trim().is_empty() {
        Status::default()
    } else {
        return Err(format!("the letters {letters:?} are not understood"));
    };
    let (package, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let (package, slot, repository) = split_slot_and_repository(package)?;
    let ExactPackage { cpv, build_id } = match kind {
        // A parent in a tree may be a binary package.
        RowKind::Binary | RowKind::NoMerge => package.parse().map_err(text)?,
        RowKind::Ebuild | RowKind::Uninstall => package.parse::<Cpv>().map_err(text)?.into(),
    };
    let rest = rest.trim_start_matches(' ');
    let (previous, rest) = match rest.strip_prefix('[') {
        Some(list) => {
            let (list, rest) = list
                .split_once(']')
                .ok_or("the previous versions have no end")?;
            (parse_previous(list)?, rest.trim_start_matches(' '))
        }
        None => (Vec::new(), rest),
    };
    let (root, rest) = match rest.strip_prefix("to ") {
        Some(rest) => {
            let (root, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            if !root.starts_with('/') || !root.ends_with('/') {
                return Err(format!("{root:?} is not the path of a root"));
            }
            (Some(root.to_owned()), rest)
        }
        None => (None, rest),
    };
    let (use_flags, rest) = use_state::take_use_state(rest)?;
    let size_bytes = match (rest.is_empty(), kind.is_merge()) {
        (true, false) => None,
        (true, true) => return Err("the size is missing at its end".to_owned()),
        (false, true) => Some(parse_size(rest)?),
        (false, false) => return Err(format!("{rest:?} is not understood")),
    };
    check_previous(&status, &previous)?;
    Ok(Row {
        kind,
        status,
        cpv,
        build_id,
        slot,
        repository,
        previous,
        root,
        use_flags,
        size_bytes,
    })
}

/// An upgrade replaces something, and a new package does not: a row whose brackets were lost would
/// otherwise read well.
fn check_previous(status: &Status, previous: &[Previous]) -> Result<(), String> {
    if (status.upgrade || status.new_slot) && previous.is_empty() {
        return Err("the previous versions are missing".to_owned());
    }
    if status.new && !status.new_slot && !previous.is_empty() {
        return Err("a new package has no previous versions".to_owned());
    }
    Ok(())
}

/// Reads the seven letters of a row that installs something.
fn parse_status(letters: &str) -> Result<Status, String> {
    let wrong = || format!("the letters {letters:?} are not understood");
    let [interactive, new, slot, fetch, upgrade, downgrade, mask] =
        <[u8; 7]>::try_from(letters.as_bytes()).map_err(|_| wrong())?;
    let one = |byte: u8, letter: u8| match byte {
        b' ' => Ok(false),
        byte if byte == letter => Ok(true),
        _ => Err(wrong()),
    };
    let status = Status {
        interactive: one(interactive, b'I')?,
        new: new == b'N' || (new != b'r' && one(new, b'N')?),
        rebuild: new == b'r',
        reinstall: slot == b'R',
        new_slot: slot == b'S' || (slot != b'R' && one(slot, b'S')?),
        fetch_restriction: match fetch {
            b'F' => Some(FetchRestriction::Unsatisfied),
            b'f' => Some(FetchRestriction::Satisfied),
            b' ' | b'g' => None,
            _ => return Err(wrong()),
        },
        remote_binary: fetch == b'g',
        upgrade: one(upgrade, b'U')?,
        downgrade: one(downgrade, b'D')?,
        mask: match mask {
            b' ' => None,
            b'~' => Some(Mask::Testing),
            b'*' => Some(Mask::MissingKeyword),
            b'#' => Some(Mask::Masked),
            _ => return Err(wrong()),
        },
    };
    let reasons = [status.new, status.reinstall, status.upgrade];
    if reasons.iter().filter(|reason| **reason).count() != 1 {
        return Err(format!(
            "the letters {letters:?} name not one of N, R and U"
        ));
    }
    if (status.new_slot && !status.new) || (status.downgrade && !status.upgrade) {
        return Err(wrong());
    }
    Ok(status)
}

/// Splits `cat/pn-1.0:0/2::gentoo`. Portage leaves the slot `0/0` out.
fn split_slot_and_repository(
    input: &str,
) -> Result<(&str, SlotAndSubslot, Option<RepositoryName>), String> {
    let Some((rest, repository)) = input.split_once("::") else {
        return Err("the repository is missing, as without --verbose".to_owned());
    };
    let (name, slot) = match rest.split_once(':') {
        Some((name, slot)) => (name, slot.parse().map_err(text)?),
        None => (rest, SlotAndSubslot::zero()),
    };
    // This is how Portage calls a repository that it does not know.
    let repository = match repository {
        "__unknown__" => None,
        name => Some(name.parse().map_err(text)?),
    };
    Ok((name, slot, repository))
}

fn parse_previous(list: &str) -> Result<Vec<Previous>, String> {
    list.split(", ")
        .map(|item| {
            let (version, slot, repository) = split_slot_and_repository(item)?;
            let version: Version = version.parse().map_err(text)?;
            Ok(Previous {
                version,
                slot,
                repository,
            })
        })
        .collect()
}

/// Reads `1,234 KiB`, in bytes. The separator of thousands is that of the locale.
pub(super) fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is not a size in KiB");
    let number = text
        .strip_suffix(" KiB")
        .or_else(|| text.strip_suffix(" kB"))
        .ok_or_else(wrong)?;
    let well_formed = number
        .bytes()
        .all(|b| b.is_ascii_digit() || b",.'".contains(&b))
        && number.starts_with(|c: char| c.is_ascii_digit())
        && number
            .split([',', '.', '\''])
            .skip(1)
            .all(|group| group.len() == 3);
    if !well_formed {
        return Err(wrong());
    }
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    digits
        .parse::<u64>()
        .ok()
        .and_then(|kib| kib.checked_mul(1024))
        .ok_or_else(wrong)
}

/// Reads `app-misc/old ("<app-misc/old-2" is soft blocking app-misc/new-1.0, app-misc/newer-1.0)`,
/// or the same with `(is soft blocking …)`.
fn parse_block(letters: &str, rest: &str) -> Result<Block, String> {
    let satisfied = match letters.trim_end() {
        "b" => true,
        "B" => false,
        _ => return Err(format!("the letters {letters:?} are not understood")),
    };
    let wrong = || "a block names what is blocked, and in brackets by what".to_owned();
    let (resolved, reason) = rest.split_once(" (").ok_or_else(wrong)?;
    let reason = reason.strip_suffix(')').ok_or_else(wrong)?;
    let (atom, by) = match reason.strip_prefix('"') {
        Some(quoted) => quoted.split_once("\" ").ok_or_else(wrong)?,
        None => (resolved, reason),
    };
    let by = ["is soft blocking ", "is hard blocking ", "is blocking "]
        .iter()
        .find_map(|words| by.strip_prefix(words))
        .ok_or_else(wrong)?;
    let blocked: Atom = atom.parse().map_err(text)?;
    let by: Result<Vec<Cpv>, String> = by
        .split(", ")
        .map(|cpv| cpv.parse().map_err(text))
        .collect();
    Ok(Block {
        satisfied,
        blocked,
        by: by?,
    })
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(line: &str) -> Row {
        match parse_line(line) {
            Ok(Line::Row(row)) => *row,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn reason(line: &str) -> String {
        match parse_line(line) {
            Err(reason) => reason,
            Ok(line) => panic!("accepted: {line:?}"),
        }
    }

    #[test]
    fn a_row_is_read_in_full() {
        let row = row("[ebuild  rR   *] dev-libs/a-1.0-r1:3/4::gentoo \
                       [0.9:3::gentoo, 2:2::__unknown__] to /usr/cross/ USE=\"x* -y\" 1,234 KiB");
        assert_eq!(row.kind, RowKind::Ebuild);
        assert_eq!(row.status.to_string(), "rR   *");
        assert_eq!(row.cpv.to_string(), "dev-libs/a-1.0-r1");
        assert_eq!(row.slot.to_string(), "3/4");
        assert_eq!(row.repository.unwrap().as_str(), "gentoo");
        assert_eq!(row.root.unwrap(), "/usr/cross/");
        assert_eq!(row.size_bytes, Some(1234 * 1024));
        assert_eq!(row.use_flags.changed.len(), 1);
        let previous: Vec<String> = row
            .previous
            .iter()
            .map(|p| format!("{} {} {:?}", p.version, p.slot, p.repository.is_some()))
            .collect();
        assert_eq!(previous, ["0.9 3 true", "2 2 false"]);
    }

    #[test]
    fn the_build_id_is_no_part_of_a_binary_rows_version() {
        let binary = row("[binary  N g   ] sys-apps/labbase-1.0-r1-1::gentoo  0 KiB");
        assert_eq!(binary.cpv.to_string(), "sys-apps/labbase-1.0-r1");
        assert_eq!(binary.build_id, Some(1));
        assert!(binary.status.remote_binary);
        let single = row("[binary  N     ] sys-apps/labbase-1.0-r1::gentoo  0 KiB");
        assert_eq!(single.build_id, None);
        let ebuild = "[ebuild  N     ] sys-apps/labbase-1.0-r1-1::gentoo  0 KiB";
        assert!(reason(ebuild).contains("not a valid"), "{}", reason(ebuild));
    }

    #[test]
    fn every_letter_is_read_and_printed_back() {
        for letters in [
            "IN     ", " NS    ", "  R    ", " rR    ", "    U  ", "    UD ", " r  U  ", " N F   ",
            " N f   ", " NSg   ", " N    ~", " N    #", " N    *", "IrRfUD*",
        ] {
            let parsed = parse_status(letters);
            if letters == "IrRfUD*" {
                assert!(parsed.is_err());
                continue;
            }
            assert_eq!(parsed.unwrap().to_string(), letters.trim());
        }
        for letters in [
            "       ", "X      ", " U     ", "   U   ", "     D ", "  S    ", "N      ", " N  U  ",
            "  R U  ", " N   D ", " N    x", " n     ", "r      ",
        ] {
            assert!(parse_status(letters).is_err(), "{letters:?}");
        }
    }

    #[test]
    fn a_row_that_is_not_understood_says_why() {
        for (line, words) in [
            ("ebuild N a/b-1", "neither a row"),
            ("[ebuild  N    ] a/b-1::gentoo  0 KiB", "--quiet"),
            ("[ebuild  N      ] a/b-1::gentoo  0 KiB", "seven columns"),
            ("[ebuild  N     ]a/b-1::gentoo  0 KiB", "blank is missing"),
            ("[ebuild  N     ] a/b-1  0 KiB", "repository is missing"),
            ("[ebuild  N     ] a/b-1::gentoo", "size is missing"),
            ("[ebuild  N     ] a/b-1::gentoo  0", "not a size"),
            ("[ebuild  N     ] a/b-1::gentoo  0 KiB 0 KiB", "not a size"),
            ("[ebuild  N     ] a/b-1::gentoo  12,34 KiB", "not a size"),
            ("[ebuild  N     ] a/b-1::gentoo x 0 KiB", "not a size"),
            ("[ebuild  N     ] a/b::gentoo  0 KiB", "not a valid"),
            ("[ebuild  N     ] a/b-1:::gentoo  0 KiB", "not a valid"),
            ("[ebuild  N     ] a/b-1;touch::gentoo  0 KiB", "not a valid"),
            (
                "[ebuild  N     ] a/b-1::gentoo [0::gentoo] 0 KiB",
                "no previous",
            ),
            (
                "[ebuild     U  ] a/b-1::gentoo  0 KiB",
                "previous versions are missing",
            ),
            ("[ebuild     U  ] a/b-1::gentoo [0::gentoo 0 KiB", "no end"),
            (
                "[ebuild     U  ] a/b-1::gentoo [0] 0 KiB",
                "repository is missing",
            ),
            (
                "[ebuild  N     ] a/b-1::gentoo to root 0 KiB",
                "path of a root",
            ),
            ("[nomerge  N    ] a/b-1::gentoo", "letters"),
            ("[nomerge       ] a/b-1::gentoo  0 KiB", "not understood"),
            ("[uninstall     ] a/b-1-2::gentoo ", "not a valid"),
            ("[blocks b      ] a/b", "names what is blocked"),
            ("[blocks c      ] a/b (is blocking c/d-1)", "letters"),
            ("[blocks b      ] a/b (is blocking c/d)", "not a valid"),
            ("[ebuild  N     ] a/b-1::gäntoo  0 KiB", "ASCII"),
        ] {
            assert!(reason(line).contains(words), "{line}: {}", reason(line));
        }
    }

    #[test]
    fn a_block_names_both_sides() {
        for (line, satisfied, blocked, by) in [
            (
                "[blocks b      ] a/old (\"<a/old-2:0\" is soft blocking a/new-1.0, a/newer-2)",
                true,
                "<a/old-2:0",
                "a/new-1.0 a/newer-2",
            ),
            (
                "[blocks B      ] a/old (is hard blocking a/new-1.0)",
                false,
                "a/old",
                "a/new-1.0",
            ),
        ] {
            let Ok(Line::Block(block)) = parse_line(line) else {
                panic!("{line}")
            };
            assert_eq!(block.satisfied, satisfied);
            assert_eq!(block.blocked.to_string(), blocked);
            let names: Vec<String> = block.by.iter().map(Cpv::to_string).collect();
            assert_eq!(names.join(" "), by);
        }
    }
}
