//! The header of an index.

use std::collections::BTreeMap;

use crate::name::RepositoryName;
use crate::packages_index::IndexError;
use crate::packages_index::fields::Fields;
use crate::text::excerpt;

/// The header of an index: about the store, and what its entries inherit.
///
/// Portage writes PACKAGES, TIMESTAMP and VERSION always; CHOST and REPO as the defaults of the
/// entries; the settings of the machine that wrote it (ACCEPT_KEYWORDS, ARCH, CONFIG_PROTECT,
/// FEATURES, GENTOO_MIRRORS, IUSE_IMPLICIT, PROFILE, USE, USE_EXPAND … and a USE_EXPAND_VALUES_X
/// for each X of USE_EXPAND_IMPLICIT); REPO_REVISIONS since 3.0.65; URI and TTL where they are
/// configured; DOWNLOAD_TIMESTAMP in a copy of a remote index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    fields: BTreeMap<String, String>,
    packages: usize,
    timestamp: u64,
    download_timestamp: Option<u64>,
    time_to_live: Option<u64>,
    repository: Option<RepositoryName>,
    repository_revisions: BTreeMap<RepositoryName, String>,
}

impl Header {
    pub(super) fn read(block: &str, first_line: usize) -> Result<Self, IndexError> {
        let mut fields = BTreeMap::new();
        for field in Fields::new(block, first_line) {
            let (name, value) = field?;
            // As in Portage, where the one name is that of the file and the other the internal one.
            let name = if name == "repository" { "REPO" } else { name };
            if fields.insert(name.to_owned(), value.to_owned()).is_some() {
                return Err(IndexError::Header(format!("{name}: it is there twice")));
            }
        }
        let text = |name: &str| {
            let value = fields.get(name).map(String::as_str);
            value.filter(|value| !value.is_empty())
        };
        let wrong = |name: &str| IndexError::Header(name.to_owned());
        let number = |name: &str| {
            let number = text(name).map(str::parse::<u64>).transpose();
            number.map_err(|_| wrong(name))
        };
        match text("VERSION").ok_or_else(|| wrong("VERSION"))? {
            "0" => {}
            version => return Err(IndexError::Version(excerpt(version))),
        }
        let packages = number("PACKAGES")?.ok_or_else(|| wrong("PACKAGES"))?;
        let repository = text("REPO").map(str::parse).transpose();
        let revisions = text("REPO_REVISIONS").map(serde_json::from_str).transpose();
        Ok(Self {
            packages: usize::try_from(packages).map_err(|_| wrong("PACKAGES"))?,
            timestamp: number("TIMESTAMP")?.ok_or_else(|| wrong("TIMESTAMP"))?,
            download_timestamp: number("DOWNLOAD_TIMESTAMP")?,
            time_to_live: number("TTL")?,
            repository: repository.map_err(|_| wrong("REPO"))?,
            repository_revisions: revisions
                .map_err(|_| wrong("REPO_REVISIONS"))?
                .unwrap_or_default(),
            fields,
        })
    }

    /// The number of entries (PACKAGES).
    #[must_use]
    pub fn packages(&self) -> usize {
        self.packages
    }

    /// When the store's owner wrote it (TIMESTAMP), in seconds since 1970.
    #[must_use]
    pub fn timestamp(&self) -> u64 {
        self.timestamp
    }

    /// When the copy of a remote index was fetched (DOWNLOAD_TIMESTAMP), in seconds since 1970.
    #[must_use]
    pub fn download_timestamp(&self) -> Option<u64> {
        self.download_timestamp
    }

    /// For how many seconds a copy need not be fetched again (TTL).
    #[must_use]
    pub fn time_to_live(&self) -> Option<u64> {
        self.time_to_live
    }

    /// The CHOST of the entries that name none.
    #[must_use]
    pub fn chost(&self) -> Option<&str> {
        self.get("CHOST")
    }

    /// The ebuild repository of the entries that name none (REPO).
    #[must_use]
    pub fn repository(&self) -> Option<&RepositoryName> {
        self.repository.as_ref()
    }

    /// The revisions of the ebuild repositories that the binaries were built from, mostly commits.
    #[must_use]
    pub fn repository_revisions(&self) -> &BTreeMap<RepositoryName, String> {
        &self.repository_revisions
    }

    /// Where the files of the store are to be fetched, if not beside the index (URI).
    #[must_use]
    pub fn base_uri(&self) -> Option<&str> {
        self.get("URI")
    }

    /// A variable by its name in the file; absent where it is empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.fields.get(name).map(String::as_str);
        value.filter(|value| !value.is_empty())
    }

    /// All variables, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}
