//! Every call of Portage's programs, as argv and environment.
//!
//! The calls are neutral to the settings of the machine: what its `make.conf` says of default
//! options, binary packages, colours, locale, terminal and waiting has no influence on them.
//! Nothing but values of this crate's types becomes an argument, so no argument can be taken for
//! an option.
//!
//! A call expects an environment of its own (`env -i`, `PATH`, `HOME` and nothing else) and a
//! standard input that is closed or empty: no call asks anything.
//!
//! # What is overruled, and what is not
//!
//! The variables of the environment stand above `make.conf`, the profile and `package.env`
//! (make.conf(5); `portage/package/ebuild/config.py`), and the incremental `FEATURES` adds to
//! theirs.
//!
//! | setting of the machine | what a call makes of it |
//! |---|---|
//! | `EMERGE_DEFAULT_OPTS` | not read, whatever it holds: `--ask` would end a call without a terminal, `--exclude` shorten a plan, an unbalanced quote end everything |
//! | `FEATURES=getbinpkg`, `PORTAGE_BINHOST`, `binrepos.conf` | off, by `FEATURES`: up to 3.0.80 this setting wins over `--getbinpkg=n` |
//! | `FEATURES=buildpkg`, `buildsyspkg`, `unmerge-backup`, `downgrade-backup` | off: each writes binaries that nobody ordered into PKGDIR, which is the fleet's store |
//! | `FEATURES=-binpkg-multi-instance` | on where binaries are made: without it they get no number. It has no say where they are read |
//! | `FEATURES=-pkgdir-index-trusted` | on where the store is read: without it every call reads every file of the store, and writes its index anew |
//! | `FEATURES=keepwork`, `keeptemp`, `noclean` | off where something is compiled: what a former build with other USE left would be packed again, or folders would pile up |
//! | `FEATURES=news` | off, except in plans, whose reader reports news |
//! | package moves (`profiles/updates`) | applied by [`apply_package_moves`], [`sync`] and [`plan_world`] only, with PKGDIR out of reach: any other call of emerge, with `--pretend` too, renames and rewrites binaries in the store |
//! | `CLEAN_DELAY` | 0: nobody is there to press Ctrl-C |
//! | `EMERGE_WARNING_DELAY` | left: it only delays a masked ebuild that is given by its path |
//! | `LC_ALL`, `LANG`, `LANGUAGE` | `C.UTF-8`: not only emerge is translated, compilers are, too |
//! | `NOCOLOR`, `NO_COLOR`, `color.map`, `TERM`, terminal titles | no colour, no escape sequence |
//! | `COLUMNS` | left: it moves the `[ ok ]` of ebuild phases only |
//! | `FEATURES=candy`, `parallel-install`, `parallel-fetch`, `PORTAGE_NICENESS` and its like | left: they change neither what is done nor what is said of it |
//! | `FEATURES=binpkg-request-signature`, `binpkg-signing` | left: who demands signatures gets none of the unsigned binaries, and an error; but not in [`fix_index`], where Portage would take out of the index what it does not trust |
//! | `FEATURES=-binpkg-ignore-signature` | on where a builder installs from the store: signed binaries are checked without being asked to, and fail where their key is not known; their content is compared with what was stored |
//! | `FEATURES=collision-protect`, `protect-owned`, `config-protect-if-modified`, `CONFIG_PROTECT`, `INSTALL_MASK` | left: the administrator's word on his files |
//! | `ACCEPT_*`, `package.*`, `LINGUAS`, `USE`, `CFLAGS` and all that makes a binary what it is | left: it is what a plan is about |
//! | `PORTAGE_ELOG_*`, `EMERGE_LOG_DIR`, `PORTAGE_LOGDIR`, `/etc/portage/bashrc` | left: what packages say goes where the administrator wants it |
//! | `AUTOCLEAN` | left: there is nothing to clean behind a call that names exact packages |
//!
//! # Versions of Portage
//!
//! Every option here is known to Portage 3.0.19, the oldest on PyPI, and to 3.0.20, 3.0.30, 3.0.41,
//! 3.0.51, 3.0.61, 3.0.68 and 3.0.83 (`_emerge/main.py` of each). 3.0.41 does not read `NO_COLOR`
//! and 3.0.51 does; all of them read `NOCOLOR`.

mod emerge;
mod query;

pub use emerge::{
    apply_package_moves, build_binary, depclean, install_binaries, merge_back,
    merge_without_dependencies, only_dependencies, plan_binaries, plan_depclean, plan_unneeded,
    plan_world, remove_unneeded, sync, unmerge,
};
pub use query::{
    fix_index, portageq_envvars, portageq_match, portageq_metadata_installed,
    portageq_repositories, quickpkg,
};

use crate::atom::Atom;
use crate::name::{NameError, validated_string};

use serde::{Deserialize, Serialize};

/// A call of a program: the variables to add to its environment, and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// Names and values of variables.
    pub environment: Vec<(String, String)>,
    /// The program and its arguments.
    pub argv: Vec<String>,
}

/// The name of a variable of the environment or of Portage's configuration, as `PKGDIR`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VariableName(String);

validated_string!(VariableName, NameError);

impl VariableName {
    fn check(input: &str) -> Result<(), NameError> {
        let is_letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
        let first = input.bytes().next();
        if first.is_some_and(is_letter)
            && input
                .bytes()
                .all(|byte| is_letter(byte) || byte.is_ascii_digit())
        {
            return Ok(());
        }
        let rule = "it consists of letters, digits and underscores, a digit not first";
        Err(NameError::new("name of a variable", input, rule))
    }
}

/// What makes the output the same on every machine. `TERM=dumb` keeps emerge from writing escape
/// sequences to terminals; `NO_COLOR` and `NOCOLOR` keep the phases of ebuilds from it, which no
/// option of emerge reaches, one for each generation of Portage. `LANGUAGE` would win over
/// `LC_ALL` (gettext's manual, "The LANGUAGE variable").
const ENVIRONMENT: [(&str, &str); 6] = [
    ("LC_ALL", "C.UTF-8"),
    ("LANGUAGE", ""),
    ("NO_COLOR", "1"),
    ("NOCOLOR", "true"),
    ("TERM", "dumb"),
    ("EMERGE_DEFAULT_OPTS", ""),
];

/// The environment in which Portage says the same on every machine: locale, colours and default
/// options are fixed. What Portage does is not: for that, each command line has more.
#[must_use]
pub fn neutral_environment() -> Vec<(String, String)> {
    let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    ENVIRONMENT.into_iter().map(own).collect()
}

impl CommandLine {
    fn new<'a>(argv: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            environment: neutral_environment(),
            argv: argv.into_iter().map(str::to_owned).collect(),
        }
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.retain(|(present, _)| present != name);
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    fn atoms(mut self, atoms: impl IntoIterator<Item = Atom>) -> Self {
        self.argv
            .extend(atoms.into_iter().map(|atom| atom.to_string()));
        self
    }

    /// The same call with one more option, before all others.
    #[must_use]
    pub fn with_option(mut self, option: &'static str) -> Self {
        self.argv.insert(1.min(self.argv.len()), option.to_owned());
        self
    }

    /// The same call with one more variable in its environment; it replaces one of that name.
    #[must_use]
    pub fn with_environment(self, name: &VariableName, value: impl Into<String>) -> Self {
        self.variable(name.as_str(), &value.into())
    }

    /// The same call with more in its FEATURES.
    #[must_use]
    pub fn with_features<'a>(self, features: impl IntoIterator<Item = &'a str>) -> Self {
        let mut own = self.environment.iter();
        let own = own.find(|(name, _)| name == "FEATURES");
        let mut all: Vec<String> = own.map(|(_, value)| value.clone()).into_iter().collect();
        all.extend(features.into_iter().map(str::to_owned));
        self.variable("FEATURES", &all.join(" "))
    }

    /// Shows what the call would do instead of doing it.
    #[must_use]
    pub fn pretend(mut self) -> Self {
        let place = 1.min(self.argv.len());
        self.argv
            .splice(place..place, emerge::PRETEND.map(str::to_owned));
        self
    }
}

#[cfg(test)]
mod tests;
