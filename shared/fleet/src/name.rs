//! Names that operators choose, and the ids of runs and commands.
//!
//! A name becomes part of queue names, routing keys, file names and broker users.
//! Each type therefore cannot hold anything that needs quoting in one of those places.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use gentoo_updater_portage::build_key::{BuildKey, HexDigest};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::schedule::Occurrence;

/// The reason why a text is not a valid name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a valid {what}: {rule}")]
pub struct InvalidName {
    /// What the name was meant for, in words.
    pub what: &'static str,
    /// The refused text.
    pub text: String,
    /// What would be one.
    pub rule: &'static str,
}

const NAME_RULE: &str = "1 to 63 of a-z A-Z 0-9 - _ . are, beginning with a letter or digit";
const PATH_RULE: &str =
    "parts of a-z A-Z 0-9 + - _ . with a slash between are, none beginning with a dot";
const JOB_RULE: &str = "64 lower-case hexadecimal digits are";

fn check(what: &'static str, text: &str, extra: &[char]) -> Result<(), InvalidName> {
    let begins_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    let holds_well = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c) || extra.contains(&c));
    if begins_well && holds_well && text.len() <= 63 {
        Ok(())
    } else {
        Err(InvalidName {
            what,
            text: text.to_owned(),
            rule: NAME_RULE,
        })
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $extra:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(Arc<str>);

        impl $type {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                check($what, text, &$extra)?;
                Ok(Self(text.into()))
            }
        }

        impl TryFrom<String> for $type {
            type Error = InvalidName;
            fn try_from(text: String) -> Result<Self, InvalidName> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// A machine that is kept up to date.
    GuestName, "name of a guest", []
);
name!(
    /// A machine that compiles.
    BuilderName, "name of a builder", []
);
name!(
    /// A set of machines that can share binaries; each has a store of its own.
    PlatformName, "name of a platform", []
);
name!(
    /// Something that shows whether a guest is well.
    CheckName, "name of a check", []
);
name!(
    /// A wave of guests, which get their updates together.
    WaveName, "name of a wave", []
);
name!(
    /// A way by which operators are told something.
    NotificationName, "name of a notification", []
);
name!(
    /// Runs by calendar.
    ScheduleName, "name of a schedule", []
);
name!(
    /// One worker process in one role, for example `builder@b1`.
    ///
    /// It is stable over restarts: a worker that comes back under its old id resumes what it
    /// had claimed.
    WorkerId, "worker id", ['@']
);

/// Where a file lies below a store: `category/name/name-version-3.gpkg.tar`.
///
/// It cannot lead out of the store: it is relative, has no empty part, and no part begins with a
/// dot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StorePath(String);

impl StorePath {
    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The whole path in this store.
    pub fn below(&self, store: &Path) -> PathBuf {
        store.join(&self.0)
    }
}

impl TryFrom<String> for StorePath {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, InvalidName> {
        let is_part = |part: &str| {
            let holds_well = |c: char| c.is_ascii_alphanumeric() || "+-_.".contains(c);
            !part.is_empty() && !part.starts_with('.') && part.chars().all(holds_well)
        };
        if text.split('/').all(is_part) {
            Ok(Self(text))
        } else {
            Err(InvalidName {
                what: "path below a store",
                text,
                rule: PATH_RULE,
            })
        }
    }
}

impl FromStr for StorePath {
    type Err = InvalidName;
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        text.to_owned().try_into()
    }
}

impl From<StorePath> for String {
    fn from(path: StorePath) -> String {
        path.0
    }
}

impl fmt::Display for StorePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $type(pub Uuid);

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $type {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                text.parse().map(Self)
            }
        }
    };
}

id!(
    /// One pass over the fleet. UUIDv7, so that ids sort by the time of their start.
    RunId
);
id!(
    /// One command. UUIDv5 of run, task and attempt, so that two planners make the same id.
    CommandId
);
id!(
    /// One event.
    EventId
);

/// What tells the ids of occurrences from others that are made of a name.
const OCCURRENCES: Uuid = Uuid::from_u128(0x5bd2_7cf4_6a53_4f0e_9d5a_31c7_70b8_f6a2);

/// A UUIDv7 of this time, in milliseconds: what sorts is the time in its first 48 bits (RFC 9562, section 5.7).
fn with_time(rest: Uuid, milliseconds: u64) -> Uuid {
    let mut bytes = *rest.as_bytes();
    bytes[..6].copy_from_slice(&milliseconds.to_be_bytes()[2..]);
    let uuid = uuid::Builder::from_bytes(bytes).with_version(uuid::Version::SortRand);
    uuid.with_variant(uuid::Variant::RFC4122).into_uuid()
}

impl RunId {
    /// A new id, that sorts behind all earlier ones.
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }

    /// The id of the run that follows up on this one. It is the same whoever asks, and sorts right
    /// behind this one.
    pub fn following(&self) -> Self {
        let rest = Uuid::new_v5(&self.0, b"follow-up");
        let (seconds_and_more, _) = self.0.as_u64_pair();
        Self(with_time(rest, (seconds_and_more >> 16) + 1))
    }

    /// The id of the run of an occurrence that begins at `start`. It is the same whoever asks.
    pub fn of_occurrence(occurrence: &Occurrence, start: Timestamp) -> Self {
        let named = format!("{} {}", occurrence.schedule, occurrence.at.as_second());
        let rest = Uuid::new_v5(&OCCURRENCES, named.as_bytes());
        let time = u64::try_from(start.as_millisecond()).unwrap_or(0);
        Self(with_time(rest, time))
    }

    /// The last twelve characters, which are random: enough to tell runs apart on a screen.
    pub fn short(&self) -> String {
        let text = self.0.simple().to_string();
        text[text.len() - 12..].to_owned()
    }
}

impl EventId {
    /// A new id.
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }
}

/// One build key on one platform: SHA-256 of both, in 64 hexadecimal digits. Clones share them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobId(Arc<str>);

impl JobId {
    /// The id of the job that builds this key for this platform.
    pub fn of(platform: &PlatformName, key: &BuildKey) -> Self {
        let text = format!("{platform}\n{}", key.digest());
        Self(String::from(HexDigest::sha256(text.as_bytes())).into())
    }

    /// All 64 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve digits: enough to tell jobs apart on a screen.
    pub fn short(&self) -> &str {
        &self.0[..12]
    }
}

impl TryFrom<String> for JobId {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, InvalidName> {
        let is_digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        if text.len() == 64 && text.chars().all(is_digit) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidName {
                what: "job id",
                text,
                rule: JOB_RULE,
            })
        }
    }
}

impl From<JobId> for String {
    fn from(id: JobId) -> String {
        id.0.as_ref().to_owned()
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_would_need_quoting_is_refused() {
        for text in [
            "",
            "a b",
            "a;b",
            "../a",
            "-a",
            ".a",
            "a/b",
            "ä",
            "a\n",
            &"x".repeat(64),
        ] {
            assert!(text.parse::<GuestName>().is_err(), "{text:?} was accepted");
        }
        for text in ["g1", "web-01.example.org", "Mail_2"] {
            assert_eq!(text.parse::<GuestName>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn a_path_that_leads_out_of_the_store_is_refused() {
        for text in [
            "../etc/passwd",
            "/etc/passwd",
            "a/../../b",
            "a//b",
            "a/.hidden",
            "",
            "a/b;c",
        ] {
            assert!(text.parse::<StorePath>().is_err(), "{text:?} was accepted");
        }
        let path: StorePath = "dev-libs/a+b/a+b-1.0_p1-3.gpkg.tar".parse().unwrap();
        assert_eq!(
            path.below(Path::new("/store")).parent().unwrap(),
            Path::new("/store/dev-libs/a+b")
        );
    }

    #[test]
    fn a_name_is_checked_when_it_is_read_from_a_message() {
        assert!(serde_json::from_str::<GuestName>("\"g1\"").is_ok());
        let error = serde_json::from_str::<GuestName>("\"g1;reboot\"").unwrap_err();
        assert!(
            error.to_string().contains("not a valid name of a guest"),
            "{error}"
        );
    }
}
