//! USE dependencies within an atom (PMS 8.3.4).

use std::collections::BTreeSet;
use std::fmt;

use crate::name::{NameError, UseFlag};

/// The USE flags of one package, against which USE dependencies are checked.
#[derive(Debug, Clone, Copy)]
pub struct PackageUse<'a> {
    /// The flags that can be asked for: IUSE without the defaults, and what profiles add to it
    /// (IUSE_REFERENCEABLE, PMS 11.1.1).
    pub known: &'a BTreeSet<UseFlag>,
    /// The flags that are enabled. One that is not known counts for nothing.
    pub enabled: &'a BTreeSet<UseFlag>,
}

/// What a USE dependency asks of one flag of the dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UseRequirement {
    /// `[flag]`: enabled.
    Enabled,
    /// `[-flag]`: disabled.
    Disabled,
    /// `[flag?]`: enabled if it is enabled for the dependant.
    EnabledIfEnabled,
    /// `[!flag?]`: disabled if it is disabled for the dependant.
    DisabledIfDisabled,
    /// `[flag=]`: the same as for the dependant.
    Same,
    /// `[!flag=]`: the opposite of what it is for the dependant.
    Opposite,
}

/// What to assume of a candidate that does not know the flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UseDefault {
    /// `(+)`: take it for enabled.
    Enabled,
    /// `(-)`: take it for disabled.
    Disabled,
}

/// One USE dependency, as `-doc` or `ssl(+)?`.
///
/// | form | in an atom of a package with the flag | without it |
/// |---|---|---|
/// | `flag?` | `flag` | nothing |
/// | `!flag?` | nothing | `-flag` |
/// | `flag=` | `flag` | `-flag` |
/// | `!flag=` | `-flag` | `flag` |
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UseDependency {
    /// The flag.
    pub flag: UseFlag,
    /// What is asked of it.
    pub requirement: UseRequirement,
    /// What a package without the flag counts as.
    pub default: Option<UseDefault>,
}

impl UseDependency {
    /// Whether what is asked depends on the flags of the dependant.
    #[must_use]
    pub fn is_conditional(&self) -> bool {
        !matches!(
            self.requirement,
            UseRequirement::Enabled | UseRequirement::Disabled
        )
    }

    /// What is asked of the dependency of a dependant whose flags are `enabled`; nothing, perhaps.
    ///
    /// The counterpart of `evaluate_conditionals` in Portage.
    #[must_use]
    pub fn evaluated(&self, enabled: impl Fn(&UseFlag) -> bool) -> Option<Self> {
        let enable = match (self.requirement, enabled(&self.flag)) {
            (UseRequirement::Enabled, _)
            | (UseRequirement::EnabledIfEnabled | UseRequirement::Same, true)
            | (UseRequirement::Opposite, false) => true,
            (UseRequirement::Disabled, _)
            | (UseRequirement::DisabledIfDisabled | UseRequirement::Same, false)
            | (UseRequirement::Opposite, true) => false,
            (UseRequirement::EnabledIfEnabled, false)
            | (UseRequirement::DisabledIfDisabled, true) => return None,
        };
        Some(Self {
            flag: self.flag.clone(),
            requirement: if enable {
                UseRequirement::Enabled
            } else {
                UseRequirement::Disabled
            },
            default: self.default,
        })
    }

    /// Whether `package` is what the dependency asks for, with `enabled` telling the flags of the
    /// dependant.
    ///
    /// A package that does not know the flag is what the default says, and never right where there
    /// is none: not even if the condition asks for nothing (PMS calls that an error; Portage takes
    /// such a package for one that does not match).
    #[must_use]
    pub fn is_satisfied_by(
        &self,
        package: &PackageUse<'_>,
        enabled: impl Fn(&UseFlag) -> bool,
    ) -> bool {
        let Some(state) = self.state(package) else {
            return false;
        };
        match self.requirement {
            UseRequirement::Enabled => state,
            UseRequirement::Disabled => !state,
            UseRequirement::EnabledIfEnabled => state || !enabled(&self.flag),
            UseRequirement::DisabledIfDisabled => !state || enabled(&self.flag),
            UseRequirement::Same => state == enabled(&self.flag),
            UseRequirement::Opposite => state != enabled(&self.flag),
        }
    }

    /// The state of the flag in `package`, where it has one.
    pub(super) fn state(&self, package: &PackageUse<'_>) -> Option<bool> {
        if package.known.contains(&self.flag) {
            return Some(package.enabled.contains(&self.flag));
        }
        self.default.map(|default| default == UseDefault::Enabled)
    }
}

impl std::str::FromStr for UseDependency {
    type Err = NameError;

    fn from_str(input: &str) -> Result<Self, Self::Err> {
        let (prefix, rest) = match input.as_bytes().first() {
            Some(b'!') => ("!", &input[1..]),
            Some(b'-') => ("-", &input[1..]),
            _ => ("", input),
        };
        let (rest, suffix) = match rest.as_bytes().last() {
            Some(b'?') => (&rest[..rest.len() - 1], "?"),
            Some(b'=') => (&rest[..rest.len() - 1], "="),
            _ => (rest, ""),
        };
        let requirement = match (prefix, suffix) {
            ("", "") => UseRequirement::Enabled,
            ("-", "") => UseRequirement::Disabled,
            ("", "?") => UseRequirement::EnabledIfEnabled,
            ("!", "?") => UseRequirement::DisabledIfDisabled,
            ("", "=") => UseRequirement::Same,
            ("!", "=") => UseRequirement::Opposite,
            _ => {
                let rule = "it is one of flag, -flag, flag?, !flag?, flag=, !flag=";
                return Err(NameError::new("USE dependency", input, rule));
            }
        };
        let (flag, default) = if let Some(flag) = rest.strip_suffix("(+)") {
            (flag, Some(UseDefault::Enabled))
        } else if let Some(flag) = rest.strip_suffix("(-)") {
            (flag, Some(UseDefault::Disabled))
        } else {
            (rest, None)
        };
        Ok(Self {
            flag: flag.parse()?,
            requirement,
            default,
        })
    }
}

impl fmt::Display for UseDependency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (prefix, suffix) = match self.requirement {
            UseRequirement::Enabled => ("", ""),
            UseRequirement::Disabled => ("-", ""),
            UseRequirement::EnabledIfEnabled => ("", "?"),
            UseRequirement::DisabledIfDisabled => ("!", "?"),
            UseRequirement::Same => ("", "="),
            UseRequirement::Opposite => ("!", "="),
        };
        let default = match self.default {
            None => "",
            Some(UseDefault::Enabled) => "(+)",
            Some(UseDefault::Disabled) => "(-)",
        };
        write!(formatter, "{prefix}{}{default}{suffix}", self.flag)
    }
}
