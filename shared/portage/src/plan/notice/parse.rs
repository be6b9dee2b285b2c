//! Divides text into notices.

use super::beginnings::{Until, beginning, is_continuation};
use super::detail::read_detail;
use super::{Notice, NoticeKind};
use crate::atom::Atom;

/// The beginning of the notice that holds the world atoms which have no ebuild. One line follows
/// that ends the sentence, and one that holds the atoms.
const ATOMS_WITHOUT_EBUILD: &str = "!!! Ebuilds for the following packages are either all";

/// Always followed by the notice that names the atoms.
const WORLD_FILE_PROBLEM: &str = "!!! Problems have been detected with your world file";

/// Words of an error in any program's language, as they stand in a line of stderr. A login shell
/// prints much, but not these.
const WORDS_OF_ERRORS: [&str; 22] = [
    "error",
    "exception",
    "failed",
    "cannot ",
    "could not ",
    "permission denied",
    "no such file",
    "not found",
    "no space left",
    "read-only file system",
    "stale file handle",
    "segmentation fault",
    "out of memory",
    "corrupt",
    "invalid",
    "unavailable",
    "unsupported",
    "unable to ",
    "not permitted",
    "too many levels",
    "null byte",
    // `"/etc/portage/make.conf", line 7: No closing quotation`
    "\", line ",
];

/// Whether a line begins a notice about the plan, and is not noise.
pub(in super::super) fn begins(line: &str) -> bool {
    line.starts_with("!!!") || beginning(line).is_some()
}

/// Divides what was printed to stdout. The lines hold no escape sequences.
pub(in super::super) fn parse<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<Notice> {
    Division::of(lines, false)
}

/// Divides what was printed to stderr. What emerge did not say may still be an error there: that
/// of Python, of a shell, of ssh.
pub(in super::super) fn parse_errors<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<Notice> {
    Division::of(lines, true)
}

/// One notice.
struct Piece<'a> {
    kind: NoticeKind,
    until: Until,
    text: Vec<&'a str>,
    /// It only announced one that followed.
    is_redundant: bool,
}

/// The notices so far.
#[derive(Default)]
struct Division<'a> {
    pieces: Vec<Piece<'a>>,
    /// Whether the last one goes on.
    open: bool,
    after_empty_line: bool,
    is_stderr: bool,
    /// Which notices announce one that names world atoms, and that did not come yet.
    announcements: Vec<usize>,
}

impl<'a> Division<'a> {
    fn of(lines: impl Iterator<Item = &'a str>, is_stderr: bool) -> Vec<Notice> {
        let mut division = Self {
            after_empty_line: true,
            is_stderr,
            ..Self::default()
        };
        let mut lines = lines.map(str::trim_end);
        while let Some(line) = lines.next() {
            if line.starts_with(ATOMS_WITHOUT_EBUILD) {
                let text = std::iter::once(line).chain(lines.by_ref().take(2));
                division.world_atoms(text.collect());
            } else {
                division.line(line);
            }
        }
        let pieces = division.pieces.into_iter();
        pieces
            .filter(|piece| !piece.is_redundant)
            .map(|piece| finish(piece.kind, &piece.text))
            .collect()
    }

    fn begin(&mut self, kind: NoticeKind, until: Until, line: &'a str) {
        if line.starts_with(WORLD_FILE_PROBLEM) {
            self.announcements.push(self.pieces.len());
        }
        self.pieces.push(Piece {
            kind,
            until,
            text: vec![line],
            is_redundant: false,
        });
        self.open = true;
    }

    fn line(&mut self, line: &'a str) {
        let after_empty_line = std::mem::replace(&mut self.after_empty_line, line.is_empty());
        let is_error = self.is_error(line);
        let current = self.pieces.last_mut().filter(|_| self.open);
        if line.is_empty() {
            if let Some(piece) = current {
                self.open = piece.until == Until::NextNotice;
                piece.text.push(line);
            }
            return;
        }
        if let Some((kind, until)) = beginning(line) {
            return self.begin(kind, until, line);
        }
        match current {
            Some(piece)
                if line.starts_with("!!!")
                    && (after_empty_line || !is_continuation(line, &piece.kind)) => {}
            // The comment of a `package.mask` and the reason of a mask may have any words.
            Some(piece)
                if is_error && !piece.kind.is_objection() && !line.starts_with(['#', '-']) => {}
            Some(piece) => return piece.text.push(line),
            None => {}
        }
        let kind = if line.starts_with("!!!") || is_error {
            NoticeKind::Unrecognised
        } else {
            NoticeKind::Noise
        };
        self.begin(kind, Until::EmptyLine, line);
    }

    fn is_error(&self, line: &str) -> bool {
        if !self.is_stderr {
            return false;
        }
        let line = line.to_ascii_lowercase();
        // Shells complain of a locale that the machine does not have; emerge goes on without.
        let of_locale = ["setlocale", "cannot change locale", "setting locale failed"];
        !of_locale.iter().any(|words| line.contains(words))
            && WORDS_OF_ERRORS.iter().any(|word| line.contains(word))
    }

    /// Reads the line of atoms. What is not understood is kept as a warning that is not understood.
    fn world_atoms(&mut self, text: Vec<&'a str>) {
        let kind = atoms_without_ebuild(&text);
        if kind != NoticeKind::Unrecognised {
            // The sentence about the world file says nothing beyond this.
            for index in self.announcements.drain(..) {
                if let Some(piece) = self.pieces.get_mut(index) {
                    piece.is_redundant = true;
                }
            }
        }
        self.pieces.push(Piece {
            kind,
            until: Until::EmptyLine,
            text,
            is_redundant: false,
        });
        self.open = false;
        self.after_empty_line = false;
    }
}

fn atoms_without_ebuild(text: &[&str]) -> NoticeKind {
    let [_, "!!! masked or don't exist:", atoms] = text else {
        return NoticeKind::Unrecognised;
    };
    let atoms: Result<Vec<Atom>, _> = atoms.split_ascii_whitespace().map(str::parse).collect();
    match atoms {
        Ok(atoms) if !atoms.is_empty() => NoticeKind::WorldAtomWithoutEbuild { atoms },
        _ => NoticeKind::Unrecognised,
    }
}

fn finish(kind: NoticeKind, lines: &[&str]) -> Notice {
    let text = lines.join("\n").trim_matches('\n').to_owned();
    let kind = match kind {
        NoticeKind::Masked { .. }
            if text.contains("masked by: use flag configuration mismatch") =>
        {
            NoticeKind::UseMismatch
        }
        // The repository is there, but the user "portage" cannot read it.
        NoticeKind::Masked { .. } | NoticeKind::InstalledMasked { .. }
            if text.contains("masked by: corruption") =>
        {
            NoticeKind::RepositoryMissing
        }
        kind => read_detail(kind, lines),
    };
    Notice { kind, text }
}
