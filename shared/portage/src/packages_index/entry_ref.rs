//! One entry, borrowed from the text of the index.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::cpv::{Cpv, ExactPackage};
use crate::dependency::Dependency;
use crate::name::{RepositoryName, SlotAndSubslot, UseFlag};
use crate::packages_index::check::wrong;
use crate::packages_index::libraries;
use crate::packages_index::variable::{VARIABLE_NAMES, VARIABLES, Variable};
use crate::packages_index::{Entry, Header, IndexError};
use crate::text::excerpt;

/// Which of its dependencies a package's variable holds (PMS 8.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DependencyKind {
    /// BDEPEND: to build, on the machine that builds.
    Build,
    /// DEPEND: to build, for the machine that is built for.
    Target,
    /// RDEPEND: to run.
    Runtime,
    /// PDEPEND: to run, and perhaps installed later.
    Post,
    /// IDEPEND: to install.
    Install,
}

impl DependencyKind {
    /// The variable's name.
    #[must_use]
    pub fn variable(self) -> &'static str {
        match self {
            Self::Build => "BDEPEND",
            Self::Target => "DEPEND",
            Self::Runtime => "RDEPEND",
            Self::Post => "PDEPEND",
            Self::Install => "IDEPEND",
        }
    }
}

/// One binary package of the store, borrowed from the text of the index.
///
/// Checked at once: that each variable is there at most once, that CPV and SIZE are there, and the
/// values of CPV, BUILD_ID, BUILD_TIME, SIZE, MTIME, SLOT, REPO, PATH, MD5, SHA1 and EAPI. Checked
/// when they are asked for: dependencies, USE, IUSE, PROVIDES and REQUIRES. The others are words
/// for people, and what Portage takes from its own settings.
#[derive(Debug, Clone)]
pub struct EntryRef<'a> {
    pub(super) header: &'a Header,
    pub(super) line: usize,
    /// The values by [`Variable`]; empty where there is none, as Portage never writes an empty one.
    pub(super) values: [&'a str; VARIABLES],
    /// What is not a [`Variable`], sorted.
    pub(super) others: Vec<(&'a str, &'a str)>,
    pub(super) cpv: Cpv,
    pub(super) build_id: Option<u32>,
    pub(super) build_time: Option<u64>,
    pub(super) modified: Option<u64>,
    pub(super) size: u64,
    pub(super) slot: SlotAndSubslot,
    pub(super) repository: Option<RepositoryName>,
}

impl<'a> EntryRef<'a> {
    /// The value of a variable, absent where it is empty.
    fn value(&self, variable: Variable) -> Option<&'a str> {
        Some(self.values[variable as usize]).filter(|value| !value.is_empty())
    }

    fn text(&self, variable: Variable) -> &'a str {
        self.values[variable as usize]
    }

    /// The number of its first line in the file, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// The package and its version (CPV).
    #[must_use]
    pub fn cpv(&self) -> &Cpv {
        &self.cpv
    }

    /// [`cpv`](Self::cpv) as the file spells it.
    #[must_use]
    pub fn cpv_text(&self) -> &'a str {
        self.text(Variable::Cpv)
    }

    /// The number of the binary among those of its version (BUILD_ID); absent in a store without
    /// `FEATURES=binpkg-multi-instance`, which only Portage 2.2.19 and later knows.
    #[must_use]
    pub fn build_id(&self) -> Option<u32> {
        self.build_id
    }

    /// Its name, version and BUILD_ID.
    #[must_use]
    pub fn exact_package(&self) -> ExactPackage {
        ExactPackage {
            cpv: self.cpv.clone(),
            build_id: self.build_id,
        }
    }

    /// When it was built (BUILD_TIME), in seconds since 1970.
    #[must_use]
    pub fn build_time(&self) -> Option<u64> {
        self.build_time
    }

    /// When its file was written (MTIME), in seconds since 1970.
    #[must_use]
    pub fn modified(&self) -> Option<u64> {
        self.modified
    }

    /// The size of its file in bytes (SIZE).
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Slot and subslot (SLOT), 0 where the entry names none.
    #[must_use]
    pub fn slot(&self) -> &SlotAndSubslot {
        &self.slot
    }

    /// The ebuild repository that it came from (REPO), or the header's.
    #[must_use]
    pub fn repository(&self) -> Option<&RepositoryName> {
        self.repository.as_ref().or(self.header.repository())
    }

    /// The CHOST that it was built for, or the header's.
    #[must_use]
    pub fn chost(&self) -> Option<&'a str> {
        self.value(Variable::Chost).or(self.header.chost())
    }

    /// Its file (PATH), if the entry names one. It is relative to the store and does not leave it.
    #[must_use]
    pub fn path(&self) -> Option<&'a str> {
        self.value(Variable::Path)
    }

    /// Its file's MD5, 32 lower-case hexadecimal digits.
    #[must_use]
    pub fn md5(&self) -> Option<&'a str> {
        self.value(Variable::Md5)
    }

    /// Its file's SHA-1, 40 lower-case hexadecimal digits.
    #[must_use]
    pub fn sha1(&self) -> Option<&'a str> {
        self.value(Variable::Sha1)
    }

    /// The EAPI of the ebuild, 0 where the entry names none.
    #[must_use]
    pub fn eapi(&self) -> &'a str {
        self.value(Variable::Eapi).unwrap_or("0")
    }

    /// KEYWORDS as text.
    #[must_use]
    pub fn keywords(&self) -> &'a str {
        self.text(Variable::Keywords)
    }

    /// LICENSE as text, without the conditions that do not hold.
    #[must_use]
    pub fn license(&self) -> &'a str {
        self.text(Variable::License)
    }

    /// PROPERTIES as text, without the conditions that do not hold.
    #[must_use]
    pub fn properties(&self) -> &'a str {
        self.text(Variable::Properties)
    }

    /// RESTRICT as text, without the conditions that do not hold.
    #[must_use]
    pub fn restrict(&self) -> &'a str {
        self.text(Variable::Restrict)
    }

    /// DEFINED_PHASES as text: the phases without `src_` and `pkg_`, or a hyphen for none.
    #[must_use]
    pub fn defined_phases(&self) -> &'a str {
        self.text(Variable::DefinedPhases)
    }

    /// DESCRIPTION (DESC), which some stores record.
    #[must_use]
    pub fn description(&self) -> Option<&'a str> {
        self.value(Variable::Description)
    }

    /// The store that the file is to be fetched from (BASE_URI), in an index made of several.
    #[must_use]
    pub fn base_uri(&self) -> Option<&'a str> {
        self.value(Variable::BaseUri)
    }

    /// The patches of the machine's owner that it was built with (USER_PATCHES), where recorded.
    #[must_use]
    pub fn user_patches(&self) -> Option<&'a str> {
        self.value(Variable::UserPatches)
    }

    /// A dependency variable as text, of which the conditions that do not hold are gone, and `:=`
    /// holds the slot and subslot that were bound (`dev-libs/libalpha:0/2=`).
    #[must_use]
    pub fn dependency_text(&self, kind: DependencyKind) -> &'a str {
        self.text(match kind {
            DependencyKind::Build => Variable::Bdepend,
            DependencyKind::Target => Variable::Depend,
            DependencyKind::Runtime => Variable::Rdepend,
            DependencyKind::Post => Variable::Pdepend,
            DependencyKind::Install => Variable::Idepend,
        })
    }

    /// A dependency variable, read.
    ///
    /// # Errors
    ///
    /// [`IndexError::Entry`], where PMS 8.2 does not permit the text.
    pub fn dependency(&self, kind: DependencyKind) -> Result<Dependency, IndexError> {
        let parsed = self.dependency_text(kind).parse();
        parsed.map_err(|error| self.wrong(format_args!("{error}")))
    }

    /// Whether a flag was enabled (USE).
    #[must_use]
    pub fn is_enabled(&self, flag: &str) -> bool {
        let mut flags = self.text(Variable::Use).split_ascii_whitespace();
        flags.any(|enabled| enabled == flag)
    }

    /// The flags that were enabled (USE). Portage writes implicit ones too (`amd64`,
    /// `elibc_glibc`).
    ///
    /// # Errors
    ///
    /// [`IndexError::Entry`], where one is not a valid name.
    pub fn use_flags(&self) -> Result<BTreeSet<UseFlag>, IndexError> {
        let flags = self.text(Variable::Use).split_ascii_whitespace();
        let flags = flags.map(str::parse).collect::<Result<_, _>>();
        flags.map_err(|error| self.wrong(format_args!("USE: {error}")))
    }

    /// The flags of the ebuild (IUSE), without the marks of their defaults.
    ///
    /// # Errors
    ///
    /// [`IndexError::Entry`], where one is not a valid name.
    pub fn iuse(&self) -> Result<BTreeSet<UseFlag>, IndexError> {
        let flags = self.text(Variable::Iuse).split_ascii_whitespace();
        let flags = flags
            .map(|flag| flag.strip_prefix(['+', '-']).unwrap_or(flag).parse())
            .collect::<Result<_, _>>();
        flags.map_err(|error| self.wrong(format_args!("IUSE: {error}")))
    }

    /// The libraries that it brings (PROVIDES), by multilib category (`x86_64`).
    ///
    /// # Errors
    ///
    /// [`IndexError::Entry`], where the text is not of the form `x86_64: libz.so.1 …`.
    pub fn provides(&self) -> Result<BTreeMap<&'a str, BTreeSet<&'a str>>, IndexError> {
        self.libraries(Variable::Provides)
    }

    /// The libraries that it is linked against (REQUIRES), by multilib category.
    ///
    /// # Errors
    ///
    /// As [`provides`](Self::provides).
    pub fn requires(&self) -> Result<BTreeMap<&'a str, BTreeSet<&'a str>>, IndexError> {
        self.libraries(Variable::Requires)
    }

    /// The variables that Portage's index is not known to have, sorted by name.
    #[must_use]
    pub fn others(&self) -> &[(&'a str, &'a str)] {
        &self.others
    }

    /// All variables that the entry has itself, by their names in the file.
    pub fn variables(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let known = VARIABLE_NAMES.iter().copied().zip(self.values);
        known
            .filter(|(_, value)| !value.is_empty())
            .chain(self.others.iter().copied())
    }

    /// The entry with everything in it read and owned.
    ///
    /// # Errors
    ///
    /// [`IndexError::Entry`], where USE or IUSE hold what is no flag.
    pub fn to_entry(&self) -> Result<Entry, IndexError> {
        Entry::of(self)
    }

    fn libraries(
        &self,
        variable: Variable,
    ) -> Result<BTreeMap<&'a str, BTreeSet<&'a str>>, IndexError> {
        libraries::parse(self.text(variable)).map_err(|word| {
            let name = variable.name();
            let word = excerpt(word);
            self.wrong(format_args!("{name} is not understood at {word:?}"))
        })
    }

    pub(super) fn wrong(&self, reason: fmt::Arguments<'_>) -> IndexError {
        wrong(self.cpv_text(), self.line, reason)
    }
}
