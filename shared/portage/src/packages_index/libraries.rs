//! PROVIDES and REQUIRES: `x86_64: libz.so.1 libc.so.6 x86_32: libc.so.6`.

use std::collections::{BTreeMap, BTreeSet};

/// The libraries by multilib category, or the word at which the text stops making sense.
///
/// The rules of `portage/dep/soname/parse.py`: no library before the first category, and no
/// category that is empty or there twice.
pub(super) fn parse(text: &str) -> Result<BTreeMap<&str, BTreeSet<&str>>, &str> {
    let mut found = BTreeMap::new();
    let mut current: Option<(&str, BTreeSet<&str>)> = None;
    for word in text.split_ascii_whitespace() {
        match (word.strip_suffix(':'), &mut current) {
            (Some(category), current) => {
                if let Some((previous, libraries)) = current.take() {
                    insert(&mut found, previous, libraries)?;
                }
                *current = Some((category, BTreeSet::new()));
            }
            (None, Some((_, libraries))) => _ = libraries.insert(word),
            (None, None) => return Err(word),
        }
    }
    if let Some((previous, libraries)) = current {
        insert(&mut found, previous, libraries)?;
    }
    Ok(found)
}

fn insert<'a>(
    found: &mut BTreeMap<&'a str, BTreeSet<&'a str>>,
    category: &'a str,
    libraries: BTreeSet<&'a str>,
) -> Result<(), &'a str> {
    if category.is_empty() || libraries.is_empty() || found.insert(category, libraries).is_some() {
        return Err(category);
    }
    Ok(())
}
