//! Every type of the grammar: printing and parsing are inverse, a type holds what PMS permits and
//! nothing else, and no text, however large, does harm.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use gentoo_updater_portage::atom::{Atom, UseDependency};
use gentoo_updater_portage::cpv::{Cpv, ExactPackage};
use gentoo_updater_portage::dependency::{
    Dependency, FlagState, License, LicenseName, RequiredUse, Restrict, RestrictToken, SourceUris,
};
use gentoo_updater_portage::name::{
    Category, CategoryPackage, PackageName, RepositoryName, Slot, SlotAndSubslot, UseFlag,
};
use gentoo_updater_portage::version::Version;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

/// What is accepted is printed as it was written. Gives whether it was accepted.
fn prints_as_written<T>(text: &str) -> Result<bool, TestCaseError>
where
    T: FromStr<Err: Debug> + Display + Debug + PartialEq,
{
    let Ok(parsed) = text.parse::<T>() else {
        return Ok(false);
    };
    prop_assert_eq!(parsed.to_string(), text);
    prop_assert_eq!(text.parse::<T>().unwrap(), parsed);
    Ok(true)
}

/// What is accepted is the same after printing and parsing. Gives whether it was accepted.
fn means_the_same_printed<T>(text: &str) -> Result<bool, TestCaseError>
where
    T: FromStr<Err: Debug> + Display + Debug + PartialEq,
{
    let Ok(parsed) = text.parse::<T>() else {
        return Ok(false);
    };
    let printed = parsed.to_string();
    prop_assert_eq!(&printed.parse::<T>().unwrap(), &parsed);
    prop_assert_eq!(printed.parse::<T>().unwrap().to_string(), printed);
    Ok(true)
}

const VERSION: &str =
    "[0-9]{1,2}(\\.[0-9]{1,2}){0,2}[a-z]?(_(alpha|beta|pre|rc|p)[0-9]?){0,2}(-r[0-9]{1,2})?";
const NAME: &str = "[A-Za-z_][A-Za-z+_]{0,5}";

proptest! {
    #[test]
    fn names_hold_their_alphabet(text in "[A-Za-z0-9_+.@-]{1,6}") {
        let first = text.as_bytes()[0];
        let only = |more: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c));
        let begins = |never: &[u8]| !never.contains(&first);
        prop_assert_eq!(prints_as_written::<Category>(&text)?, only("+_.-") && begins(b"-.+"));
        prop_assert_eq!(prints_as_written::<Slot>(&text)?, only("+_.-") && begins(b"-.+"));
        prop_assert_eq!(prints_as_written::<LicenseName>(&text)?, only("+_.-") && begins(b"-.+"));
        prop_assert_eq!(prints_as_written::<RestrictToken>(&text)?, only("+_.-") && begins(b"-.+"));
        prop_assert_eq!(prints_as_written::<UseFlag>(&text)?, only("+_@-") && begins(b"+_@-"));
        prop_assert_eq!(prints_as_written::<FlagState>(&text)?, only("+_@-") && begins(b"+_@-"));
        if prints_as_written::<PackageName>(&text)? {
            prop_assert!(only("+_-") && begins(b"-+"));
        }
        if prints_as_written::<RepositoryName>(&text)? {
            prop_assert!(only("_-") && begins(b"-"));
            prop_assert!(text.parse::<PackageName>().is_ok(), "PMS 3.1.5");
        }
    }

    #[test]
    fn a_name_that_ends_in_a_version_is_none(name in NAME, version in VERSION) {
        let text = format!("{name}-{version}");
        prop_assert!(text.parse::<PackageName>().is_err());
        prop_assert!(text.parse::<RepositoryName>().is_err());
    }

    #[test]
    fn packages_and_versions_print_as_written(
        category in NAME, package in NAME, version in VERSION, build_id in 0_u32..,
    ) {
        prop_assert!(prints_as_written::<Version>(&version)?);
        let cp = format!("{category}/{package}");
        prop_assert!(prints_as_written::<CategoryPackage>(&cp)?);
        let cpv = format!("{cp}-{version}");
        prop_assert!(prints_as_written::<Cpv>(&cpv)?);
        prop_assert!(prints_as_written::<ExactPackage>(&cpv)?);
        let exact: ExactPackage = format!("{cpv}-{build_id}").parse().unwrap();
        prop_assert_eq!(exact.build_id, Some(build_id));
        prop_assert_eq!(exact.cpv.version.as_str(), &version);
        prop_assert_eq!(exact.to_string(), format!("{cpv}-{build_id}"));
    }

    #[test]
    fn slots_mean_the_same_printed(text in "[a0_.+-]{1,3}(/[a0_.+-]{1,3})?") {
        means_the_same_printed::<SlotAndSubslot>(&text)?;
    }

    #[test]
    fn use_dependencies_print_as_written(text in "[!-]?[a-c+@]{1,2}(\\([+-]\\))?[?=]?") {
        prints_as_written::<UseDependency>(&text)?;
    }

    #[test]
    fn strings_mean_the_same_printed(
        text in "((a/b|!c/d\\[x\\?\\]|a|!a|\\(|\\)|a\\? \\(|\\|\\| \\(|\\^\\^ \\(|\\?\\? \\(|->)[ \\n]){0,12}",
    ) {
        means_the_same_printed::<Dependency>(&text)?;
        means_the_same_printed::<RequiredUse>(&text)?;
        means_the_same_printed::<License>(&text)?;
        means_the_same_printed::<Restrict>(&text)?;
        means_the_same_printed::<SourceUris>(&text)?;
    }

    #[test]
    fn no_text_is_read_as_anything_that_prints_otherwise(text in "\\PC{0,16}") {
        prints_as_written::<Category>(&text)?;
        prints_as_written::<PackageName>(&text)?;
        prints_as_written::<Slot>(&text)?;
        prints_as_written::<RepositoryName>(&text)?;
        prints_as_written::<UseFlag>(&text)?;
        prints_as_written::<Version>(&text)?;
        prints_as_written::<Cpv>(&text)?;
        prints_as_written::<ExactPackage>(&text)?;
        prints_as_written::<Atom>(&text)?;
        means_the_same_printed::<SlotAndSubslot>(&text)?;
        means_the_same_printed::<Dependency>(&text)?;
        means_the_same_printed::<SourceUris>(&text)?;
    }
}

/// Reads `text`, whatever comes of it; an error is short.
fn read<T: FromStr<Err: Display>>(text: &str) -> Option<T> {
    text.parse()
        .inspect_err(|error: &T::Err| assert!(error.to_string().len() < 5000, "{error}"))
        .ok()
}

/// Reads a megabyte of `part` as every type, alone and in the middle of what is right.
fn megabyte_of(part: &str) {
    let long = part.repeat(1_000_000 / part.len());
    read::<Category>(&long);
    read::<SlotAndSubslot>(&long);
    read::<RepositoryName>(&long);
    read::<UseFlag>(&long);
    read::<Atom>(&long);
    read::<RequiredUse>(&long);
    read::<SourceUris>(&long);
    if let Some(dependency) = read::<Dependency>(&long) {
        assert!(dependency.atoms(|_| true).len() <= long.len());
    }
    read::<ExactPackage>(&format!("a/b-1{long}"));
    read::<Atom>(&format!("=a/b-1{long}"));
    read::<Atom>(&format!("a/b[{long}a]"));
    read::<Atom>(&format!("a/b:{long}"));
    for version in [
        format!("1{long}"),
        format!("1.{long}0"),
        format!("1_p{long}"),
    ] {
        if let Some(version) = read::<Version>(&version) {
            let longer = format!("{version}1").parse().unwrap();
            assert!(version.vercmp(&longer).is_ne());
        }
    }
}

#[test]
fn a_megabyte_of_one_character_ends_in_a_value_or_a_short_error() {
    for character in "aZ01_-.+*=~<>![](),?|^:/@$ \n\0é٣\u{a0}".chars() {
        megabyte_of(&character.to_string());
    }
}

#[test]
fn a_megabyte_of_pieces_ends_in_a_value_or_a_short_error() {
    for part in [
        "( ", "( ) ", "|| ( ", "a? ( ", "a? ", "1-", "-1", "-r1", "1.", "_p", "a/b ", "a,",
        "a(+),", "::", "!!", "a/b-1-", "-> ", "a -> b ",
    ] {
        megabyte_of(part);
    }
}
