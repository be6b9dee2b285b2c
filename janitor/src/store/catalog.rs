//! What lies in a store.
//!
//! A binary of this program is one that a record names (`.gentoo-updater/keys/DIGEST.json`). One that
//! lost its record, or never got one, is still known by what its builder wrote beside its number
//! before it put it there (`orphans`). All other binaries were put there by somebody else; they are
//! counted, and never touched.

use std::collections::{BTreeSet, HashMap, HashSet};

use gentoo_updater_fleet::name::StorePath;
use gentoo_updater_portage::build_key::HexDigest;
use gentoo_updater_portage::cpv::Cpv;

use super::orphans::Orphan;

/// How the names of binary packages end (`portage/binpkg.py`): gpkg(5), and the former form, with a
/// number and without.
const BINARY_ENDS: [&str; 3] = [".gpkg.tar", ".xpak", ".tbz2"];
/// What Portage adds to the name of a file that is not what it should be
/// (`portage/package/ebuild/fetch.py`, `_checksum_failure_temp_file`).
const CHECKSUM_FAILURE: &str = "._checksum_failure_.";
/// Where a builder puts what is not whole yet.
const INCOMING: &str = ".gentoo-updater/incoming/";

/// A number of files, and how large they are together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Total {
    /// How many.
    pub files: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Total {
    /// Counts one more.
    pub fn add(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
    }
}

/// A binary that this program has put into the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The digest of its key, by which its record is named.
    pub key: HexDigest,
    /// Package and version.
    pub cpv: Cpv,
    /// Portage's number of it.
    pub build_id: u32,
    /// Where it lies.
    pub path: StorePath,
    /// Bytes.
    pub size: u64,
    /// The SHA-256 that it had when it was put there.
    pub sha256: HexDigest,
    /// When it was put there, in seconds since 1970.
    pub modified: u64,
}

/// A file that nobody can use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Junk {
    /// Its path below the store, as it is there.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// When it was written last, in seconds since 1970.
    pub modified: u64,
}

/// What lies in a store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalog {
    /// The binaries of this program.
    pub ours: Vec<Stored>,
    /// Binaries of others.
    pub foreign: Total,
    /// Binaries of this program that no record names.
    pub orphans: Vec<Orphan>,
    /// Files that nobody can use: what was not what it should be, and what was never finished.
    pub junk: Vec<Junk>,
    /// Records whose binary is not there: the digest of the key, and where it was.
    pub without_file: Vec<(HexDigest, StorePath)>,
    /// Records that this program cannot read, as their files are named. What they are about counts
    /// as foreign.
    pub unreadable: Vec<String>,
    /// The logs of builds.
    pub logs: Total,
    /// The binaries that no record names and that are not known as this program's, by their paths:
    /// bytes, and when they were written last, in seconds since 1970.
    pub without_record: HashMap<String, (u64, u64)>,
}

/// The text is not what the program that looks into a store prints.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the list of the store cannot be read: {what}: {line:?}")]
pub struct Unreadable {
    what: &'static str,
    line: String,
}

impl Catalog {
    /// Reads what `look.sh` printed: records, names of records that it did not understand, and files.
    ///
    /// # Errors
    /// [`Unreadable`] with the line. A list that was cut off is one: what is missing in it would
    /// count as gone.
    pub fn read(text: &str) -> Result<Self, Unreadable> {
        let cut = || refused("it ends too soon", "");
        let (records, rest) = text.split_once('\0').ok_or_else(cut)?;
        let (unreadable, rest) = rest.split_once('\0').ok_or_else(cut)?;
        let (files, rest) = match rest.strip_prefix('\0') {
            Some(rest) => ("", rest),
            None => rest.split_once("\0\0").ok_or_else(cut)?,
        };
        if !rest.is_empty() {
            return Err(refused("it goes on", rest));
        }
        let name = |line: &str| line.trim_start_matches("./").to_owned();
        let unreadable: BTreeSet<String> = unreadable.lines().map(name).collect();
        let mut catalog = Self::default();
        let (mut there, mut unmatched) = (HashMap::new(), Vec::new());
        for line in files.split_terminator('\0') {
            let (size, modified, path) = file(line)?;
            catalog.sort_in(&mut there, size, modified, path);
        }
        for line in records.lines() {
            let record = record(line)?;
            if unreadable.contains(&format!("{}.json", record.key)) {
                continue;
            }
            match there.get(record.path.as_str()) {
                Some((size, modified)) if *size == record.size => {
                    let modified = *modified;
                    there.remove(record.path.as_str());
                    catalog.ours.push(Stored { modified, ..record });
                }
                // Of another size it is not the one that was stored: somebody else has put it there.
                Some(_) => {}
                None => unmatched.push(record),
            }
        }
        if !unmatched.is_empty() {
            // Of two records that name one file `store repair` finds out which is the right one.
            let named: HashSet<&StorePath> = catalog.ours.iter().map(|it| &it.path).collect();
            let gone = unmatched.into_iter();
            let gone = gone.filter(|record| !named.contains(&record.path));
            catalog.without_file = gone.map(|record| (record.key, record.path)).collect();
        }
        for (path, (size, modified)) in there {
            catalog.foreign.add(size);
            catalog
                .without_record
                .insert(path.to_owned(), (size, modified));
        }
        catalog.unreadable = unreadable.into_iter().collect();
        Ok(catalog)
    }

    /// All that its binaries take, others' too.
    pub fn bytes(&self) -> u64 {
        let orphans = self.orphans.iter().map(|orphan| &orphan.stored);
        let ours: u64 = self.ours.iter().chain(orphans).map(|it| it.size).sum();
        ours + self.foreign.bytes
    }

    /// The digests of the keys that have a binary.
    pub(super) fn served(&self) -> HashSet<&HexDigest> {
        self.ours.iter().map(|stored| &stored.key).collect()
    }

    fn sort_in<'a>(
        &mut self,
        there: &mut HashMap<&'a str, (u64, u64)>,
        size: u64,
        modified: u64,
        path: &'a str,
    ) {
        if path.chars().any(char::is_control) {
            // No program of a fleet makes such a name, and a list of lines cannot say it.
            return;
        }
        if is_junk(path) {
            self.junk.push(Junk {
                path: path.to_owned(),
                size,
                modified,
            });
        } else if path.starts_with(".gentoo-updater/logs/") {
            self.logs.add(size);
        } else if is_binary(path) {
            there.insert(path, (size, modified));
        }
    }
}

/// Whether it is named as a binary package, and lies where they do.
pub(super) fn is_binary(path: &str) -> bool {
    !path.starts_with('.') && BINARY_ENDS.iter().any(|end| path.ends_with(end))
}

/// Whether nobody can use such a file. What Portage writes has the number of its process behind its
/// name until it is whole (`bintree.py`, `inject`).
pub(super) fn is_junk(path: &str) -> bool {
    let is_unfinished = |(name, number): (&str, &str)| {
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        is_number && BINARY_ENDS.iter().any(|end| name.ends_with(end))
    };
    path.starts_with(INCOMING)
        || path.contains(CHECKSUM_FAILURE)
        || path.rsplit_once('.').is_some_and(is_unfinished)
}

pub(super) fn refused(what: &'static str, line: &str) -> Unreadable {
    Unreadable {
        what,
        line: line.chars().take(200).collect(),
    }
}

/// `SIZE SECONDS.FRACTION PATH`.
fn file(line: &str) -> Result<(u64, u64, &str), Unreadable> {
    let mut words = line.splitn(3, ' ');
    let number = |word: Option<&str>| word.and_then(|word| word.parse().ok());
    let size = number(words.next());
    let modified = words.next().and_then(|time| time.split('.').next());
    match (size, number(modified), words.next()) {
        (Some(size), Some(modified), Some(path)) => Ok((size, modified, path)),
        _ => Err(refused("no file", line)),
    }
}

/// `DIGEST CPV BUILD_ID PATH SIZE SHA256`, which the file of a record is known to say.
fn record(line: &str) -> Result<Stored, Unreadable> {
    let words: Vec<&str> = line.split(' ').collect();
    let refused = || refused("no record", line);
    let [key, cpv, build_id, path, size, sha256] = words[..] else {
        return Err(refused());
    };
    Ok(Stored {
        key: key.parse().map_err(|_| refused())?,
        cpv: cpv.parse().map_err(|_| refused())?,
        build_id: build_id.parse().map_err(|_| refused())?,
        path: path.parse().map_err(|_| refused())?,
        size: size.parse().map_err(|_| refused())?,
        sha256: sha256.parse().map_err(|_| refused())?,
        modified: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(text: &str) -> HexDigest {
        HexDigest::sha256(text.as_bytes())
    }

    #[test]
    fn binaries_of_this_program_are_those_that_a_record_names() {
        let (here, gone) = (digest("here"), digest("gone"));
        let files = [
            "10 1700000000.5 a/b/b-1-1.gpkg.tar",
            "20 1700000001.0 a/b/b-1-2.gpkg.tar",
            "30 1700000002.0 a/b/b-1-1.gpkg.tar._checksum_failure_.x3f",
            "40 1700000003.0 a/b/b-2-1.gpkg.tar.4711",
            "50 1700000004.0 .gentoo-updater/incoming/0123",
            "60 1700000005.0 .gentoo-updater/logs/run/b.1.log.gz",
            "70 1700000006.0 Packages",
            "80 1700000007.0 .gentoo-updater/lock",
            "90 1700000008.0 x._checksum_failure_.1\nfile ../y",
        ];
        let sha256 = digest("content");
        let records = format!(
            "{here} a/b-1 1 a/b/b-1-1.gpkg.tar 10 {sha256}\n\
             {gone} a/c-1 1 a/c/c-1-1.gpkg.tar 10 {sha256}\n"
        );
        let text = format!(
            "{records}\0./odd.json\n./odd.json\n\0{}\0\0",
            files.join("\0")
        );
        let catalog = Catalog::read(&text).unwrap();
        let stored = Stored {
            key: here,
            cpv: "a/b-1".parse().unwrap(),
            build_id: 1,
            path: "a/b/b-1-1.gpkg.tar".parse().unwrap(),
            size: 10,
            sha256,
            modified: 1_700_000_000,
        };
        assert_eq!(catalog.ours, [stored]);
        assert_eq!(
            catalog.foreign,
            Total {
                files: 1,
                bytes: 20
            }
        );
        assert_eq!(catalog.bytes(), 30);
        let junk: Vec<u64> = catalog.junk.iter().map(|junk| junk.size).collect();
        assert_eq!(junk, [30, 40, 50]);
        let path = "a/c/c-1-1.gpkg.tar".parse().unwrap();
        assert_eq!(catalog.without_file, [(gone, path)]);
        assert_eq!(catalog.unreadable, ["odd.json"]);
        assert_eq!(
            catalog.logs,
            Total {
                files: 1,
                bytes: 60
            }
        );
    }

    #[test]
    fn a_record_whose_file_another_one_names_is_not_without_a_file() {
        let (one, other) = (digest("one"), digest("other"));
        let record = |key| format!("{key} a/b-1 1 a/b/b-1-1.gpkg.tar 10 {}\n", digest("it"));
        let records = record(one) + &record(other);
        let text = format!("{records}\0\010 1700000000.5 a/b/b-1-1.gpkg.tar\0\0");
        let catalog = Catalog::read(&text).unwrap();
        assert_eq!((catalog.ours.len(), catalog.without_file.len()), (1, 0));
    }

    #[test]
    fn a_file_of_another_size_than_its_record_says_is_somebody_elses() {
        let record = format!("{0} a/b-1 1 a/b/b-1-1.gpkg.tar 11 {0}\n", digest("it"));
        let text = format!("{record}\0\010 1700000000.5 a/b/b-1-1.gpkg.tar\0\0");
        let catalog = Catalog::read(&text).unwrap();
        assert_eq!((catalog.ours.len(), catalog.foreign.files), (0, 1));
        assert_eq!(catalog.without_file, []);
    }

    #[test]
    fn a_list_that_was_cut_off_or_is_none_is_an_error() {
        let whole = "\0\x001 2.0 a/b/b-1-1.gpkg.tar\0\0";
        assert_eq!(Catalog::read("\0\0\0"), Ok(Catalog::default()));
        assert!(Catalog::read(whole).is_ok());
        for length in 0..whole.len() {
            assert!(Catalog::read(&whole[..length]).is_err(), "{length}");
        }
        for odd in [
            "\0\0x 2.0 a\0\0",
            "x a/b-1 1\n\0\x001 2.0 a\0\0",
            "\0\0\0\0",
        ] {
            assert!(Catalog::read(odd).is_err(), "{odd:?}");
        }
    }
}
