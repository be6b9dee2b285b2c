//! An entry of the metadata cache of an ebuild repository: `metadata/md5-cache/CATEGORY/PF`.
//!
//! The format is `md5-dict` (PMS 14.3; `portage/cache/flat_hash.py`): lines `KEY=value`, of which
//! `_md5_` is the MD5 of the ebuild and `_eclasses_` the MD5 of each eclass that it inherits,
//! directly or not. A key that is missing is empty. Portage splits at the first `=` and takes
//! whatever it finds; of two lines of one key it takes the last. This reader refuses both.

mod eclasses;
mod error;

pub use eclasses::Eclass;
pub use error::Md5CacheError;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::build_key::HexDigest;
use crate::dependency::Dependency;
use crate::name::{SlotAndSubslot, UseFlag};
use crate::packages_index::DependencyKind;
use crate::text::excerpt;

/// What an entry says of one ebuild.
///
/// Checked at once: the digests, SLOT, EAPI, IUSE, and that no key is there twice. Dependencies are
/// read when they are asked for, because a repository has more than thirty thousand entries.
///
/// Printed as Portage writes it: sorted by key, empty ones left out. Reading what was printed gives
/// an equal entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Md5CacheEntry {
    fields: BTreeMap<String, String>,
    slot: SlotAndSubslot,
    iuse: Vec<(UseFlag, Option<bool>)>,
    eclasses: Vec<Eclass>,
    ebuild_md5: HexDigest,
}

impl Md5CacheEntry {
    /// Reads an entry.
    ///
    /// # Errors
    ///
    /// See [`Md5CacheError`]. A file without a line feed at its end was cut.
    pub fn parse(bytes: impl AsRef<[u8]>) -> Result<Self, Md5CacheError> {
        let text = text_of(bytes.as_ref())?;
        if text.is_empty() {
            return Err(Md5CacheError::Missing("_md5_"));
        }
        let Some(text) = text.strip_suffix('\n') else {
            return Err(Md5CacheError::Truncated);
        };
        let mut fields = BTreeMap::new();
        let mut places = BTreeMap::new();
        for (index, line) in text.split('\n').enumerate() {
            let number = index + 1;
            let field = line.split_once('=').filter(|(key, _)| is_key(key));
            let (key, value) = field.ok_or_else(|| Md5CacheError::Line {
                number,
                line: excerpt(line),
            })?;
            if places.insert(key, number).is_some() {
                return Err(Md5CacheError::Twice {
                    number,
                    key: excerpt(key),
                });
            }
            if !value.is_empty() {
                fields.insert(key.to_owned(), value.to_owned());
            }
        }
        Self::check(fields, |key| places.get(key).copied().unwrap_or_default())
    }

    fn check(
        fields: BTreeMap<String, String>,
        line_of: impl Fn(&str) -> usize,
    ) -> Result<Self, Md5CacheError> {
        let value = |key: &str| fields.get(key).map(String::as_str);
        let wrong = |key: &'static str, reason: String| Md5CacheError::Value {
            number: line_of(key),
            key,
            reason,
        };
        let required = |key: &'static str| value(key).ok_or(Md5CacheError::Missing(key));
        let ebuild_md5 = eclasses::md5(required("_md5_")?);
        let ebuild_md5 = ebuild_md5.map_err(|reason| wrong("_md5_", reason))?;
        let eclasses = eclasses::read(value("_eclasses_").unwrap_or_default());
        let eclasses = eclasses.map_err(|reason| wrong("_eclasses_", reason))?;
        let slot = required("SLOT")?.parse();
        let slot = slot.map_err(|error| wrong("SLOT", format!("{error}")))?;
        let flags = value("IUSE").unwrap_or_default().split_ascii_whitespace();
        let iuse = flags.map(flag).collect::<Result<_, _>>();
        let iuse = iuse.map_err(|error| wrong("IUSE", format!("{error}")))?;
        if let Some(eapi) = value("EAPI").filter(|eapi| !is_eapi(eapi)) {
            return Err(wrong("EAPI", format!("{:?} is not an EAPI", excerpt(eapi))));
        }
        Ok(Self {
            slot,
            iuse,
            eclasses,
            ebuild_md5,
            fields,
        })
    }

    /// A key as text, empty where it is missing.
    #[must_use]
    pub fn get(&self, key: &str) -> &str {
        self.fields.get(key).map_or("", String::as_str)
    }

    /// All keys that are not empty, also those that nobody knows, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The MD5 of the ebuild (`_md5_`): the entry is valid only where the ebuild still has it.
    #[must_use]
    pub fn ebuild_md5(&self) -> &HexDigest {
        &self.ebuild_md5
    }

    /// The eclasses that the ebuild inherits, directly or not (`_eclasses_`), sorted by name.
    #[must_use]
    pub fn eclasses(&self) -> &[Eclass] {
        &self.eclasses
    }

    /// The eclasses that the ebuild itself names (INHERIT), which Portage records since 3.0.24.
    pub fn inherit(&self) -> impl Iterator<Item = &str> {
        self.get("INHERIT").split_ascii_whitespace()
    }

    /// The EAPI; 0 where the ebuild names none.
    #[must_use]
    pub fn eapi(&self) -> &str {
        match self.get("EAPI") {
            "" => "0",
            eapi => eapi,
        }
    }

    /// Slot and subslot.
    #[must_use]
    pub fn slot(&self) -> &SlotAndSubslot {
        &self.slot
    }

    /// The flags of IUSE in its order, and the default of those that have one.
    #[must_use]
    pub fn iuse(&self) -> &[(UseFlag, Option<bool>)] {
        &self.iuse
    }

    /// The words of KEYWORDS: `amd64`, `~arm64`, `-*`.
    pub fn keywords(&self) -> impl Iterator<Item = &str> {
        self.get("KEYWORDS").split_ascii_whitespace()
    }

    /// The phases that ebuild and eclasses define, without `src_` and `pkg_`. None where
    /// DEFINED_PHASES is `-`, which is not the same as its absence.
    #[must_use]
    pub fn defined_phases(&self) -> Option<Vec<&str>> {
        match self.get("DEFINED_PHASES") {
            "" => None,
            "-" => Some(Vec::new()),
            phases => Some(phases.split_ascii_whitespace().collect()),
        }
    }

    /// One of the dependency variables.
    ///
    /// # Errors
    ///
    /// [`Md5CacheError::Value`] without a line, where PMS 8.2 does not permit the text.
    pub fn dependency(&self, kind: DependencyKind) -> Result<Dependency, Md5CacheError> {
        let key = kind.variable();
        let dependency = self.get(key).parse();
        dependency.map_err(|error| Md5CacheError::Value {
            number: 0,
            key,
            reason: format!("{error}"),
        })
    }
}

impl FromStr for Md5CacheEntry {
    type Err = Md5CacheError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for Md5CacheEntry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter()
            .try_for_each(|(key, value)| writeln!(formatter, "{key}={value}"))
    }
}

fn text_of(bytes: &[u8]) -> Result<&str, Md5CacheError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        Md5CacheError::NotUtf8(1 + memchr::memchr_iter(b'\n', before).count())
    })
}

fn is_key(key: &str) -> bool {
    !key.is_empty()
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn flag(word: &str) -> Result<(UseFlag, Option<bool>), crate::name::NameError> {
    let (name, default) = match word.split_at_checked(1) {
        Some(("+", name)) => (name, Some(true)),
        Some(("-", name)) => (name, Some(false)),
        _ => (word, None),
    };
    Ok((name.parse()?, default))
}

/// PMS 2.1.1: `[A-Za-z0-9+_.-]`, not beginning with a hyphen, a dot or a plus sign.
fn is_eapi(text: &str) -> bool {
    !text.starts_with(['-', '.', '+'])
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+_.-".contains(&byte))
}
