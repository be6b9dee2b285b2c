//! What a builder says of its machine.

use std::collections::BTreeMap;

use gentoo_updater_portage::build_key::Platform;
use gentoo_updater_portage::name::CategoryPackage;
use serde::{Deserialize, Serialize};

use crate::name::{BuilderName, PlatformName};
use crate::needs::Capacity;

/// How long packages take to be built, in milliseconds.
pub type Durations = BTreeMap<CategoryPackage, u64>;

/// The machine of a builder: for whom it compiles, and as what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuilderMachine {
    /// The builder.
    pub builder: BuilderName,
    /// The platform whose store it writes.
    pub platform: PlatformName,
    /// What its binaries are made for; absent until its Portage was asked for the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compiles_as: Option<Platform>,
    /// How many builds it works on at once at most, as far as it knows; absent where an older worker
    /// did not say so. The planner gives out no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<u16>,
    /// What it has for builds, all of its slots together; absent until it was asked for the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Capacity>,
}
