//! The index `Packages`.

use std::error::Error;
use std::io::BufRead as _;

use gentoo_updater_portage::packages_index::{Decoder, IndexError};

use crate::input::{self, Numbers};
use crate::memory;
use crate::reference;
use crate::table::{Limit, Table, best_of};

const MEGABYTE: usize = 1_000_000;
/// The size of the index, in megabytes.
const SIZE: usize = 100;
/// How fast it is to be read, in megabytes a second.
const LIMIT: f64 = 300.0;
/// How much more memory an index of [`SIZE`] may need than one of a hundredth of it, in KiB. The
/// index that is read has an entry of about one and a half at a time, and pages are counted by the
/// dozen.
const MEMORY: f64 = 256.0;
/// Portage takes part with a smaller one, in megabytes.
const REFERENCE_SIZE: usize = 5;
/// What is given to the reader at once, in bytes.
const PIECE: usize = 64 << 10;

pub(crate) fn measure(table: &mut Table) -> Result<(), Box<dyn Error>> {
    let (text, entries) = index(SIZE);
    let megabytes = text.len() as f64 / MEGABYTE as f64;
    let read = || -> Result<usize, IndexError> {
        let mut found = 0;
        let mut decoder = Decoder::new();
        for piece in text.as_bytes().chunks(PIECE) {
            decoder.feed(piece, |_| -> Result<(), IndexError> {
                found += 1;
                Ok(())
            })?;
        }
        decoder.finish()?;
        Ok(found)
    };
    assert_eq!(
        read()?,
        entries,
        "the index holds the entries that were written"
    );
    let time = best_of(7, read).as_secs_f64();
    table.check(
        "index of 100 MB, every entry checked",
        megabytes / time,
        "MB/s",
        Limit::AtLeast(LIMIT),
    );
    let owned = || -> Result<u64, IndexError> {
        let mut size = 0;
        let mut decoder = Decoder::new();
        for piece in text.as_bytes().chunks(PIECE) {
            decoder.feed(piece, |entry| {
                entry.to_entry().map(|entry| size += entry.size)
            })?;
        }
        decoder.finish()?;
        Ok(size)
    };
    owned()?;
    let time = best_of(2, owned).as_secs_f64();
    table.show("  with every value read and kept", megabytes / time, "MB/s");
    let time = best_of(5, || lines(&text)).as_secs_f64();
    table.show("  lines counted, nothing read", megabytes / time, "MB/s");

    let small = index(REFERENCE_SIZE);
    let lines: Vec<String> = small.0.split('\n').map(str::to_owned).collect();
    let portage = reference::run("index", &lines)?;
    assert_eq!(portage.result, small.1, "Portage finds as many entries");
    let rate = small.0.len() as f64 / MEGABYTE as f64 / portage.seconds;
    table.show("  Portage's PackageIndex", rate, "MB/s");

    let least = memory::of_child(&(SIZE / 100).to_string())?;
    let most = memory::of_child(&SIZE.to_string())?;
    table.check(
        "  memory for 100 MB more than for 1 MB",
        most - least,
        "KiB",
        Limit::Below(MEMORY),
    );
    table.show("  memory of the whole process", most, "KiB");
    Ok(())
}

/// The entries of an index of a number of megabytes, in its order.
struct Entries {
    numbers: Numbers,
    number: usize,
    /// The bytes that are still to come.
    rest: usize,
}

impl Entries {
    fn of_megabytes(megabytes: usize) -> Self {
        Self {
            numbers: Numbers::new(4),
            number: 0,
            rest: megabytes * MEGABYTE,
        }
    }
}

impl Iterator for Entries {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        if self.rest == 0 {
            return None;
        }
        let entry = input::index_entry(&mut self.numbers, self.number);
        self.number += 1;
        self.rest = self.rest.saturating_sub(entry.len());
        Some(entry)
    }
}

/// An index of a number of megabytes, and how many entries it has.
fn index(megabytes: usize) -> (String, usize) {
    let mut entries = Entries::of_megabytes(megabytes);
    let text: String = entries.by_ref().collect();
    (input::index_header(entries.number) + &text, entries.number)
}

fn lines(text: &str) -> usize {
    let (mut rest, mut lines) = (text.as_bytes(), 0);
    while rest.skip_until(b'\n').is_ok_and(|skipped| skipped > 0) {
        lines += 1;
    }
    lines
}

/// Reads an index of so many megabytes that is never in memory as a whole, and prints the most memory
/// that was used.
pub(crate) fn child(megabytes: &str) -> Result<(), Box<dyn Error>> {
    let megabytes: usize = megabytes.parse()?;
    // The header counts the entries, so they are made twice.
    let entries = Entries::of_megabytes(megabytes).count();
    let header = input::index_header(entries);
    let mut decoder = Decoder::new();
    let mut found = 0;
    for text in std::iter::once(header).chain(Entries::of_megabytes(megabytes)) {
        decoder.feed(text.as_bytes(), |_| -> Result<(), IndexError> {
            found += 1;
            Ok(())
        })?;
    }
    decoder.finish()?;
    assert_eq!(found, entries, "the index holds the entries that were made");
    memory::tell()
}
