//! Which files of a store are read, for which digests, and what came of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;

use serde::Deserialize;

use super::inventory::{Digests, FileState, Inventory};

/// The algorithm of records.
pub(in crate::store) const SHA256: &str = "sha256";
/// Asks whether a binary package is whole by what stands in itself.
const WHOLE: &str = "whole";

/// How many bytes are read at a time, and how many files: progress is shown in between. So many that
/// to begin anew costs nothing beside it.
const BYTES_AT_ONCE: u64 = 4 << 30;
const FILES_AT_ONCE: usize = 10_000;

/// A file that is to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Reading {
    pub(in crate::store) path: String,
    pub(in crate::store) size: u64,
    asked: BTreeSet<String>,
}

impl Reading {
    /// Of this file, for the digest that records and notes name.
    pub(in crate::store) fn of(path: &str, size: u64) -> Self {
        Self {
            path: path.to_owned(),
            size,
            asked: [SHA256.to_owned()].into(),
        }
    }
}

/// What was found in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) enum Measured {
    /// It was read as a whole.
    Read {
        state: FileState,
        digests: Digests,
        /// Whether it is whole by what stands in itself, where that was asked and can be told.
        is_whole: Option<bool>,
    },
    /// It was not there, or was changed while it was read.
    Changing,
    /// The machine cannot read it.
    Unreadable(String),
}

/// What was found in files, by their paths.
pub(in crate::store) type Measures = HashMap<String, Measured>;

/// All binaries, with the digests that the index, a record or a note names for each. What has none
/// is asked whether it is whole.
pub(super) fn all(inventory: &Inventory) -> Vec<Reading> {
    let reading = |(path, state): (&String, &FileState)| {
        let entries = inventory.entries.get(path).into_iter().flatten();
        let mut asked: BTreeSet<String> = entries
            .flat_map(|entry| entry.digests.keys().cloned())
            .collect();
        if inventory.records.contains_key(path) || inventory.notes.contains_key(path) {
            asked.insert(SHA256.to_owned());
        }
        if asked.is_empty() {
            asked.insert(WHOLE.to_owned());
        }
        Reading {
            path: path.clone(),
            size: state.0,
            asked,
        }
    };
    inventory.binaries.iter().map(reading).collect()
}

/// Those of `all` with these paths, each asked whether it is whole, too, and for the digest by which it
/// can be told that it reads the same once more.
pub(super) fn again(all: &[Reading], paths: &BTreeSet<String>) -> Vec<Reading> {
    let wanted = all.iter().filter(|reading| paths.contains(&reading.path));
    let asked = wanted.cloned().map(|mut reading| {
        reading.asked.extend([WHOLE, SHA256].map(str::to_owned));
        reading
    });
    asked.collect()
}

/// Cuts readings into parts that each take their time, with large and small files in each: the small
/// ones are read last, and all processors end together.
pub(super) fn parts(mut readings: Vec<Reading>) -> Vec<Vec<Reading>> {
    let bytes: u64 = readings.iter().map(|reading| reading.size).sum();
    let by_bytes = usize::try_from(bytes.div_ceil(BYTES_AT_ONCE)).unwrap_or(usize::MAX);
    let count = by_bytes.max(readings.len().div_ceil(FILES_AT_ONCE));
    let count = count.min(readings.len());
    readings.sort_by(|one, other| (other.size, &one.path).cmp(&(one.size, &other.path)));
    let mut parts = vec![Vec::new(); count];
    for (number, reading) in readings.into_iter().enumerate() {
        parts[number % count].push(reading);
    }
    parts
}

/// The algorithms of all digests that were made.
pub(super) fn algorithms(measures: &Measures) -> BTreeSet<String> {
    let digests = measures.values().filter_map(|measured| match measured {
        Measured::Read { digests, .. } => Some(digests),
        _ => None,
    });
    digests
        .flat_map(|digests| digests.keys().cloned())
        .collect()
}

/// The question of `measure.py`.
pub(super) fn question(readings: &[Reading]) -> String {
    let mut text = String::new();
    for Reading { path, asked, .. } in readings {
        let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
        let _ = writeln!(text, "{} {path}", asked.join(","));
    }
    text
}

/// A line of its answer.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Read(String, FileState, Digests, Option<bool>),
    Changing(String, ()),
    Unreadable(String, String),
}

/// Takes its answer over.
///
/// # Errors
/// What is wrong with it. An answer that says nothing of a file that was asked for is one.
pub(super) fn answered(
    measures: &mut Measures,
    readings: &[Reading],
    text: &str,
) -> Result<(), String> {
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let line: Line = serde_json::from_str(line).map_err(|error| {
            format!("{error}: {:?}", line.chars().take(200).collect::<String>())
        })?;
        let (path, measured) = match line {
            Line::Read(path, state, digests, is_whole) => {
                let read = Measured::Read {
                    state,
                    digests,
                    is_whole,
                };
                (path, read)
            }
            Line::Changing(path, ()) => (path, Measured::Changing),
            Line::Unreadable(path, words) => (path, Measured::Unreadable(words)),
        };
        found.insert(path, measured);
    }
    for Reading { path, .. } in readings {
        let measured = found.remove(path);
        let measured = measured.ok_or_else(|| format!("nothing is said of {path}"))?;
        measures.insert(path.clone(), measured);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(path: &str, size: u64) -> Reading {
        Reading {
            path: path.to_owned(),
            size,
            asked: ["md5", "sha1"].map(str::to_owned).into(),
        }
    }

    #[test]
    fn each_part_has_large_files_first_and_small_ones_last() {
        let sizes = [1, 9, 5, 7, 3, 8].map(|gigabytes| gigabytes << 30);
        let readings = sizes.iter().map(|size| reading(&size.to_string(), *size));
        let parts = parts(readings.collect());
        assert_eq!(parts.len(), 6, "one part a file at most");
        let many = vec![reading("a", 1); 2 * FILES_AT_ONCE + 1];
        let parts = super::parts(many);
        assert_eq!(parts.len(), 3);
        let few = super::parts(vec![reading("a", 1), reading("b", 3), reading("c", 2)]);
        let sizes: Vec<u64> = few[0].iter().map(|reading| reading.size).collect();
        assert_eq!((few.len(), sizes), (1, vec![3, 2, 1]));
        assert_eq!(super::parts(Vec::new()).len(), 0);
    }

    #[test]
    fn an_answer_that_lacks_a_file_is_an_error() {
        let asked = [reading("a/b c", 1), reading("gone", 1), reading("bad", 1)];
        assert_eq!(question(&asked[..1]), "md5,sha1 a/b c\n");
        let answer = "[\"bad\",\"Input/output error\"]\n\
                      [\"a/b c\",[1,2,3],{\"md5\":\"00\"},null]\n[\"gone\",null]\n";
        let mut measures = Measures::new();
        answered(&mut measures, &asked, answer).unwrap();
        assert_eq!(measures["gone"], Measured::Changing);
        assert!(
            matches!(&measures["bad"], Measured::Unreadable(words) if words.starts_with("Input"))
        );
        let read = &measures["a/b c"];
        assert!(matches!(read, Measured::Read { digests, .. } if digests["md5"] == "00"));
        for cut in 0..answer.len() - 1 {
            assert!(
                answered(&mut measures, &asked, &answer[..cut]).is_err(),
                "{cut}"
            );
        }
    }
}
