//! Why a package stays.

use std::fmt;

use crate::atom::Atom;
use crate::cpv::Cpv;

/// A package that stays, because others need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The package.
    pub cpv: Cpv,
    /// Who needs it, and as what. Sorted by Portage, by the text of the parent.
    pub reasons: Vec<Reason>,
}

/// Who needs a package, and as what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// Who needs it.
    pub parent: Parent,
    /// The atoms by which it asks for it, or the libraries that it is linked against. Their order
    /// differs from run to run.
    pub needs: Vec<Need>,
}

/// What needs a package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Parent {
    /// An installed package.
    Package(Cpv),
    /// A set, without the at sign: `selected`, `system`, `profile`, or `__excluded__` for what
    /// `--exclude` names.
    Set(String),
}

impl Parent {
    pub(super) fn read(text: &str) -> Option<Self> {
        match text.strip_prefix('@') {
            Some(set) => {
                let is_name = !set.is_empty() && !set.contains(char::is_whitespace);
                is_name.then(|| Self::Set(set.to_owned()))
            }
            None => text.parse().ok().map(Self::Package),
        }
    }
}

impl fmt::Display for Parent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Package(cpv) => write!(formatter, "{cpv}"),
            Self::Set(set) => write!(formatter, "@{set}"),
        }
    }
}

/// As what a package is needed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// By an atom of its dependencies, or of a set.
    Atom(Atom),
    /// For a library, `libz.so.1`. With its multilib category where it comes from REQUIRES.
    Library {
        /// `x86_64`
        category: Option<String>,
        /// The soname.
        soname: String,
    },
}

impl Need {
    /// `dev-libs/libalpha:=` or `x86_64: libz.so.1`.
    pub(super) fn read(text: &str) -> Option<Self> {
        if let Ok(atom) = text.parse() {
            return Some(Self::Atom(atom));
        }
        let (category, soname) = text.split_once(": ")?;
        let is_word = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace);
        (is_word(category) && is_word(soname)).then(|| Self::Library {
            category: Some(category.to_owned()),
            soname: soname.to_owned(),
        })
    }
}

impl fmt::Display for Need {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Atom(atom) => write!(formatter, "{atom}"),
            Self::Library {
                category: Some(category),
                soname,
            } => write!(formatter, "{category}: {soname}"),
            Self::Library {
                category: None,
                soname,
            } => write!(formatter, "{soname}"),
        }
    }
}
