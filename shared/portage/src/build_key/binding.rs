//! What a binary package is bound to.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::name::{CategoryPackage, NameError, Slot, string_serialization};

/// The dependency that a `:=` operator binds: the package, and the slot where the atom names one.
///
/// Printed as `dev-libs/libalpha`, or `dev-libs/libalpha:0`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BindingTarget {
    /// The package that is depended on.
    pub category_package: CategoryPackage,
    /// The slot that the atom names; absent for `cat/pn:=`.
    pub slot: Option<Slot>,
}

impl FromStr for BindingTarget {
    type Err = NameError;

    fn from_str(input: &str) -> Result<Self, Self::Err> {
        Ok(match input.split_once(':') {
            None => Self {
                category_package: input.parse()?,
                slot: None,
            },
            Some((name, slot)) => Self {
                category_package: name.parse()?,
                slot: Some(slot.parse()?),
            },
        })
    }
}

impl fmt::Display for BindingTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.category_package)?;
        match &self.slot {
            Some(slot) => write!(formatter, ":{slot}"),
            None => Ok(()),
        }
    }
}

string_serialization!(BindingTarget, NameError);
