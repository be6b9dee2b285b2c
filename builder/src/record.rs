//! The record that says which binary of a store serves which build key.
//!
//! It lies beside the binaries, in `.gentoo-updater/keys/DIGEST.json`, because Portage's own index
//! does not say from which ebuild a binary was made, and so cannot answer the question whether a
//! binary serves a key. A binary without a record is never taken for one that serves a key.

use gentoo_updater_fleet::message::Binary;
use gentoo_updater_portage::build_key::{BuildKey, Platform};
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
    /// As what it was compiled; absent in records of programs that did not ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) compiled_as: Option<Platform>,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn key(flag: bool) -> BuildKey {
        BuildKey {
            use_flags: [("ssl".parse().unwrap(), flag)].into(),
            ..testing::key("a/a-1")
        }
    }

    #[test]
    fn a_record_is_believed_for_its_own_key_only() {
        let store = tempfile::TempDir::new().unwrap();
        let binary = testing::stored(store.path(), "a/a-1", "content");
        let record = Record {
            format: Record::FORMAT,
            key: key(true),
            binary,
            compiled_as: None,
        };
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(Record::read(&text, &key(true)), Some(record));
        assert_eq!(Record::read(&text, &key(false)), None);
        assert_eq!(Record::read(&text[..20], &key(true)), None);
        assert_eq!(Record::read("", &key(true)), None);
    }
}
