//! `_eclasses_`: name and MD5 of each eclass, all separated by tabulators.

use crate::build_key::HexDigest;
use crate::text::excerpt;

/// An eclass that an ebuild inherits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Eclass {
    /// Its name without `.eclass`.
    pub name: String,
    /// The MD5 of its file.
    pub md5: HexDigest,
}

pub(super) fn read(text: &str) -> Result<Vec<Eclass>, String> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let mut words = text.split('\t');
    let mut found: Vec<Eclass> = Vec::new();
    while let Some(name) = words.next() {
        if !is_name(name) {
            return Err(format!("{:?} is not the name of an eclass", excerpt(name)));
        }
        let md5 = words
            .next()
            .ok_or_else(|| format!("{name} has no checksum"))
            .and_then(self::md5)?;
        found.push(Eclass {
            name: name.to_owned(),
            md5,
        });
    }
    found.sort();
    match found.windows(2).find(|pair| pair[0].name == pair[1].name) {
        Some(pair) => Err(format!("{} is there twice", pair[0].name)),
        None => Ok(found),
    }
}

pub(super) fn md5(text: &str) -> Result<HexDigest, String> {
    let digest = text.parse::<HexDigest>().ok();
    digest
        .filter(|digest| digest.as_str().len() == 32)
        .ok_or_else(|| format!("{:?} is not an MD5", excerpt(text)))
}

/// PMS 3.1.8: `[A-Za-z0-9_.-]`, beginning with a letter or an underscore, and not `default`.
fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name != "default"
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}
