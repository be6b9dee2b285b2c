//! The package that somebody asks about.

use gentoo_updater_portage::atom::Atom;
use gentoo_updater_portage::cpv::Cpv;
use gentoo_updater_portage::name::{CategoryPackage, PackageName};

use crate::inspect::near::nearest;

/// Why it is not known which package is meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownPackage {
    /// It is none.
    #[error(
        "{text:?} names no package: {cause}; write dev-libs/openssl, '>=dev-libs/openssl-3.5' or openssl"
    )]
    Malformed {
        /// The text.
        text: String,
        /// Why.
        cause: String,
    },
    /// Several have this name.
    #[error("{text} may be any of these: {}", names.join(", "))]
    Ambiguous {
        /// The text.
        text: String,
        /// The packages.
        names: Vec<String>,
    },
    /// No run was ever about one of this name.
    #[error(
        "no run that the history tells of was about a package {text}{}",
        hint(near)
    )]
    NeverSeen {
        /// The text.
        text: String,
        /// Names that are like it.
        near: Vec<String>,
    },
}

fn hint(near: &[String]) -> String {
    match near {
        [] => "; `gentoo-updater scan` asks the guests what they want".to_owned(),
        near => format!("; did you mean {}?", near.join(" or ")),
    }
}

/// The atom that is meant by an atom, a package with its version, or the name of a package without its
/// category, where one of the known packages has it.
///
/// # Errors
/// [`UnknownPackage`], with names that are like it.
pub fn package_asked<'a>(
    text: &str,
    known: impl Iterator<Item = &'a CategoryPackage> + Clone,
) -> Result<Atom, UnknownPackage> {
    if let Ok(version) = text.parse::<Cpv>() {
        return Ok(Atom::exact(&version));
    }
    if text.contains('/') {
        let atom = text.parse::<Atom>();
        return atom.map_err(|cause| UnknownPackage::Malformed {
            text: text.to_owned(),
            cause: cause.to_string(),
        });
    }
    text.parse::<PackageName>()
        .map_err(|cause| UnknownPackage::Malformed {
            text: text.to_owned(),
            cause: cause.to_string(),
        })?;
    let alike: Vec<&CategoryPackage> = known
        .clone()
        .filter(|name| name.package.as_str() == text)
        .collect();
    match alike.as_slice() {
        [one] => Ok(Atom::any_version(one)),
        [] => Err(never_seen(text, known)),
        several => Err(UnknownPackage::Ambiguous {
            text: text.to_owned(),
            names: several.iter().map(ToString::to_string).collect(),
        }),
    }
}

/// That no run was about a package of this name.
pub fn never_seen<'a>(
    text: &str,
    known: impl Iterator<Item = &'a CategoryPackage>,
) -> UnknownPackage {
    // Who leaves the category out means the name.
    let named = |name: &CategoryPackage| match text.contains('/') {
        true => name.to_string(),
        false => name.package.to_string(),
    };
    let known: Vec<(String, &CategoryPackage)> = known.map(|name| (named(name), name)).collect();
    let near = nearest(text, known.iter().map(|(name, _)| name.as_str()));
    let meant = near.into_iter().flat_map(|near| {
        let alike = known.iter().filter(move |(name, _)| name == near);
        alike.map(|(_, name)| name.to_string())
    });
    UnknownPackage::NeverSeen {
        text: text.to_owned(),
        near: meant.collect(),
    }
}
