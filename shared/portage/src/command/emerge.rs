//! The steps that emerge takes, one function each.

use super::CommandLine;
use crate::atom::Atom;
use crate::cpv::{Cpv, ExactPackage};
use crate::name::RepositoryName;

/// What every call of emerge begins with. For a call without a terminal `TERM=dumb` makes the
/// last two needless; with a terminal and another `TERM` they are not.
const EMERGE: [&str; 4] = [
    "emerge",
    "--ignore-default-opts",
    "--color=n",
    "--nospinner",
];

/// Neither names nor contents of installed packages and binaries change along the way.
const NO_MOVES: &str = "--package-moves=n";

/// Shows the plan and does nothing. [`crate::plan::parse`] reads the output of these two together.
pub(super) const PRETEND: [&str; 2] = ["--pretend", "--verbose"];

/// Binary packages of the store and nothing else, each only with the USE flags that the machine
/// wants: without `--binpkg-respect-use=y` emerge installs others silently.
const FROM_STORE: [&str; 2] = ["--usepkgonly", "--binpkg-respect-use=y"];

/// What is the machine's in every call: no binary is fetched, and none is made.
const FEATURES: &str = "-getbinpkg -buildpkg -buildsyspkg -unmerge-backup -downgrade-backup";

/// The store is read by its index.
const STORE: &str = "pkgdir-index-trusted";

/// A builder starts each build from nothing, leaves no folder behind, gives each binary a number,
/// and keeps libraries that its other programs still need.
const BUILDER: &str = "binpkg-multi-instance fail-clean preserve-libs -keepwork -keeptemp -noclean";

/// Signatures are for whoever asks for them. Without this Portage checks what is signed even where
/// nobody does, and fails where it does not know the key; who asks for them wins over it.
const UNASKED: &str = "binpkg-ignore-signature";

/// Nobody reads the news where no plan is made.
const NO_NEWS: &str = "-news";

/// No folder, and none can be made there: a call that needs no binary packages sees none, and
/// changes none.
const NO_PKGDIR: (&str, &str) = ("PKGDIR", "/dev/null");

fn emerge(options: &[&[&str]], features: &[&str]) -> CommandLine {
    let words = EMERGE
        .iter()
        .chain(options.iter().copied().flatten())
        .copied();
    let features: Vec<&str> = [FEATURES].iter().chain(features).copied().collect();
    CommandLine::new(words)
        .variable("FEATURES", &features.join(" "))
        .variable("CLEAN_DELAY", "0")
}

/// Applies the package moves of the ebuild repositories (PMS, "Profiles", `updates`) to what the
/// machine has installed, to its world file and to its `/etc/portage`, if there are new ones.
/// Nothing else is done, and binary packages are not touched. It prints the names of package
/// sets, the only thing that emerge can be asked for that is this quick.
#[must_use]
pub fn apply_package_moves() -> CommandLine {
    let (name, value) = NO_PKGDIR;
    emerge(&[&["--list-sets"]], &[NO_NEWS]).variable(name, value)
}

/// Brings the ebuild repositories up to date that the configuration syncs of itself (repos.conf,
/// `auto-sync`), and applies their package moves to what is installed. Exit code 1 where one of
/// them could not be.
#[must_use]
pub fn sync() -> CommandLine {
    let (name, value) = NO_PKGDIR;
    emerge(&[&["--sync"]], &[NO_NEWS]).variable(name, value)
}

/// What a guest needs to be up to date: the plan for its world, from ebuilds.
///
/// Nothing is installed or removed, and no binary package is looked at or touched. New package
/// moves are applied, as with any `emerge --pretend`: without them the plan names packages that
/// exist no more ([`apply_package_moves`]).
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
    let options = ["--update", "--newuse", "--deep", bdeps];
    let (name, value) = NO_PKGDIR;
    let mut line = emerge(&[&PRETEND, &options], &[]).variable(name, value);
    line.argv.push("@world".to_owned());
    line
}

/// What [`install_binaries`] would do.
#[must_use]
pub fn plan_binaries(packages: &[ExactPackage]) -> CommandLine {
    binaries(&PRETEND, &[STORE], packages)
}

/// Installs these binary packages of the store in one transaction, and what they need to run and
/// is missing. Where one fails, the others that do not need it are still installed.
///
/// The world file stays as it is. An installed dependency that is good enough stays as it is,
/// whatever other binary of it the store has, and nothing that only a build needs is installed.
/// Where a binary of the list is missing, or was built with other USE flags than the machine
/// wants, nothing at all is installed.
#[must_use]
pub fn install_binaries(packages: &[ExactPackage]) -> CommandLine {
    binaries(&["--keep-going=y"], &[STORE, NO_NEWS], packages)
}

fn binaries(options: &[&str], features: &[&str], packages: &[ExactPackage]) -> CommandLine {
    emerge(&[options, &["--oneshot", NO_MOVES], &FROM_STORE], features)
        .atoms(packages.iter().map(Atom::exact_package))
}

/// Compiles and installs what is missing to build the package, and neither the package nor what
/// it needs only to run. No binary packages are made of it.
///
/// What is installed already is looked at as well (`--deep`): a library that came with
/// [`merge_without_dependencies`] may lack something. Installed packages that are bound to a former
/// subslot are no conflict here, and are not built again.
#[must_use]
pub fn only_dependencies(cpv: &Cpv, repository: &RepositoryName) -> CommandLine {
    let options = [
        "--onlydeps",
        "--onlydeps-with-rdeps=n",
        "--deep",
        "--with-bdeps=n",
        "--ignore-built-slot-operator-deps=y",
        NO_MOVES,
    ];
    emerge(&[&options], &[BUILDER, NO_NEWS]).atoms([Atom::exact(cpv).of_repository(repository)])
}

/// Compiles a package to a binary package in PKGDIR, and does not install it.
///
/// All that its build needs must be installed ([`only_dependencies`]). It is not looked for again:
/// Portage would weigh what other installed packages say of this one, which is not installed.
#[must_use]
pub fn build_binary(cpv: &Cpv, repository: &RepositoryName) -> CommandLine {
    let options = ["--buildpkgonly", "--nodeps", NO_MOVES];
    emerge(&[&options], &[BUILDER, NO_NEWS]).atoms([Atom::exact(cpv).of_repository(repository)])
}

/// Installs these binary packages of the store, in this order, without looking at what depends on
/// them or on what they depend. For a builder, whose libraries go ahead of their dependants, and
/// which takes each with the USE flags of the guests and not with its own (emerge's own way with
/// `--usepkgonly`). The world file stays as it is.
#[must_use]
pub fn merge_without_dependencies(packages: &[ExactPackage]) -> CommandLine {
    let options = ["--nodeps", "--oneshot", "--usepkgonly", NO_MOVES];
    emerge(&[&options], &[STORE, BUILDER, NO_NEWS, UNASKED])
        .atoms(packages.iter().map(Atom::exact_package))
}

/// Installs these binary packages again, in this order, in the place of what was installed since; one that
/// cannot be installed keeps no other from it. What is edited stays, and so does every file that is
/// protected. The world file stays as it is.
///
/// What was made of what was installed is not signed, and files that moved from one package to another
/// belong to both for a while.
#[must_use]
pub fn merge_back(packages: &[ExactPackage]) -> CommandLine {
    let options = [
        "--nodeps",
        "--oneshot",
        "--usepkgonly",
        "--keep-going",
        NO_MOVES,
    ];
    let features = [
        "-binpkg-request-signature",
        "binpkg-ignore-signature",
        "-collision-protect",
        "-protect-owned",
        "-config-protect-if-modified",
    ];
    emerge(&[&options], &[STORE, BUILDER, NO_NEWS, UNASKED])
        .with_features(features)
        .atoms(packages.iter().map(Atom::exact_package))
}

/// Removes exactly these packages, whatever needs them; emerge(1), `--unmerge`. The world file stays as
/// it is.
#[must_use]
pub fn unmerge(packages: &[Cpv]) -> CommandLine {
    let options = ["--unmerge", "--deselect=n", NO_MOVES];
    emerge(&[&options], &[NO_NEWS]).atoms(packages.iter().map(Atom::exact))
}

/// Removes those of the packages that nothing installed needs, build dependencies aside, and says
/// what needs the others. [`crate::depclean::parse`] reads its output.
///
/// The world file stays as it is: what it names stays installed. So does what an installed package
/// needs in another subslot than the one it was built with.
#[must_use]
pub fn depclean(packages: &[Cpv]) -> CommandLine {
    depclean_of(&["--verbose"], packages)
}

/// Shows what [`depclean`] would remove, and what needs the others.
#[must_use]
pub fn plan_depclean(packages: &[Cpv]) -> CommandLine {
    depclean_of(&PRETEND, packages)
}

fn depclean_of(options: &[&str], packages: &[Cpv]) -> CommandLine {
    let exactly = [
        "--depclean",
        // With arguments, depclean would take them out of the world file first.
        "--deselect=n",
        "--with-bdeps=n",
        "--ignore-built-slot-operator-deps=y",
        NO_MOVES,
    ];
    emerge(&[options, &exactly], &[NO_NEWS]).atoms(packages.iter().map(Atom::exact))
}

/// Shows which packages nothing needs any more: neither the world and system sets nor an installed
/// package, to run or to be built again. [`crate::depclean::parse`] reads it.
#[must_use]
pub fn plan_unneeded() -> CommandLine {
    unneeded(&PRETEND)
}

/// Removes those of these packages that nothing needs, as [`plan_unneeded`] counts it.
#[must_use]
pub fn remove_unneeded(packages: &[Cpv]) -> CommandLine {
    let line = unneeded(&["--deselect=n", "--verbose"]);
    line.atoms(packages.iter().map(Atom::exact))
}

fn unneeded(options: &[&str]) -> CommandLine {
    let all = ["--depclean", "--with-bdeps=y", NO_MOVES];
    emerge(&[options, &all], &[NO_NEWS])
}
