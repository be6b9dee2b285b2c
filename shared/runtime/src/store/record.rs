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
pub struct Record {
    /// The version of its form.
    pub format: u32,
    /// The key, for people and for checks.
    pub key: BuildKey,
    /// The binary that serves it.
    pub binary: Binary,
    /// As what it was compiled; absent in records of programs that did not ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compiled_as: Option<Platform>,
}

impl Record {
    /// The version that this program writes and reads.
    pub const FORMAT: u32 = 1;

    /// Reads a record, and believes it only when it is about this key.
    pub fn read(text: &str, key: &BuildKey) -> Option<Self> {
        let record: Self = serde_json::from_str(text).ok()?;
        (record.format == Self::FORMAT && record.key == *key).then_some(record)
    }
}

#[cfg(test)]
mod tests {
    use gentoo_updater_portage::build_key::HexDigest;

    use super::*;

    fn key(flag: bool) -> BuildKey {
        BuildKey {
            cpv: "a/a-1".parse().unwrap(),
            slot: "0".parse().unwrap(),
            repository: "gentoo".parse().unwrap(),
            ebuild_digest: "5d41402abc4b2a76b9719d911017c592".parse().unwrap(),
            use_flags: [("ssl".parse().unwrap(), flag)].into(),
            bindings: Default::default(),
            environment_digest: None,
            kernel: None,
        }
    }

    #[test]
    fn a_record_is_believed_for_its_own_key_only() {
        let binary = Binary {
            cpv: "a/a-1".parse().unwrap(),
            slot: "0".parse().unwrap(),
            build_id: 1,
            build_time: 1,
            path: "a/a/a-1-1.gpkg.tar".parse().unwrap(),
            size: 7,
            sha256: HexDigest::sha256(b"content"),
            contents: Default::default(),
            signed_by: None,
        };
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
