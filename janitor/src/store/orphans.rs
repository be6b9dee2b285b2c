//! Binaries of this program that no record names.
//!
//! A builder writes what a binary is, and for which key, beside the number that it has reserved for
//! it (`.gentoo-updater/build-ids/CAT/PN/PF-N/DIGEST.json`), before it moves the binary into the
//! store; the record comes last. So a builder that died in between leaves a binary without a record,
//! and so does one that finds a record which it cannot read: it builds again, under another number.
//! A reserved number alone proves nothing, since whoever calls emerge by hand may get the same one.

use std::collections::HashMap;

use super::catalog::{Catalog, Stored, Unreadable, refused};

/// A binary of this program that no record names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    /// The binary, with the key that it was built for.
    pub stored: Stored,
    /// Whether its key has another binary by now, which the record names.
    pub is_duplicate: bool,
}

impl Catalog {
    /// The paths of binaries of which it must be asked whether this program has put them there.
    ///
    /// None while there are records that cannot be read: each of these may be the one of any of
    /// them.
    pub(super) fn questions(&self) -> Vec<&str> {
        if !self.unreadable.is_empty() {
            return Vec::new();
        }
        let paths = self.without_record.keys();
        let mut paths: Vec<&str> = paths.map(String::as_str).collect();
        paths.sort_unstable();
        paths
    }

    /// Takes over what builders have written beside the numbers of these, as `notes.py` prints it.
    ///
    /// # Errors
    /// [`Unreadable`] with the line.
    pub(super) fn answered(&mut self, text: &str) -> Result<(), Unreadable> {
        let mut noted: HashMap<String, Stored> = HashMap::new();
        for line in text.lines() {
            let stored = note(line)?;
            let there = self.without_record.get(stored.path.as_str());
            // Of another size it is not the one that the builder has put there.
            if let Some((_, modified)) = there.filter(|(size, _)| *size == stored.size) {
                let modified = *modified;
                let path = stored.path.to_string();
                noted.insert(path, Stored { modified, ..stored });
            }
        }
        let served = self.served();
        let orphan = |stored: Stored| Orphan {
            is_duplicate: served.contains(&stored.key),
            stored,
        };
        let mut orphans: Vec<Orphan> = noted.into_values().map(orphan).collect();
        orphans.sort_by(|one, other| one.stored.path.cmp(&other.stored.path));
        for Orphan { stored, .. } in &orphans {
            self.without_record.remove(stored.path.as_str());
            self.foreign.files -= 1;
            self.foreign.bytes -= stored.size;
        }
        self.orphans = orphans;
        Ok(())
    }
}

/// `DIGEST CPV BUILD_ID SIZE SHA256 PATH`.
fn note(line: &str) -> Result<Stored, Unreadable> {
    let words: Vec<&str> = line.split(' ').collect();
    let refused = || refused("no note", line);
    let [key, cpv, build_id, size, sha256, path] = words[..] else {
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
    use gentoo_updater_portage::build_key::HexDigest;

    use super::*;
    use crate::store::catalog::Total;

    fn digest(text: &str) -> HexDigest {
        HexDigest::sha256(text.as_bytes())
    }

    fn catalog(unreadable: &str) -> Catalog {
        let files = ["1", "2", "3", "4"]
            .map(|number| format!("10 1700000000.5 a/b/b-1-{number}.gpkg.tar"))
            .join("\0");
        let record = digest("served");
        let record = format!("{record} a/b-1 1 a/b/b-1-1.gpkg.tar 10 {record}\n");
        Catalog::read(&format!("{record}\0{unreadable}\0{files}\0\0")).unwrap()
    }

    #[test]
    fn a_binary_without_a_record_is_ours_when_its_builder_has_said_so_before() {
        let mut catalog = catalog("");
        let questions = [2, 3, 4].map(|number| format!("a/b/b-1-{number}.gpkg.tar"));
        assert_eq!(catalog.questions(), questions);
        let sha256 = digest("content");
        let note = |key, number, size| {
            let key = digest(key);
            format!("{key} a/b-1 {number} {size} {sha256} a/b/b-1-{number}.gpkg.tar\n")
        };
        // The last is of another size: somebody else got the number.
        let notes = note("served", 2, 10) + &note("other", 3, 10) + &note("other", 4, 11);
        catalog.answered(&notes).unwrap();
        let found: Vec<(u32, bool, u64)> = catalog
            .orphans
            .iter()
            .map(|orphan| {
                (
                    orphan.stored.build_id,
                    orphan.is_duplicate,
                    orphan.stored.modified,
                )
            })
            .collect();
        assert_eq!(found, [(2, true, 1_700_000_000), (3, false, 1_700_000_000)]);
        let foreign = Total {
            files: 1,
            bytes: 10,
        };
        assert_eq!((catalog.foreign, catalog.bytes()), (foreign, 40));
        assert!(catalog.answered("what is this?\n").is_err());
    }

    #[test]
    fn while_a_record_cannot_be_read_no_binary_counts_as_without_one() {
        assert_eq!(catalog("./odd.json\n").questions(), [""; 0]);
    }
}
