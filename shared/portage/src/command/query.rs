//! The index of a store, and questions to `portageq`.

use super::{CommandLine, VariableName};
use crate::atom::Atom;
use crate::cpv::Cpv;

/// Writes the index `Packages` of PKGDIR anew where it does not fit the files; `--fix` of
/// emaint(1). Prints nothing, and changes nothing where all is well; with
/// `FEATURES=-pkgdir-index-trusted` newer versions would write it anyway.
///
/// Signatures are for whoever installs. Portage would leave out of the index what is signed by a key
/// that this machine does not know, and with `binpkg-request-signature` what is not signed.
#[must_use]
pub fn fix_index() -> CommandLine {
    let features = "pkgdir-index-trusted -binpkg-request-signature binpkg-ignore-signature";
    CommandLine::new(["emaint", "binhost", "--fix"]).variable("FEATURES", features)
}

/// Makes binary packages in PKGDIR of packages that are installed, whose exact atoms come behind it;
/// quickpkg(1). Number and time of the build stay those of what is installed. Configuration that was
/// edited is left out: the package would own it as if it had come so.
#[must_use]
pub fn quickpkg() -> CommandLine {
    // It looks into what it has made as into a binary that is to be installed.
    let features = "binpkg-multi-instance -binpkg-signing -binpkg-request-signature \
                    binpkg-ignore-signature";
    let options = ["--include-config=n", "--include-unmodified-config=y"];
    let words = ["quickpkg", "--ignore-default-opts"]
        .into_iter()
        .chain(options);
    CommandLine::new(words).variable("FEATURES", features)
}

/// Prints `NAME=value` for each variable of Portage's configuration, quoted for a shell, where it
/// needs that or always; portageq(1), `envvar`.
#[must_use]
pub fn portageq_envvars(names: &[VariableName]) -> CommandLine {
    let words = ["portageq", "envvar", "-v"].into_iter();
    CommandLine::new(words.chain(names.iter().map(VariableName::as_str)))
}

/// Prints the installed versions that the atom matches, one a line; portageq(1), `match`.
#[must_use]
pub fn portageq_match(atom: &Atom) -> CommandLine {
    CommandLine::new(["portageq", "match", "/", &atom.to_string()])
}

/// Prints the values of the variables in the metadata of an installed package, one a line;
/// portageq(1), `metadata`.
#[must_use]
pub fn portageq_metadata_installed(cpv: &Cpv, names: &[VariableName]) -> CommandLine {
    let cpv = cpv.to_string();
    let words = ["portageq", "metadata", "/", "installed", &cpv].into_iter();
    CommandLine::new(words.chain(names.iter().map(VariableName::as_str)))
}

/// Prints the configuration of all ebuild repositories, in the form of `repos.conf`; portageq(1),
/// `repos_config`.
#[must_use]
pub fn portageq_repositories() -> CommandLine {
    CommandLine::new(["portageq", "repos_config", "/"])
}
