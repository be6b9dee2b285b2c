//! The letters between the brackets: `[ebuild  rR   *]`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::RowKind;

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
    /// The last column: why it would be masked if configuration did not accept it. Portage before
    /// 2.1.10 does not have the column.
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

/// Reads the letters of a row of this kind: seven, or six without the column of masks.
pub(super) fn parse_letters(letters: &str, kind: RowKind) -> Result<Status, String> {
    let wrong = || format!("the letters {letters:?} are not understood");
    if !kind.is_merge() {
        let blank = letters.bytes().all(|byte| byte == b' ');
        return blank.then(Status::default).ok_or_else(wrong);
    }
    let mut columns = [b' '; 7];
    let (6 | 7) = letters.len() else {
        return Err(wrong());
    };
    columns[..letters.len()].copy_from_slice(letters.as_bytes());
    let [interactive, new, slot, fetch, upgrade, downgrade, mask] = columns;
    let one = |byte: u8, letter: u8| match byte {
        b' ' => Ok(false),
        byte if byte == letter => Ok(true),
        _ => Err(wrong()),
    };
    let status = Status {
        interactive: one(interactive, b'I')?,
        new: new != b'r' && one(new, b'N')?,
        rebuild: new == b'r',
        reinstall: slot == b'R',
        new_slot: slot != b'R' && one(slot, b'S')?,
        // Only ebuilds have sources, and only binary packages come from a server of those.
        fetch_restriction: match (fetch, kind) {
            (b'F', RowKind::Ebuild) => Some(FetchRestriction::Unsatisfied),
            (b'f', RowKind::Ebuild) => Some(FetchRestriction::Satisfied),
            (b' ', _) | (b'g', RowKind::Binary) => None,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_is_read_and_printed_back() {
        for letters in [
            "IN     ", " NS    ", "  R    ", " rR    ", "    U  ", "    UD ", " r  U  ", " N F   ",
            " N f   ", " N    ~", " N    #", " N    *", " NS   ", "   fUD", "I R   ",
        ] {
            let status = parse_letters(letters, RowKind::Ebuild).unwrap();
            assert_eq!(status.to_string(), letters.trim());
        }
        for letters in [" NSg   ", "   gU  ", " rRg  ~"] {
            let status = parse_letters(letters, RowKind::Binary).unwrap();
            assert_eq!(status.to_string(), letters.trim());
            assert!(parse_letters(letters, RowKind::Ebuild).is_err());
        }
    }

    #[test]
    fn letters_that_portage_cannot_print_are_refused() {
        for letters in [
            "       ",
            "X      ",
            " U     ",
            "   U   ",
            "     D ",
            "  S    ",
            "N      ",
            " N  U  ",
            "  R U  ",
            " N   D ",
            " N    x",
            " n     ",
            "r      ",
            "IrRfUD*",
            " N   ",
            " N      ",
            " N\u{e4}   ",
        ] {
            for kind in [RowKind::Ebuild, RowKind::Binary] {
                assert!(parse_letters(letters, kind).is_err(), "{letters:?}");
            }
        }
        assert!(parse_letters(" N F   ", RowKind::Binary).is_err());
        for kind in [RowKind::NoMerge, RowKind::Uninstall] {
            assert_eq!(parse_letters("     ", kind).unwrap(), Status::default());
            assert!(parse_letters(" N   ", kind).is_err());
        }
    }
}
