//! The record that says which binary of a store serves which build key.
//!
//! It lies beside the binaries, in `.gentoo-updater/keys/DIGEST.json`, because Portage's own index
//! does not say from which ebuild a binary was made, and so cannot answer the question whether a
//! binary serves a key. A binary without a record is never taken for one that serves a key.

use gentoo_updater_fleet::message::Binary;
use gentoo_updater_portage::build_key::BuildKey;
use serde::{Deserialize, Serialize};

/// One record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The version of its form.
    pub(crate) format: u32,
    /// The key, for people and for checks.
    pub(crate) key: BuildKey,
    /// The binary that serves it.
    pub(crate) binary: Binary,
}

impl Record {
    /// The version that this program writes and reads.
    pub(crate) const FORMAT: u32 = 1;

    /// Reads a record, and believes it only when it is about this key.
    pub(crate) fn read(text: &str, key: &BuildKey) -> Option<Self> {
        let record: Self = serde_json::from_str(text).ok()?;
        (record.format == Self::FORMAT && record.key == *key).then_some(record)
    }
}
