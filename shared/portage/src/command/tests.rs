use super::*;
use crate::cpv::{Cpv, ExactPackage};
use crate::name::RepositoryName;

const NEUTRAL: &str = "LC_ALL=C.UTF-8 LANGUAGE= NO_COLOR=1 NOCOLOR=true TERM=dumb \
                       EMERGE_DEFAULT_OPTS=";
const EMERGE: &str = "emerge --ignore-default-opts --color=n --nospinner";
const FEATURES: &str = "-getbinpkg -buildpkg -buildsyspkg -unmerge-backup -downgrade-backup";
const STORE: &str = "pkgdir-index-trusted";
const BUILDER: &str = "binpkg-multi-instance fail-clean preserve-libs -keepwork -keeptemp -noclean";

/// The call's arguments, and its variables beyond the neutral ones.
fn check(line: &CommandLine, argv: &str, variables: &str) {
    assert_eq!(line.argv.join(" "), argv);
    let environment: Vec<String> = line
        .environment
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let expected = format!("{NEUTRAL} {variables}");
    assert_eq!(environment.join(" "), expected.trim(), "{argv}");
}

fn check_emerge(line: &CommandLine, argv: &str, features: &str, more: &str) {
    let variables = format!("FEATURES={FEATURES}{features} CLEAN_DELAY=0{more}");
    check(line, &format!("{EMERGE} {argv}"), &variables);
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
fn every_step_of_emerge_has_its_exact_call() {
    let atoms = "=app-misc/hello-2.0 =dev-libs/libalpha-2.0-3";
    for (wanted, word) in [(false, "n"), (true, "y")] {
        check_emerge(
            &plan_world(wanted),
            &format!("--pretend --verbose --update --newuse --deep --with-bdeps={word} @world"),
            "",
            " PKGDIR=/dev/null",
        );
    }
    check_emerge(
        &apply_package_moves(),
        "--list-sets",
        " -news",
        " PKGDIR=/dev/null",
    );
    check_emerge(&sync(), "--sync", " -news", " PKGDIR=/dev/null");
    let store = format!("--oneshot --package-moves=n --usepkgonly --binpkg-respect-use=y {atoms}");
    check_emerge(
        &plan_binaries(&packages()),
        &format!("--pretend --verbose {store}"),
        &format!(" {STORE}"),
        "",
    );
    check_emerge(
        &install_binaries(&packages()),
        &format!("--keep-going=y {store}"),
        &format!(" {STORE} -news"),
        "",
    );
    check_emerge(
        &only_dependencies(&cpv(), &gentoo()),
        "--onlydeps --onlydeps-with-rdeps=n --deep --with-bdeps=n \
         --ignore-built-slot-operator-deps=y --package-moves=n =app-misc/hello-2.0::gentoo",
        &format!(" {BUILDER} -news"),
        "",
    );
    check_emerge(
        &build_binary(&cpv(), &gentoo()),
        "--buildpkgonly --nodeps --package-moves=n =app-misc/hello-2.0::gentoo",
        &format!(" {BUILDER} -news"),
        "",
    );
    check_emerge(
        &merge_without_dependencies(&packages()),
        &format!("--nodeps --oneshot --usepkgonly --package-moves=n {atoms}"),
        &format!(" {STORE} {BUILDER} -news binpkg-ignore-signature"),
        "",
    );
    check_emerge(
        &plan_unneeded(),
        "--pretend --verbose --depclean --with-bdeps=y --package-moves=n",
        " -news",
        "",
    );
    check_emerge(
        &remove_unneeded(&[cpv()]),
        "--deselect=n --verbose --depclean --with-bdeps=y --package-moves=n =app-misc/hello-2.0",
        " -news",
        "",
    );
    check_emerge(
        &depclean(&[cpv()]),
        "--verbose --depclean --deselect=n --with-bdeps=n --ignore-built-slot-operator-deps=y \
         --package-moves=n =app-misc/hello-2.0",
        " -news",
        "",
    );
    check_emerge(
        &plan_depclean(&[cpv()]),
        "--pretend --verbose --depclean --deselect=n --with-bdeps=n \
         --ignore-built-slot-operator-deps=y --package-moves=n =app-misc/hello-2.0",
        " -news",
        "",
    );
}

#[test]
fn every_question_has_its_exact_call() {
    let trusted = "FEATURES=pkgdir-index-trusted -binpkg-request-signature binpkg-ignore-signature";
    check(&fix_index(), "emaint binhost --fix", trusted);
    let names = ["CHOST", "USE"].map(|name| name.parse().unwrap());
    check(
        &portageq_envvars(&names),
        "portageq envvar -v CHOST USE",
        "",
    );
    check(
        &portageq_match(&Atom::exact(&cpv())),
        "portageq match / =app-misc/hello-2.0",
        "",
    );
    check(
        &portageq_metadata_installed(&cpv(), &names),
        "portageq metadata / installed app-misc/hello-2.0 CHOST USE",
        "",
    );
    check(&portageq_repositories(), "portageq repos_config /", "");
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
    let of_that_name = |(name, _): &&(String, String)| name == "TERM";
    assert_eq!(line.environment.iter().filter(of_that_name).count(), 1);
    assert!(
        line.environment
            .contains(&("TERM".to_owned(), "xterm".to_owned()))
    );
}

#[test]
fn features_are_added_to_those_that_a_call_has() {
    let features = |line: &CommandLine| {
        let mut variables = line.environment.iter();
        let found = variables.find(|(name, _)| name == "FEATURES");
        found.unwrap().1.clone()
    };
    let line = build_binary(&cpv(), &gentoo());
    let before = features(&line);
    assert_eq!(features(&line.clone().with_features([])), before);
    let line = line.with_features(["ccache", "distcc"]);
    assert_eq!(features(&line), format!("{before} ccache distcc"));
}

#[test]
fn the_name_of_a_variable_is_nothing_else() {
    for name in ["", "1A", "A-B", "A=B", "A B", "$A", "--help"] {
        assert!(name.parse::<VariableName>().is_err(), "{name:?}");
    }
}
