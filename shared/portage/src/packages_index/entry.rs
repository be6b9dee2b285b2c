//! One entry, owned.

use std::collections::{BTreeMap, BTreeSet};

use crate::build_key::HexDigest;
use crate::cpv::{Cpv, ExactPackage};
use crate::name::{RepositoryName, SlotAndSubslot, UseFlag};
use crate::packages_index::{DependencyKind, EntryRef, IndexError};

/// One binary package of the store, with all that its entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The package and its version.
    pub cpv: Cpv,
    /// The number of the binary among those of its version; absent in a store without
    /// `FEATURES=binpkg-multi-instance`.
    pub build_id: Option<u32>,
    /// When it was built, in seconds since 1970.
    pub build_time: Option<u64>,
    /// Slot and subslot.
    pub slot: SlotAndSubslot,
    /// The ebuild repository that it came from, where it is known.
    pub repository: Option<RepositoryName>,
    /// The flags that were enabled. Portage writes implicit ones too (`amd64`, `elibc_glibc`).
    pub use_flags: BTreeSet<UseFlag>,
    /// The flags of the ebuild, without the marks of their defaults.
    pub iuse: BTreeSet<UseFlag>,
    /// The file below the store; see [`Entry::path_in_store`].
    pub path: Option<String>,
    /// The size of the file in bytes.
    pub size: u64,
    /// The file's SHA-1.
    pub sha1: Option<HexDigest>,
    /// The file's MD5.
    pub md5: Option<HexDigest>,
    /// The CHOST that it was built for.
    pub chost: Option<String>,
    /// The EAPI of the ebuild.
    pub eapi: String,
    /// The dependencies as text, of which the conditions that do not hold are gone, and `:=` holds
    /// the slot and subslot that were bound (`dev-libs/libalpha:0/2=`).
    pub depend: String,
    /// See [`depend`](Self::depend).
    pub bdepend: String,
    /// See [`depend`](Self::depend).
    pub rdepend: String,
    /// See [`depend`](Self::depend).
    pub pdepend: String,
    /// See [`depend`](Self::depend).
    pub idepend: String,
    /// The variables that have no field here, as text: KEYWORDS, LICENSE, MTIME, PROVIDES …
    pub others: BTreeMap<String, String>,
}

/// The variables that have a field of [`Entry`].
const OWN_FIELDS: &[&str] = &[
    "BDEPEND",
    "BUILD_ID",
    "BUILD_TIME",
    "CHOST",
    "CPV",
    "DEPEND",
    "EAPI",
    "IDEPEND",
    "IUSE",
    "MD5",
    "PATH",
    "PDEPEND",
    "RDEPEND",
    "REPO",
    "SHA1",
    "SIZE",
    "SLOT",
    "USE",
];

impl Entry {
    pub(super) fn of(entry: &EntryRef<'_>) -> Result<Self, IndexError> {
        let digest = |text: Option<&str>| {
            let digest = text.map(str::parse).transpose();
            digest.map_err(|error| entry.wrong(format_args!("{error}")))
        };
        let dependency = |kind| entry.dependency_text(kind).to_owned();
        let others = entry
            .variables()
            .filter(|(name, _)| !OWN_FIELDS.contains(name))
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        Ok(Self {
            cpv: entry.cpv().clone(),
            build_id: entry.build_id(),
            build_time: entry.build_time(),
            slot: entry.slot().clone(),
            repository: entry.repository().cloned(),
            use_flags: entry.use_flags()?,
            iuse: entry.iuse()?,
            path: entry.path().map(str::to_owned),
            size: entry.size(),
            sha1: digest(entry.sha1())?,
            md5: digest(entry.md5())?,
            chost: entry.chost().map(str::to_owned),
            eapi: entry.eapi().to_owned(),
            depend: dependency(DependencyKind::Target),
            bdepend: dependency(DependencyKind::Build),
            rdepend: dependency(DependencyKind::Runtime),
            pdepend: dependency(DependencyKind::Post),
            idepend: dependency(DependencyKind::Install),
            others: others.collect(),
        })
    }

    /// Its name, version and BUILD_ID.
    #[must_use]
    pub fn exact_package(&self) -> ExactPackage {
        ExactPackage {
            cpv: self.cpv.clone(),
            build_id: self.build_id,
        }
    }

    /// The file, relative to the store. It does not leave the store.
    #[must_use]
    pub fn path_in_store(&self) -> String {
        match &self.path {
            Some(path) => path.clone(),
            // Older versions leave the path out where it is this one.
            None => format!("{}/{}.tbz2", self.cpv.category(), self.cpv.pf()),
        }
    }

    /// Every flag of the ebuild, and whether it was enabled.
    #[must_use]
    pub fn use_of_iuse(&self) -> BTreeMap<UseFlag, bool> {
        self.iuse
            .iter()
            .map(|flag| (flag.clone(), self.use_flags.contains(flag)))
            .collect()
    }
}
