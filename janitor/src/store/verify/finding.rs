//! What can be wrong with a store, in words, with the remedy.

use gentoo_updater_portage::build_key::HexDigest;
use serde::Serialize;

/// Something that is not as it should be, or that has to be known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Finding {
    /// A binary is not what it was when it was put there.
    Spoiled {
        /// The binary.
        path: String,
        /// Whether this program put it there.
        is_ours: bool,
        /// What shows it.
        wrong: String,
    },
    /// A binary cannot be read, which says nothing of it: the cause may be the disk, a share, or a limit
    /// of the machine, and may pass.
    CannotBeRead {
        /// The binary.
        path: String,
        /// What the machine said.
        cause: String,
    },
    /// A whole binary of somebody else lies where records name another one, which it has replaced.
    Replaced {
        /// The binary.
        path: String,
        /// The digests of the keys of these records.
        records: Vec<HexDigest>,
    },
    /// The index says something else of a binary, which is good.
    IndexOutdated {
        /// The binary.
        path: String,
    },
    /// The index lacks a binary.
    NotIndexed {
        /// The binary.
        path: String,
    },
    /// The index names a file that is not there.
    FileMissing {
        /// The file.
        path: String,
    },
    /// There is no index, or nobody can rely on it.
    IndexUnusable {
        /// What is wrong with it.
        wrong: String,
    },
    /// `Packages.gz` says something else than `Packages`.
    PackedIndexOutdated,
    /// A record names a file that is not there.
    RecordWithoutBinary {
        /// The digest of its key.
        record: HexDigest,
        /// The file.
        path: String,
    },
    /// A record cannot be read.
    RecordUnreadable {
        /// Its file.
        record: String,
        /// Whether another version of this program wrote it.
        of_other_version: bool,
    },
    /// Records name one binary, which can have been built for one key only.
    RecordsShareBinary {
        /// The binary.
        path: String,
        /// The digests of their keys.
        records: Vec<HexDigest>,
    },
    /// A file that nobody can use.
    Unusable {
        /// The file.
        path: String,
    },
    /// A binary is between two signatures: its signing was broken off.
    SigningUnfinished {
        /// The binary.
        path: String,
    },
    /// A binary of this program has no record, and so has its key.
    Orphan {
        /// The binary.
        path: String,
        /// The digest of its key.
        key: HexDigest,
    },
    /// A binary of this program has no record; its key has another binary.
    Duplicate {
        /// The binary.
        path: String,
        /// The digest of its key.
        key: HexDigest,
    },
    /// A spoiled binary that was taken out of use, and that somebody may want to look at.
    Quarantined {
        /// Where it lies now.
        path: String,
    },
}

impl Finding {
    /// Whether something is wrong. What is not is only to be known.
    pub fn is_fault(&self) -> bool {
        !matches!(self, Self::Duplicate { .. } | Self::Quarantined { .. })
    }

    /// Whether a repair mends it.
    pub fn is_mendable(&self) -> bool {
        let is_for_others = matches!(
            self,
            Self::CannotBeRead { .. }
                | Self::SigningUnfinished { .. }
                | Self::RecordUnreadable {
                    of_other_version: true,
                    ..
                }
        );
        self.is_fault() && !is_for_others
    }

    /// What it is about, and in a few words what is the matter.
    pub fn words(&self) -> (&str, String) {
        match self {
            Self::Spoiled { path, wrong, .. } => (path, wrong.clone()),
            Self::CannotBeRead { path, cause } => (path, format!("cannot be read: {cause}")),
            Self::Replaced { path, records } => {
                let records: Vec<&str> = records.iter().map(HexDigest::as_str).collect();
                let records = records.join(", ");
                let words =
                    format!("was put there by somebody else, and replaces that of {records}");
                (path, words)
            }
            Self::IndexOutdated { path } => (
                path,
                "is good, and the index says something else of it".to_owned(),
            ),
            Self::NotIndexed { path } => (path, "is not in the index".to_owned()),
            Self::FileMissing { path } => (path, "is in the index, and not there".to_owned()),
            Self::IndexUnusable { wrong } => ("Packages", wrong.clone()),
            Self::PackedIndexOutdated => (
                "Packages.gz",
                "says something else than Packages".to_owned(),
            ),
            Self::RecordWithoutBinary { record, path } => (
                path,
                format!("is not there, and named by the record {record}"),
            ),
            Self::RecordUnreadable {
                record,
                of_other_version,
            } => {
                let words = match of_other_version {
                    true => "is a record of another version of this program",
                    false => "is a record that cannot be read",
                };
                (record, words.to_owned())
            }
            Self::RecordsShareBinary { path, records } => {
                let records: Vec<&str> = records.iter().map(HexDigest::as_str).collect();
                (
                    path,
                    format!("is named by the records {}", records.join(", ")),
                )
            }
            Self::Unusable { path } => (path, "can be used by nobody".to_owned()),
            Self::SigningUnfinished { path } => {
                (path, "is being signed, and that was broken off".to_owned())
            }
            Self::Orphan { path, .. } => (path, "has lost its record".to_owned()),
            Self::Duplicate { path, .. } => {
                (path, "has no record: its key has another binary".to_owned())
            }
            Self::Quarantined { path } => (path, "was spoiled, and taken out of use".to_owned()),
        }
    }

    /// What is to be done.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Spoiled { is_ours: true, .. } => {
                "`store repair` removes it with its record; it is built again when it is wanted"
            }
            Self::Spoiled { is_ours: false, .. } => {
                "somebody else's: `store repair` moves it to .gentoo-updater/quarantine"
            }
            Self::CannotBeRead { .. } => {
                "it is left alone: look after the disk or the share, and verify again"
            }
            Self::Replaced { .. } => "`store repair` removes the record, and leaves the binary",
            Self::IndexOutdated { .. }
            | Self::NotIndexed { .. }
            | Self::FileMissing { .. }
            | Self::IndexUnusable { .. }
            | Self::PackedIndexOutdated => "`store repair` brings the index up to date",
            Self::RecordWithoutBinary { .. } => "`store repair` removes the record",
            Self::RecordUnreadable {
                of_other_version: false,
                ..
            } => "`store repair` removes it, or writes it anew where its builder left a note",
            Self::RecordUnreadable { .. } => {
                "use the newest version of this program everywhere; what it is about is left alone"
            }
            Self::RecordsShareBinary { .. } => {
                "`store repair` removes those that are not the binary's, or all where that cannot \
                 be told"
            }
            Self::Unusable { .. } => "`store repair` and `store gc` remove it",
            Self::SigningUnfinished { .. } => "`store repair` and `store keys sign` end it",
            Self::Orphan { .. } => {
                "`store repair` writes its record anew; `store gc` removes it when nobody needs it"
            }
            Self::Duplicate { .. } => "`store gc` removes it when nobody needs it",
            Self::Quarantined { .. } => "look at it, put it back whole, or delete it",
        }
    }

    /// What tells it from others of a store: a second look may find other words for it.
    pub(super) fn subject(&self) -> (std::mem::Discriminant<Self>, &str) {
        let about = match self {
            Self::RecordWithoutBinary { record, .. } => record.as_str(),
            _ => self.words().0,
        };
        (std::mem::discriminant(self), about)
    }
}
