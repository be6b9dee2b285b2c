//! Every call of Portage's programs, as argv and environment.
//!
//! The calls are neutral to the settings of the machine: default options, colours, locale and
//! terminal have no influence on them. Nothing but values of this crate's types becomes an
//! argument, so no argument can be taken for an option.

use crate::atom::Atom;
use crate::cpv::{Cpv, ExactPackage};
use crate::name::{NameError, RepositoryName, validated_string};

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

/// What makes the output the same on every machine: `TERM=dumb` keeps emerge from writing escape
/// sequences to terminals, `NO_COLOR` those of the phases of ebuilds (`--color` does not reach
/// them), and both spellings are needed for the versions of Portage in use.
const ENVIRONMENT: [(&str, &str); 5] = [
    ("LC_ALL", "C.UTF-8"),
    ("NO_COLOR", "1"),
    ("NOCOLOR", "true"),
    ("TERM", "dumb"),
    ("EMERGE_DEFAULT_OPTS", ""),
];

/// What every call of emerge begins with.
const EMERGE: [&str; 4] = [
    "emerge",
    "--ignore-default-opts",
    "--color=n",
    "--nospinner",
];

/// No binary packages, whatever FEATURES of the machine says.
const FROM_SOURCE: [&str; 2] = ["--usepkg=n", "--getbinpkg=n"];

/// Binary packages of the store and nothing else, each only with the USE flags that the machine
/// wants: without `--binpkg-respect-use=y` emerge installs others silently. Without
/// `--rebuilt-binaries=n` any binary of another build time would be installed again.
const FROM_STORE: [&str; 5] = [
    "--usepkgonly",
    "--getbinpkg=n",
    "--binpkg-respect-use=y",
    "--rebuilt-binaries=n",
    "--with-bdeps=n",
];

/// Shows the plan and does nothing. [`crate::plan::parse`] reads the output of these two together.
const PRETEND: [&str; 2] = ["--pretend", "--verbose"];

/// The environment in which Portage says the same on every machine: locale, colours and default
/// options are fixed.
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

    fn emerge(options: &[&[&str]]) -> Self {
        Self::new(
            EMERGE
                .iter()
                .chain(options.iter().copied().flatten())
                .copied(),
        )
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
    pub fn with_environment(mut self, name: &VariableName, value: impl Into<String>) -> Self {
        self.environment
            .retain(|(present, _)| present != name.as_str());
        self.environment.push((name.to_string(), value.into()));
        self
    }

    /// Shows what the call would do instead of doing it.
    #[must_use]
    pub fn pretend(mut self) -> Self {
        let place = 1.min(self.argv.len());
        self.argv.splice(place..place, PRETEND.map(str::to_owned));
        self
    }
}

/// What a guest needs to be up to date: the plan for its world.
///
/// Without build dependencies a guest that installs binary packages only is not asked to install
/// what it would need to compile.
#[must_use]
pub fn plan_world(with_build_dependencies: bool) -> CommandLine {
    let bdeps = if with_build_dependencies {
        "--with-bdeps=y"
    } else {
        "--with-bdeps=n"
    };
    let options = ["--update", "--newuse", "--deep", "--oneshot", bdeps];
    let mut line = CommandLine::emerge(&[&PRETEND, &options, &FROM_SOURCE]);
    line.argv.push("@world".to_owned());
    line
}

/// What [`install_binaries`] would do.
#[must_use]
pub fn plan_binaries(packages: &[ExactPackage]) -> CommandLine {
    binaries(&PRETEND, packages)
}

/// Installs these binary packages of the store in one transaction. Where one fails, the others
/// that do not need it are still installed.
#[must_use]
pub fn install_binaries(packages: &[ExactPackage]) -> CommandLine {
    binaries(&["--keep-going=y"], packages)
}

fn binaries(options: &[&str], packages: &[ExactPackage]) -> CommandLine {
    CommandLine::emerge(&[options, &["--oneshot"], &FROM_STORE])
        .atoms(packages.iter().map(Atom::exact_package))
}

/// Compiles and installs what is missing to build the package, and neither the package nor what
/// it needs only to run.
///
/// What is installed already is looked at as well (`--deep`): a library that came with
/// [`merge_without_dependencies`] may lack something. Installed packages that are bound to a former
/// subslot are no conflict here.
#[must_use]
pub fn only_dependencies(cpv: &Cpv, repository: &RepositoryName) -> CommandLine {
    let options = [
        "--onlydeps",
        "--onlydeps-with-rdeps=n",
        "--oneshot",
        "--deep",
        "--with-bdeps=n",
        "--ignore-built-slot-operator-deps=y",
    ];
    CommandLine::emerge(&[&options, &FROM_SOURCE])
        .atoms([Atom::exact(cpv).of_repository(repository)])
}

/// Compiles a package to a binary package in PKGDIR, and does not install it.
///
/// All that its build needs must be installed ([`only_dependencies`]). It is not looked for again:
/// Portage would ask for what the package needs to run as well, and build that along with it.
#[must_use]
pub fn build_binary(cpv: &Cpv, repository: &RepositoryName) -> CommandLine {
    let options = ["--buildpkgonly", "--nodeps", "--oneshot", "--quiet-build=n"];
    CommandLine::emerge(&[&options, &FROM_SOURCE])
        .atoms([Atom::exact(cpv).of_repository(repository)])
}

/// Installs these binary packages of the store, in this order, without looking at what depends on
/// them or on what they depend. For a builder, whose libraries go ahead of their dependants, and
/// which takes each with the USE flags of the guests and not with its own.
#[must_use]
pub fn merge_without_dependencies(packages: &[ExactPackage]) -> CommandLine {
    let options = [
        "--nodeps",
        "--oneshot",
        "--usepkgonly",
        "--getbinpkg=n",
        "--binpkg-respect-use=n",
        "--rebuilt-binaries=n",
    ];
    CommandLine::emerge(&[&options]).atoms(packages.iter().map(Atom::exact_package))
}

/// Removes those of the packages that nothing installed needs, build dependencies aside, and says
/// what needs the others. [`crate::depclean::parse`] reads its output.
#[must_use]
pub fn depclean(packages: &[Cpv]) -> CommandLine {
    CommandLine::emerge(&[&[
        "--depclean",
        // With arguments, depclean would take them out of the world file first.
        "--deselect=n",
        "--with-bdeps=n",
        "--ignore-built-slot-operator-deps=y",
        "--verbose",
    ]])
    .atoms(packages.iter().map(Atom::exact))
}

/// Writes the index `Packages` of PKGDIR anew where it does not fit the files. Prints nothing.
#[must_use]
pub fn fix_index() -> CommandLine {
    CommandLine::new(["emaint", "binhost", "--fix"])
}

/// Prints `NAME='value'` for each variable of Portage's configuration.
#[must_use]
pub fn portageq_envvars(names: &[VariableName]) -> CommandLine {
    let words = ["portageq", "envvar", "-v"].into_iter();
    CommandLine::new(words.chain(names.iter().map(VariableName::as_str)))
}

/// Prints the installed versions that the atom matches, one a line.
#[must_use]
pub fn portageq_match(atom: &Atom) -> CommandLine {
    CommandLine::new(["portageq", "match", "/", &atom.to_string()])
}

/// Prints the values of the variables in the metadata of an installed package, one a line.
#[must_use]
pub fn portageq_metadata_installed(cpv: &Cpv, names: &[VariableName]) -> CommandLine {
    let cpv = cpv.to_string();
    let words = ["portageq", "metadata", "/", "installed", &cpv].into_iter();
    CommandLine::new(words.chain(names.iter().map(VariableName::as_str)))
}

/// Prints the configuration of all ebuild repositories, in the form of `repos.conf`.
#[must_use]
pub fn portageq_repositories() -> CommandLine {
    CommandLine::new(["portageq", "repos_config", "/"])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &CommandLine, expected: &str) {
        assert_eq!(line.argv.join(" "), expected);
        let environment: Vec<String> = line
            .environment
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let expected = "LC_ALL=C.UTF-8 NO_COLOR=1 NOCOLOR=true TERM=dumb EMERGE_DEFAULT_OPTS=";
        assert_eq!(environment.join(" "), expected);
    }

    fn cpv() -> Cpv {
        "app-misc/hello-2.0".parse().unwrap()
    }

    fn gentoo() -> RepositoryName {
        "gentoo".parse().unwrap()
    }

    fn packages() -> Vec<ExactPackage> {
        vec![cpv().into(), "dev-libs/libalpha-2.0-3".parse().unwrap()]
    }

    #[test]
    fn every_step_has_its_exact_call() {
        let emerge = "emerge --ignore-default-opts --color=n --nospinner";
        let store = "--usepkgonly --getbinpkg=n --binpkg-respect-use=y --rebuilt-binaries=n \
                     --with-bdeps=n";
        let atoms = "=app-misc/hello-2.0 =dev-libs/libalpha-2.0-3";
        for (wanted, word) in [(false, "n"), (true, "y")] {
            check(
                &plan_world(wanted),
                &format!(
                    "{emerge} --pretend --verbose --update --newuse --deep --oneshot \
                     --with-bdeps={word} --usepkg=n --getbinpkg=n @world"
                ),
            );
        }
        check(
            &plan_binaries(&packages()),
            &format!("{emerge} --pretend --verbose --oneshot {store} {atoms}"),
        );
        check(
            &install_binaries(&packages()),
            &format!("{emerge} --keep-going=y --oneshot {store} {atoms}"),
        );
        check(
            &only_dependencies(&cpv(), &gentoo()),
            &format!(
                "{emerge} --onlydeps --onlydeps-with-rdeps=n --oneshot --deep --with-bdeps=n \
                 --ignore-built-slot-operator-deps=y --usepkg=n --getbinpkg=n \
                 =app-misc/hello-2.0::gentoo"
            ),
        );
        check(
            &build_binary(&cpv(), &gentoo()),
            &format!(
                "{emerge} --buildpkgonly --nodeps --oneshot --quiet-build=n --usepkg=n \
                 --getbinpkg=n =app-misc/hello-2.0::gentoo"
            ),
        );
        check(
            &merge_without_dependencies(&packages()),
            &format!(
                "{emerge} --nodeps --oneshot --usepkgonly --getbinpkg=n --binpkg-respect-use=n \
                 --rebuilt-binaries=n {atoms}"
            ),
        );
        check(
            &depclean(&[cpv()]),
            &format!(
                "{emerge} --depclean --deselect=n --with-bdeps=n \
                 --ignore-built-slot-operator-deps=y --verbose =app-misc/hello-2.0"
            ),
        );
        check(&fix_index(), "emaint binhost --fix");
        let names = ["CHOST", "USE"].map(|name| name.parse().unwrap());
        check(&portageq_envvars(&names), "portageq envvar -v CHOST USE");
        check(
            &portageq_match(&Atom::exact(&cpv())),
            "portageq match / =app-misc/hello-2.0",
        );
        check(
            &portageq_metadata_installed(&cpv(), &names),
            "portageq metadata / installed app-misc/hello-2.0 CHOST USE",
        );
        check(&portageq_repositories(), "portageq repos_config /");
    }

    #[test]
    fn a_call_can_be_adjusted() {
        let line = build_binary(&cpv(), &gentoo())
            .with_option("--jobs=2")
            .pretend();
        let expected = ["emerge", "--pretend", "--verbose", "--jobs=2"];
        assert_eq!(line.argv[..4], expected);
        let name = "TERM".parse().unwrap();
        let line = fix_index().with_environment(&name, "xterm");
        assert_eq!(
            line.environment
                .iter()
                .filter(|(name, _)| name == "TERM")
                .count(),
            1
        );
        assert!(
            line.environment
                .contains(&("TERM".to_owned(), "xterm".to_owned()))
        );
    }

    #[test]
    fn the_name_of_a_variable_is_nothing_else() {
        for name in ["", "1A", "A-B", "A=B", "A B", "$A", "--help"] {
            assert!(name.parse::<VariableName>().is_err(), "{name:?}");
        }
    }
}
