//! The index `Packages` of a store of binary packages.
//!
//! Portage trusts the file (`FEATURES=pkgdir-index-trusted` is the default), skips what it does not
//! understand, and takes a truncated or missing one for an empty store. This reader does not.
//! The source of the format is `portage/getbinpkg.py` and `portage/dbapi/bintree.py`.

use std::collections::{BTreeMap, BTreeSet};

use crate::build_key::HexDigest;
use crate::cpv::{Cpv, ExactPackage};
use crate::name::{RepositoryName, SlotAndSubslot, UseFlag};
use crate::text::excerpt;

/// The whole index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackagesIndex {
    /// When it was written, in seconds since 1970.
    pub timestamp: u64,
    /// The variables of the header, PACKAGES and TIMESTAMP included.
    pub header: BTreeMap<String, String>,
    /// The binary packages, in the order of the file. Their number is that of the header.
    pub entries: Vec<Entry>,
}

/// One binary package of the store.
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
    /// The variables that have no field here, as text: KEYWORDS, LICENSE, PROVIDES, REQUIRES …
    pub others: BTreeMap<String, String>,
}

impl Entry {
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
            // Portage leaves the path out where it is this one.
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

/// A text that is not an index, or not all of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// The header has no valid value of a variable that it must have.
    #[error("the header has no valid {0}: this is not an index of binary packages")]
    Header(&'static str),
    /// The format is a newer one.
    #[error("the index has version {0}, and only version 0 is understood")]
    Version(String),
    /// A line is not a name, a colon and a value.
    #[error("line {number} is not understood: {line:?}")]
    Line {
        /// The number of the line, from 1.
        number: usize,
        /// The line, shortened.
        line: String,
    },
    /// The file ends within an entry: it was cut.
    #[error("the index ends within the entry of {0}: it was cut")]
    Truncated(String),
    /// An entry has no valid value of a variable that it must have.
    #[error("the entry of {entry} is wrong: {reason}")]
    Entry {
        /// The value of its CPV, or where it begins.
        entry: String,
        /// What is wrong.
        reason: String,
    },
    /// The header counts more or fewer entries: the file was cut, or two writers collided.
    #[error("the header counts {header} packages, and the index holds {found}")]
    Count {
        /// The number in the header.
        header: usize,
        /// The number of entries.
        found: usize,
    },
}

impl PackagesIndex {
    /// Reads a whole index.
    ///
    /// # Errors
    ///
    /// See [`IndexError`]. An empty file is an error: even an empty store has a header.
    pub fn parse(text: &str) -> Result<Self, IndexError> {
        let mut blocks = Blocks { text, line: 1 };
        let header = blocks.next().unwrap_or_else(|| Ok(Block::default()))?;
        let number = |name: &'static str| {
            let value = header
                .fields
                .get(name)
                .and_then(|value| value.parse::<u64>().ok());
            value.ok_or(IndexError::Header(name))
        };
        let packages = number("PACKAGES")?;
        let timestamp = number("TIMESTAMP")?;
        match header.fields.get("VERSION").copied() {
            None | Some("0") => {}
            Some(version) => return Err(IndexError::Version(excerpt(version))),
        }
        let mut entries = Vec::new();
        for block in blocks {
            entries.push(entry(block?, &header.fields)?);
        }
        let expected = usize::try_from(packages).unwrap_or(usize::MAX);
        if expected != entries.len() {
            return Err(IndexError::Count {
                header: expected,
                found: entries.len(),
            });
        }
        let own = |(name, value): (&&str, &&str)| ((*name).to_owned(), (*value).to_owned());
        Ok(Self {
            timestamp,
            header: header.fields.iter().map(own).collect(),
            entries,
        })
    }
}

/// Lines up to an empty one.
#[derive(Debug, Default)]
struct Block<'a> {
    first_line: usize,
    fields: BTreeMap<&'a str, &'a str>,
}

impl Block<'_> {
    /// How to call the entry in an error.
    fn name(&self) -> String {
        match self.fields.get("CPV") {
            Some(cpv) => excerpt(cpv),
            None => format!("line {}", self.first_line),
        }
    }
}

struct Blocks<'a> {
    text: &'a str,
    line: usize,
}

impl<'a> Iterator for Blocks<'a> {
    type Item = Result<Block<'a>, IndexError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.text.is_empty() {
            return None;
        }
        let mut block = Block {
            first_line: self.line,
            fields: BTreeMap::new(),
        };
        loop {
            // Each entry, the last included, is followed by an empty line.
            let Some((line, rest)) = self.text.split_once('\n') else {
                self.text = "";
                return Some(Err(IndexError::Truncated(block.name())));
            };
            self.text = rest;
            let number = self.line;
            self.line += 1;
            if line.is_empty() && !block.fields.is_empty() {
                return Some(Ok(block));
            }
            let field = line.split_once(':').filter(|(name, _)| is_field_name(name));
            let Some((name, value)) = field else {
                return Some(Err(IndexError::Line {
                    number,
                    line: excerpt(line),
                }));
            };
            let value = value.strip_prefix(' ').unwrap_or(value);
            if block.fields.insert(name, value).is_some() {
                let reason = format!("{name} is there twice");
                return Some(Err(IndexError::Entry {
                    entry: block.name(),
                    reason,
                }));
            }
        }
    }
}

fn is_field_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn entry(mut block: Block<'_>, header: &BTreeMap<&str, &str>) -> Result<Entry, IndexError> {
    let name = block.name();
    let fail = |reason: String| IndexError::Entry {
        entry: name.clone(),
        reason,
    };
    let mut take = |field: &str| block.fields.remove(field).filter(|value| !value.is_empty());

    let cpv = take("CPV").ok_or_else(|| fail("it has no CPV".to_owned()))?;
    let cpv: Cpv = cpv.parse().map_err(|error| fail(format!("{error}")))?;
    let size = take("SIZE").ok_or_else(|| fail("it has no SIZE".to_owned()))?;
    let size = size
        .parse()
        .map_err(|_| fail(format!("{size:?} is not a size")))?;
    let build_id = take("BUILD_ID")
        .map(|id| {
            id.parse::<u32>()
                .map_err(|_| fail(format!("{id:?} is not a BUILD_ID")))
        })
        .transpose()?;
    let build_time = take("BUILD_TIME")
        .map(|time| {
            time.parse::<u64>()
                .map_err(|_| fail(format!("{time:?} is not a time")))
        })
        .transpose()?;
    let slot = match take("SLOT") {
        Some(slot) => slot.parse().map_err(|error| fail(format!("{error}")))?,
        None => SlotAndSubslot::zero(),
    };
    let repository = take("REPO").or_else(|| header.get("REPO").copied().filter(|r| !r.is_empty()));
    let repository = repository
        .filter(|repository| *repository != "__unknown__")
        .map(|repository| repository.parse().map_err(|error| fail(format!("{error}"))))
        .transpose()?;
    let mut flags = |field: &str, marks: &[char]| -> Result<BTreeSet<UseFlag>, IndexError> {
        let words = take(field).unwrap_or_default().split_ascii_whitespace();
        let flag = |word: &str| word.strip_prefix(marks).unwrap_or(word).parse();
        words
            .map(flag)
            .collect::<Result<_, _>>()
            .map_err(|error| fail(format!("{error}")))
    };
    let use_flags = flags("USE", &[])?;
    let iuse = flags("IUSE", &['+', '-'])?;
    let path = take("PATH").map(str::to_owned);
    if let Some(path) = path.as_ref().filter(|path| !stays_below(path)) {
        return Err(fail(format!(
            "the path {:?} leads out of the store",
            excerpt(path)
        )));
    }
    let mut digest = |field: &str| -> Result<Option<HexDigest>, IndexError> {
        let digest = take(field).map(str::parse).transpose();
        digest.map_err(|error| fail(format!("{field}: {error}")))
    };
    let sha1 = digest("SHA1")?;
    let md5 = digest("MD5")?;
    let chost = take("CHOST")
        .or_else(|| header.get("CHOST").copied())
        .map(str::to_owned);
    let mut text = |field: &str| take(field).unwrap_or_default().to_owned();
    Ok(Entry {
        cpv,
        build_id,
        build_time,
        slot,
        repository,
        use_flags,
        iuse,
        path,
        size,
        sha1,
        md5,
        chost,
        eapi: Some(text("EAPI"))
            .filter(|eapi| !eapi.is_empty())
            .unwrap_or_else(|| "0".to_owned()),
        depend: text("DEPEND"),
        bdepend: text("BDEPEND"),
        rdepend: text("RDEPEND"),
        pdepend: text("PDEPEND"),
        idepend: text("IDEPEND"),
        others: block
            .fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    })
}

/// Whether a path is relative and does not climb.
fn stays_below(path: &str) -> bool {
    path.split('/')
        .all(|part| !part.is_empty() && part != "." && part != "..")
        && !path.contains('\0')
}
