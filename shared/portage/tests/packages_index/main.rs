//! The index of a real store, whole and damaged.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod damage;
mod reading;

use gentoo_updater_portage::name::UseFlag;
use gentoo_updater_portage::packages_index::{
    Decoder, DependencyKind, Entry, Header, IndexError, MAX_ENTRY_LENGTH, PackagesIndex,
};

pub(crate) const INDEX: &str = include_str!("../fixtures/index/Packages");
pub(crate) const HEADER: &str =
    "CHOST: a-b\nPACKAGES: 1\nREPO: local\nTIMESTAMP: 5\nVERSION: 0\n\n";

pub(crate) fn entry<'a>(index: &'a PackagesIndex, cpv: &str) -> &'a Entry {
    index
        .entries
        .iter()
        .find(|entry| entry.cpv.to_string() == cpv)
        .unwrap()
}

pub(crate) fn replaced(from: &str, to: &str) -> Result<PackagesIndex, IndexError> {
    assert!(INDEX.contains(from), "{from}");
    PackagesIndex::parse(INDEX.replacen(from, to, 1))
}

/// Reads `bytes` in pieces that end where `ends` says.
pub(crate) fn in_pieces(bytes: &[u8], ends: &[usize]) -> Result<(Header, Vec<Entry>), IndexError> {
    let mut entries = Vec::new();
    let mut decoder = Decoder::new();
    let mut start = 0;
    for end in ends.iter().chain([&bytes.len()]) {
        decoder.feed(&bytes[start..*end], |entry| {
            entries.push(entry.to_entry()?);
            Ok::<(), IndexError>(())
        })?;
        start = *end;
    }
    Ok((decoder.finish()?, entries))
}

/// Calls `look` with the one entry of an index.
pub(crate) fn with_entry<T>(
    lines: &str,
    look: impl Fn(&gentoo_updater_portage::packages_index::EntryRef<'_>) -> T,
) -> T {
    let mut seen = None;
    let mut decoder = Decoder::new();
    decoder
        .feed(format!("{HEADER}{lines}\n").as_bytes(), |entry| {
            seen = Some(look(entry));
            Ok::<(), IndexError>(())
        })
        .unwrap();
    decoder.finish().unwrap();
    seen.unwrap()
}
