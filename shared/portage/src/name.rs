//! The names of the Package Manager Specification (PMS), chapter 3.1.
//!
//! Each type holds a name that PMS permits, and nothing else can be constructed, by parsing or by
//! deserialization. A value of these types is therefore safe to put on a command line: it holds
//! no white space, no quote, no shell operator and does not begin with a hyphen.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::version;

/// A name that PMS does not permit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{input:?} is not a valid {kind}: {rule}")]
pub struct NameError {
    /// What the name should have been, as in "package name".
    pub kind: &'static str,
    /// The refused input, shortened to [`crate::text::EXCERPT_LENGTH`] characters.
    pub input: String,
    /// The rule that it breaks.
    pub rule: &'static str,
}

impl NameError {
    pub(crate) fn new(kind: &'static str, input: &str, rule: &'static str) -> Self {
        Self {
            kind,
            input: crate::text::excerpt(input),
            rule,
        }
    }
}

/// Implements construction, access, order by text, and serialization as a validated string.
macro_rules! validated_string {
    ($type:ident, $error:ty) => {
        impl $type {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $type {
            type Err = $error;

            fn from_str(input: &str) -> Result<Self, Self::Err> {
                Self::check(input)?;
                Ok(Self(input.into()))
            }
        }

        impl TryFrom<String> for $type {
            type Error = $error;

            fn try_from(input: String) -> Result<Self, Self::Error> {
                Self::check(&input)?;
                Ok(Self(input.into()))
            }
        }

        impl TryFrom<&str> for $type {
            type Error = $error;

            fn try_from(input: &str) -> Result<Self, Self::Error> {
                input.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.0.into()
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.pad(&self.0)
            }
        }
    };
}
pub(crate) use validated_string;

/// Implements serialization through `Display` and `FromStr` for a type of several parts.
macro_rules! string_serialization {
    ($type:ident, $error:ty) => {
        impl TryFrom<String> for $type {
            type Error = $error;

            fn try_from(input: String) -> Result<Self, Self::Error> {
                input.parse()
            }
        }

        impl TryFrom<&str> for $type {
            type Error = $error;

            fn try_from(input: &str) -> Result<Self, Self::Error> {
                input.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }
    };
}
pub(crate) use string_serialization;

/// The category of a package, as `dev-libs`.
///
/// PMS 3.1.1: `[A-Za-z0-9+_.-]`, and it does not begin with a hyphen, a dot or a plus sign.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Category(SmolStr);

impl Category {
    fn check(input: &str) -> Result<(), NameError> {
        let refuse = |rule| Err(NameError::new("category", input, rule));
        check_characters(input, const { &Alphabet::with(b"+_.-") }, b"-.+").or_else(refuse)
    }
}

/// The name of a package without its category, as `libalpha`.
///
/// PMS 3.1.2: `[A-Za-z0-9+_-]`, it does not begin with a hyphen or a plus sign, and does not end
/// in a hyphen followed by anything that looks like a version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PackageName(SmolStr);

impl PackageName {
    fn check(input: &str) -> Result<(), NameError> {
        let refuse = |rule| Err(NameError::new("package name", input, rule));
        check_characters(input, const { &Alphabet::with(b"+_-") }, b"-+").or_else(refuse)?;
        if version::ends_in_version(input) {
            return refuse("it must not end in a hyphen followed by a version");
        }
        Ok(())
    }
}

/// A slot or a subslot on its own, as `0` or `3.12`.
///
/// PMS 3.1.3: `[A-Za-z0-9+_.-]`, and it does not begin with a hyphen, a dot or a plus sign.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slot(SmolStr);

impl Slot {
    fn check(input: &str) -> Result<(), NameError> {
        let refuse = |rule| Err(NameError::new("slot", input, rule));
        check_characters(input, const { &Alphabet::with(b"+_.-") }, b"-.+").or_else(refuse)
    }
}

/// The name of an ebuild repository, as `gentoo`.
///
/// PMS 3.1.5: `[A-Za-z0-9_-]`, it does not begin with a hyphen, and does not end in a hyphen
/// followed by anything that looks like a version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepositoryName(SmolStr);

impl RepositoryName {
    fn check(input: &str) -> Result<(), NameError> {
        let refuse = |rule| Err(NameError::new("repository name", input, rule));
        check_characters(input, const { &Alphabet::with(b"_-") }, b"-").or_else(refuse)?;
        if version::ends_in_version(input) {
            return refuse("it must not end in a hyphen followed by a version");
        }
        Ok(())
    }
}

/// The name of a USE flag, as `ssl` or `python_targets_python3_12`.
///
/// PMS 3.1.4: `[A-Za-z0-9+_@-]`, and it begins with a letter or a digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UseFlag(SmolStr);

impl UseFlag {
    fn check(input: &str) -> Result<(), NameError> {
        let refuse = |rule| Err(NameError::new("USE flag", input, rule));
        check_characters(input, const { &Alphabet::with(b"+_@-") }, b"+_@-").or_else(refuse)
    }
}

validated_string!(Category, NameError);
validated_string!(PackageName, NameError);
validated_string!(Slot, NameError);
validated_string!(RepositoryName, NameError);
validated_string!(UseFlag, NameError);

/// Which bytes a kind of name may hold: letters, digits and some punctuation (PMS 3.1).
pub(crate) struct Alphabet([bool; 256]);

impl Alphabet {
    /// Letters, digits and `punctuation`.
    pub(crate) const fn with(punctuation: &[u8]) -> Self {
        let mut permitted = [false; 256];
        let mut byte = 0_u8;
        loop {
            permitted[byte as usize] = byte.is_ascii_alphanumeric();
            if byte == u8::MAX {
                break;
            }
            byte += 1;
        }
        let mut index = 0;
        while index < punctuation.len() {
            permitted[punctuation[index] as usize] = true;
            index += 1;
        }
        Self(permitted)
    }
}

/// Checks that a name holds nothing but its alphabet, and does not begin with one of `not_first`.
pub(crate) fn check_characters(
    input: &str,
    alphabet: &Alphabet,
    not_first: &[u8],
) -> Result<(), &'static str> {
    let Some(first) = input.bytes().next() else {
        return Err("it is empty");
    };
    if !input.bytes().all(|byte| alphabet.0[usize::from(byte)]) {
        return Err("it holds a character which PMS chapter 3.1 does not permit there");
    }
    if not_first.contains(&first) {
        return Err("it begins with a character which PMS chapter 3.1 does not permit there");
    }
    Ok(())
}

/// A package without a version, as `dev-libs/libalpha`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CategoryPackage {
    /// The category, `dev-libs`.
    pub category: Category,
    /// The name within the category, `libalpha`.
    pub package: PackageName,
}

impl FromStr for CategoryPackage {
    type Err = NameError;

    fn from_str(input: &str) -> Result<Self, Self::Err> {
        let Some((category, package)) = input.split_once('/') else {
            let rule = "a category and a package name are separated by a slash";
            return Err(NameError::new("category/package", input, rule));
        };
        Ok(Self {
            category: category.parse()?,
            package: package.parse()?,
        })
    }
}

impl fmt::Display for CategoryPackage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.category, self.package)
    }
}

string_serialization!(CategoryPackage, NameError);

/// The slot and the subslot of one version of a package: the value of SLOT (PMS 7.2, 7.2.1).
///
/// Printed as `0/2`, and as `0` where the subslot is the slot itself: PMS gives a package that
/// names no subslot its slot as subslot, so both spellings mean the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SlotAndSubslot {
    /// The slot.
    pub slot: Slot,
    /// The subslot; the same as the slot where the ebuild names none.
    pub subslot: Slot,
}

impl SlotAndSubslot {
    /// A slot whose subslot is itself.
    #[must_use]
    pub fn of_slot(slot: Slot) -> Self {
        Self {
            subslot: slot.clone(),
            slot,
        }
    }

    /// `0/0`, the slot of a package of which nothing else is said.
    #[must_use]
    pub fn zero() -> Self {
        Self::of_slot(Slot(SmolStr::new_static("0")))
    }
}

impl FromStr for SlotAndSubslot {
    type Err = NameError;

    fn from_str(input: &str) -> Result<Self, Self::Err> {
        match input.split_once('/') {
            None => Ok(Self::of_slot(input.parse()?)),
            Some((slot, subslot)) => Ok(Self {
                slot: slot.parse()?,
                subslot: subslot.parse()?,
            }),
        }
    }
}

impl fmt::Display for SlotAndSubslot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.slot == self.subslot {
            write!(formatter, "{}", self.slot)
        } else {
            write!(formatter, "{}/{}", self.slot, self.subslot)
        }
    }
}

string_serialization!(SlotAndSubslot, NameError);

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts<T: FromStr + fmt::Display>(names: &[&str]) {
        for name in names {
            match name.parse::<T>() {
                Ok(parsed) => assert_eq!(parsed.to_string(), *name),
                Err(_) => panic!("{name:?} was refused"),
            }
        }
    }

    fn refuses<T: FromStr>(names: &[&str]) {
        for name in names {
            assert!(name.parse::<T>().is_err(), "{name:?} was accepted");
        }
    }

    const NEVER: &[&str] = &[
        "", "-a", "a b", "a;b", "a$b", "a'b", "a\nb", "a/b", "ä", "a*", "+a",
    ];

    #[test]
    fn a_name_holds_what_pms_permits_and_nothing_else() {
        accepts::<Category>(&["dev-libs", "x11", "a.b", "_a", "a+b", "0"]);
        refuses::<Category>(NEVER);
        refuses::<Category>(&[".a"]);

        accepts::<PackageName>(&[
            "gtk+",
            "a-b",
            "_a",
            "font-adobe-100dpi",
            "0",
            "a-1x2",
            "a-r1",
        ]);
        refuses::<PackageName>(NEVER);
        refuses::<PackageName>(&["a.b", "a-1", "a-1.0-r1", "a-1b", "a-1_p", "a-2-r0", "a@b"]);

        accepts::<Slot>(&["0", "3.12", "_", "a+b-c"]);
        refuses::<Slot>(NEVER);
        refuses::<Slot>(&[".a", "0="]);

        accepts::<RepositoryName>(&["gentoo", "x-portage", "_a", "a-1X"]);
        refuses::<RepositoryName>(NEVER);
        refuses::<RepositoryName>(&["a.b", "a+b", "a-1"]);

        accepts::<UseFlag>(&[
            "ssl",
            "3dnow",
            "c++",
            "l10n_de-1996",
            "a@b",
            "python_single",
        ]);
        refuses::<UseFlag>(NEVER);
        refuses::<UseFlag>(&["_a", "@a", "a.b"]);
    }

    #[test]
    fn a_subslot_is_printed_only_where_it_differs() {
        let same: SlotAndSubslot = "0/0".parse().unwrap();
        assert_eq!(same, "0".parse().unwrap());
        assert_eq!(same, SlotAndSubslot::zero());
        assert_eq!(same.to_string(), "0");
        accepts::<SlotAndSubslot>(&["0/2", "3.12", "2/2.4-1"]);
        refuses::<SlotAndSubslot>(&["", "/", "0/", "/2", "0/2/3", "0/2="]);
    }

    #[test]
    fn a_name_from_a_message_is_validated() {
        let name: CategoryPackage = serde_json::from_str("\"dev-libs/libalpha\"").unwrap();
        assert_eq!(
            serde_json::to_string(&name).unwrap(),
            "\"dev-libs/libalpha\""
        );
        let refused = serde_json::from_str::<CategoryPackage>("\"cat/pkg-1;touch x\"");
        assert!(
            refused
                .unwrap_err()
                .to_string()
                .contains("not a valid package name")
        );
    }
}
