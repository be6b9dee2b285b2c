//! `dev-libs/a-1.0-3:0/2::gentoo [0.9:0/1::gentoo, 2]`.

use serde::{Deserialize, Serialize};

use super::{RowKind, Status, reason};
use crate::cpv::{Cpv, ExactPackage};
use crate::name::{CategoryPackage, RepositoryName, SlotAndSubslot};
use crate::text::excerpt;
use crate::version::Version;

/// An installed version, between the brackets after the package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Previous {
    /// Its version. The BUILD_ID of an installed binary package is not shown.
    pub version: Version,
    /// Its slot and subslot; absent under the conditions of [`Row::slot`](super::Row::slot).
    pub slot: Option<SlotAndSubslot>,
    /// The repository that it came from; absent under the conditions of [`Row::repository`](super::Row::repository).
    pub repository: Option<RepositoryName>,
}

/// The first word of a row: `dev-libs/a-1.0-3:0/2::gentoo`.
pub(super) struct Named<T> {
    pub(super) name: T,
    pub(super) slot: Option<SlotAndSubslot>,
    pub(super) repository: Option<RepositoryName>,
}

/// Reads the package of a row. `rest` is what follows in the row.
pub(super) fn parse_package(
    kind: RowKind,
    word: &str,
    rest: &str,
) -> Result<Named<ExactPackage>, String> {
    let Named {
        name,
        slot,
        repository,
    } = split(word)?;
    let package = match kind {
        // A parent in a tree may be a binary package.
        RowKind::Binary | RowKind::NoMerge => name.parse(),
        RowKind::Ebuild | RowKind::Uninstall => name.parse::<Cpv>().map(Into::into),
    };
    let name = package.map_err(|error| {
        let stands_apart =
            name.parse::<CategoryPackage>().is_ok() && rest.trim_start().starts_with('[');
        if stands_apart {
            "the version stands apart from the name, as with --columns: run emerge without it"
                .to_owned()
        } else {
            error.to_string()
        }
    })?;
    Ok(Named {
        name,
        slot,
        repository,
    })
}

/// Takes the previous versions from the beginning of `text`, where there are any.
pub(super) fn take_previous(text: &str) -> Result<(Vec<Previous>, &str), String> {
    let Some(list) = text.strip_prefix('[') else {
        return Ok((Vec::new(), text));
    };
    let (list, rest) = list
        .split_once(']')
        .ok_or("the previous versions have no end")?;
    // One, as a rule: a list that grows by itself would begin with four.
    let mut previous = Vec::with_capacity(1);
    for word in list.split(", ") {
        let Named {
            name,
            slot,
            repository,
        } = split(word)?;
        previous.push(Previous {
            version: name.parse().map_err(reason)?,
            slot,
            repository,
        });
    }
    Ok((previous, rest))
}

/// Splits `a-1.0:0/2::gentoo`.
fn split(word: &str) -> Result<Named<&str>, String> {
    let mut parts = word.split(':');
    let name = parts.next().unwrap_or_default();
    let (slot, repository) = match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (None, ..) => (None, None),
        (Some(""), Some(repository), None, _) => (None, Some(repository)),
        (Some(slot), None, ..) => (Some(slot), None),
        (Some(slot), Some(""), Some(repository), None) => (Some(slot), Some(repository)),
        _ => {
            let word = excerpt(word);
            return Err(format!("{word:?} is not a package:slot::repository"));
        }
    };
    let slot = slot.map(str::parse).transpose().map_err(reason)?;
    // This is how Portage calls a repository that it does not know.
    let repository = repository.filter(|name| *name != "__unknown__");
    let repository = repository.map(str::parse).transpose().map_err(reason)?;
    Ok(Named {
        name,
        slot,
        repository,
    })
}

/// An upgrade replaces something, and a new package does not: a row whose brackets were lost would
/// otherwise read well.
pub(super) fn check_previous(status: &Status, previous: &[Previous]) -> Result<(), String> {
    if (status.upgrade || status.new_slot) && previous.is_empty() {
        return Err("the previous versions are missing".to_owned());
    }
    if status.new && !status.new_slot && !previous.is_empty() {
        return Err("a new package has no previous versions".to_owned());
    }
    Ok(())
}
