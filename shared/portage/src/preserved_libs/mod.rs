//! Libraries of packages that are gone, which Portage kept because something still needs them
//! (`FEATURES=preserve-libs`).
//!
//! The registry is `/var/lib/portage/preserved_libs_registry`, JSON since Portage 2.2: the package
//! with its slot, and behind it the version that owned the files, a counter, and the files. Who
//! needs them stands nowhere; that is read from `NEEDED.ELF.2` of the installed packages.
//! The sources are `portage/util/_dyn_libs/PreservedLibsRegistry.py` and `NeededEntry.py`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::cpv::Cpv;
use crate::text::excerpt;

#[cfg(test)]
mod tests;

/// What one version left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preserved {
    /// The version that the files came with.
    pub cpv: Cpv,
    /// The files: libraries and the links to them.
    pub paths: BTreeSet<String>,
}

/// Why a text about preserved libraries is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PreservedLibsError {
    /// The registry is no JSON, or of another form.
    #[error("the registry of preserved libraries is not understood: {0}")]
    Registry(String),
    /// The registry names what is no package.
    #[error("the registry of preserved libraries names {name:?}, which is no package: {error}")]
    Package {
        /// What it names.
        name: String,
        /// What is wrong with it.
        error: String,
    },
    /// A line of `NEEDED.ELF.2` has not its five fields.
    #[error("no line of NEEDED.ELF.2: {0:?}")]
    Needed(String),
}

/// One entry of the registry; the counter may be a number or a text.
#[derive(Deserialize)]
struct Entry(String, serde_json::Value, BTreeSet<String>);

/// Reads the registry. An empty text is an empty registry, as for Portage.
///
/// # Errors
/// [`PreservedLibsError`].
pub fn parse_registry(text: &str) -> Result<Vec<Preserved>, PreservedLibsError> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let entries: BTreeMap<String, Entry> = serde_json::from_str(text)
        .map_err(|error| PreservedLibsError::Registry(error.to_string()))?;
    entries
        .into_values()
        .map(|Entry(name, _counter, paths)| {
            let cpv = name.parse().map_err(|error| PreservedLibsError::Package {
                error: format!("{error}"),
                name,
            })?;
            Ok(Preserved { cpv, paths })
        })
        .collect()
}

/// One line of `NEEDED.ELF.2`: a file of a package, and the libraries that it names as needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needed {
    /// The file.
    pub object: String,
    /// The sonames that it needs.
    pub sonames: BTreeSet<String>,
}

/// Reads one line, `X86_64;/usr/bin/hello;;;libalpha.so.1,libc.so.6;x86_64`. The last field came
/// later than the others.
///
/// # Errors
/// [`PreservedLibsError::Needed`].
pub fn parse_needed(line: &str) -> Result<Needed, PreservedLibsError> {
    let fields: Vec<&str> = line.split(';').collect();
    let [_, object, _, _, needed, ..] = fields.as_slice() else {
        return Err(PreservedLibsError::Needed(excerpt(line)));
    };
    let sonames = needed.split(',').filter(|soname| !soname.is_empty());
    Ok(Needed {
        object: (*object).to_owned(),
        sonames: sonames.map(str::to_owned).collect(),
    })
}
