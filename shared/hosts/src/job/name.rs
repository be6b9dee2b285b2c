//! The names of jobs and of locks: they become file names on a machine.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a text is not a [`JobId`] or a [`LockName`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not the name of a job or lock: 1 to 120 of A-Z a-z 0-9 . _ -, and no . or - first"
)]
pub struct NameError(String);

fn check(text: &str) -> Result<String, NameError> {
    let good = (1..=120).contains(&text.len())
        && !text.starts_with(['.', '-'])
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if good {
        Ok(text.to_owned())
    } else {
        Err(NameError(text.to_owned()))
    }
}

macro_rules! name {
    ($(#[$about:meta])* $name:ident) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                check(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

name! {
    /// Names a job on one machine, and is its identity: to start a job whose id is there already
    /// is to attach to that one, whatever its command.
    JobId
}

name! {
    /// Names a lock of one machine: of all jobs with the same lock, one runs and the others wait.
    LockName
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_file_name_is_a_name() {
        for text in ["a", "build-0198.x_1", &"x".repeat(120)] {
            assert_eq!(text.parse::<JobId>().unwrap().as_str(), text);
        }
        for text in [
            "",
            ".",
            "..",
            ".lock",
            "-rf",
            "a/b",
            "a b",
            "a\n",
            "ä",
            "$x",
            &"x".repeat(121),
        ] {
            assert!(text.parse::<JobId>().is_err(), "{text:?}");
            assert!(text.parse::<LockName>().is_err(), "{text:?}");
        }
    }
}
