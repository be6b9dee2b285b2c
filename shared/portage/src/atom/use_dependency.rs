//! USE dependencies within an atom (PMS 8.3.4).

use std::fmt;

use crate::name::{NameError, UseFlag};

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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UseDependency {
    /// The flag.
    pub flag: UseFlag,
    /// What is asked of it.
    pub requirement: UseRequirement,
    /// What a package without the flag counts as.
    pub default: Option<UseDefault>,
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
