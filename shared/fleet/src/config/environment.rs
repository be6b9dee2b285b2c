//! What the builds of one builder get beside what its `make.conf` says: how fast they are, and never
//! what comes of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;

use super::invalid::Invalid;

/// The table as it is written. Its keys are the variables of make.conf(5) and distcc(1).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EnvironmentFragment {
    #[serde(rename = "MAKEOPTS")]
    makeopts: Option<String>,
    #[serde(rename = "NINJAOPTS")]
    ninjaopts: Option<String>,
    #[serde(rename = "FEATURES")]
    features: Option<String>,
    #[serde(rename = "DISTCC_HOSTS")]
    distcc_hosts: Option<String>,
    #[serde(rename = "CCACHE_DIR")]
    ccache_dir: Option<String>,
    #[serde(rename = "PORTAGE_NICENESS")]
    portage_niceness: Option<i64>,
}

/// What the builds of one builder get beside what its `make.conf` says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildEnvironment {
    /// Variables with their values, which hold no control characters.
    pub variables: BTreeMap<&'static str, String>,
    /// What is added to FEATURES.
    pub features: BTreeSet<BuildFeature>,
}

/// A feature of Portage that makes builds faster and changes nothing of what they make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BuildFeature {
    /// The compiler's results are kept for the next time.
    Ccache,
    /// Other machines compile, too.
    Distcc,
    /// And read their header files themselves.
    DistccPump,
    /// Other machines compile, too.
    Icecream,
}

impl BuildFeature {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Ccache, Self::Distcc, Self::DistccPump, Self::Icecream];

    /// As FEATURES names it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ccache => "ccache",
            Self::Distcc => "distcc",
            Self::DistccPump => "distcc-pump",
            Self::Icecream => "icecream",
        }
    }
}

impl fmt::Display for BuildFeature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl BuildEnvironment {
    pub(super) fn check(table: &str, fragment: &EnvironmentFragment) -> Result<Self, Invalid> {
        let niceness = fragment.portage_niceness.map(|value| value.to_string());
        let given = [
            ("MAKEOPTS", &fragment.makeopts),
            ("NINJAOPTS", &fragment.ninjaopts),
            ("DISTCC_HOSTS", &fragment.distcc_hosts),
            ("CCACHE_DIR", &fragment.ccache_dir),
            ("PORTAGE_NICENESS", &niceness),
        ];
        let mut variables = BTreeMap::new();
        for (name, value) in given {
            let Some(value) = value else { continue };
            let refused = |rule| Invalid::Environment {
                key: format!("{table}.environment.{name}"),
                value: value.clone(),
                rule,
            };
            if value.chars().any(char::is_control) {
                return Err(refused("one line of text".to_owned()));
            }
            if name == "CCACHE_DIR" && !value.starts_with('/') {
                return Err(refused("an absolute path".to_owned()));
            }
            variables.insert(name, value.clone());
        }
        let words = fragment
            .features
            .iter()
            .flat_map(|text| text.split_whitespace());
        let feature = |word: &str| {
            let mut all = BuildFeature::ALL.into_iter();
            all.find(|feature| feature.as_str() == word)
                .ok_or_else(|| Invalid::Environment {
                    key: format!("{table}.environment.FEATURES"),
                    value: word.to_owned(),
                    rule: format!(
                        "among {}; what changes binaries belongs into make.conf",
                        BuildFeature::ALL.map(BuildFeature::as_str).join(", ")
                    ),
                })
        };
        Ok(Self {
            variables,
            features: words.map(feature).collect::<Result<_, _>>()?,
        })
    }
}
