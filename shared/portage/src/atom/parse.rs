//! Reading an atom.

use std::collections::HashMap;
use std::str::FromStr;

use super::{Atom, Blocker, Operator, SlotDependency, UseDependency, VersionRequirement};
use crate::cpv::ExactPackage;
use crate::name::{CategoryPackage, NameError};
use crate::text::excerpt;

/// A text that is not an atom.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{input:?} is not a valid package atom: {cause}")]
pub struct AtomError {
    /// The refused input, shortened.
    pub input: String,
    /// What is wrong with it.
    #[source]
    pub cause: AtomErrorCause,
}

/// What is wrong with a refused atom.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AtomErrorCause {
    /// A name, a version, a slot, a repository or a flag within it is not valid.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The parts do not go together.
    #[error("{0}")]
    Rule(&'static str),
}

impl FromStr for Atom {
    type Err = AtomError;

    fn from_str(input: &str) -> Result<Self, Self::Err> {
        parse(input).map_err(|cause| AtomError {
            input: excerpt(input),
            cause,
        })
    }
}

fn parse(input: &str) -> Result<Atom, AtomErrorCause> {
    let (blocker, rest) = if let Some(rest) = input.strip_prefix("!!") {
        (Some(Blocker::Strong), rest)
    } else if let Some(rest) = input.strip_prefix('!') {
        (Some(Blocker::Weak), rest)
    } else {
        (None, input)
    };
    let (rest, use_dependencies) = split_use_dependencies(rest)?;
    let (rest, repository) = match rest.split_once("::") {
        Some((rest, repository)) => (rest, Some(repository.parse()?)),
        None => (rest, None),
    };
    let (rest, slot) = match rest.split_once(':') {
        Some((rest, slot)) => (rest, Some(parse_slot(slot)?)),
        None => (rest, None),
    };
    let (category_package, version) = parse_version_requirement(rest)?;
    Ok(Atom {
        blocker,
        category_package,
        version,
        slot,
        repository,
        use_dependencies,
    })
}

fn split_use_dependencies(input: &str) -> Result<(&str, Vec<UseDependency>), AtomErrorCause> {
    let Some((rest, list)) = input.split_once('[') else {
        return Ok((input, Vec::new()));
    };
    let Some(list) = list.strip_suffix(']') else {
        return Err(AtomErrorCause::Rule(
            "the list of USE dependencies is not closed by ]",
        ));
    };
    let dependencies: Result<Vec<UseDependency>, NameError> =
        list.split(',').map(str::parse).collect();
    let dependencies = dependencies?;
    let mut defaults = HashMap::new();
    for dependency in &dependencies {
        let default = defaults.entry(&dependency.flag);
        if *default.or_insert(dependency.default) != dependency.default {
            return Err(AtomErrorCause::Rule(
                "one USE flag is given with different defaults",
            ));
        }
    }
    Ok((rest, dependencies))
}

fn parse_slot(input: &str) -> Result<SlotDependency, AtomErrorCause> {
    match input {
        "*" => return Ok(SlotDependency::Any),
        "=" => return Ok(SlotDependency::Bound),
        _ => {}
    }
    let (names, bound) = match input.strip_suffix('=') {
        Some(names) => (names, true),
        None => (input, false),
    };
    let (slot, subslot) = match names.split_once('/') {
        Some((slot, subslot)) => (slot, Some(subslot.parse()?)),
        None => (names, None),
    };
    Ok(SlotDependency::Exact {
        slot: slot.parse()?,
        subslot,
        bound,
    })
}

fn parse_version_requirement(
    input: &str,
) -> Result<(CategoryPackage, Option<VersionRequirement>), AtomErrorCause> {
    let operators = [
        ("<=", Operator::LessOrEqual),
        ("<", Operator::Less),
        (">=", Operator::GreaterOrEqual),
        (">", Operator::Greater),
        ("=", Operator::Equal),
        ("~", Operator::EqualIgnoringRevision),
    ];
    let found = operators
        .iter()
        .find_map(|(text, op)| Some((*op, input.strip_prefix(text)?)));
    let Some((mut operator, mut rest)) = found else {
        return Ok((input.parse()?, None));
    };
    if let Some(before) = rest.strip_suffix('*') {
        if operator != Operator::Equal {
            return Err(AtomErrorCause::Rule(
                "an asterisk after the version goes with = only",
            ));
        }
        operator = Operator::EqualGlob;
        rest = before;
    }
    let ExactPackage { cpv, build_id } = rest.parse()?;
    if build_id.is_some() && operator != Operator::Equal {
        return Err(AtomErrorCause::Rule(
            "a BUILD_ID after the version goes with = only",
        ));
    }
    let requirement = VersionRequirement {
        operator,
        version: cpv.version,
        build_id,
    };
    Ok((cpv.category_package, Some(requirement)))
}
