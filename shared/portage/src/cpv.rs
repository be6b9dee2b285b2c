//! A package with its version, and one binary package of it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::name::{Category, CategoryPackage, NameError, PackageName, string_serialization};
use crate::version::{Version, split_version};

/// Category, package and version, as `app-misc/hello-2.0-r1`.
///
/// Ordered by name, and then by version as Portage orders versions (see [`Version`]).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cpv {
    /// The category and the name, `app-misc/hello`.
    pub category_package: CategoryPackage,
    /// The version with its revision, `2.0-r1`.
    pub version: Version,
}

impl Cpv {
    /// The category, `app-misc`.
    #[must_use]
    pub fn category(&self) -> &Category {
        &self.category_package.category
    }

    /// The name without category and version, `hello` (PN of PMS 11.1).
    #[must_use]
    pub fn package(&self) -> &PackageName {
        &self.category_package.package
    }

    /// Name and version without the category, `hello-2.0-r1` (PF of PMS 11.1).
    #[must_use]
    pub fn pf(&self) -> String {
        format!("{}-{}", self.package(), self.version)
    }
}

impl FromStr for Cpv {
    type Err = NameError;

    fn from_str(input: &str) -> Result<Self, Self::Err> {
        let Some((category_package, version)) = split_version(input) else {
            let rule = "a category, a slash, a package name, a hyphen and a version are needed";
            return Err(NameError::new("category/package-version", input, rule));
        };
        Ok(Self {
            category_package: category_package.parse()?,
            version: version.parse()?,
        })
    }
}

impl fmt::Display for Cpv {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.category_package, self.version)
    }
}

string_serialization!(Cpv, NameError);

/// A version of a package, or exactly one binary package of it.
///
/// With `FEATURES=binpkg-multi-instance` (Portage's default) a store holds any number of binary
/// packages of one version, numbered by BUILD_ID. Portage prints such a binary as
/// `app-misc/hello-2.0-r1-3` and takes `=app-misc/hello-2.0-r1-3` as an atom for it.
///
/// Reading the number back is unambiguous: a PMS version cannot end in `-3`, and a package name
/// cannot end in a hyphen and a version, so a text that ends in two versions has no other reading.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ExactPackage {
    /// The package and its version.
    pub cpv: Cpv,
    /// The BUILD_ID of the one binary package that is meant; any, where it is absent.
    pub build_id: Option<u32>,
}

impl From<Cpv> for ExactPackage {
    fn from(cpv: Cpv) -> Self {
        Self {
            cpv,
            build_id: None,
        }
    }
}

impl FromStr for ExactPackage {
    type Err = NameError;

    fn from_str(input: &str) -> Result<Self, Self::Err> {
        let plain = match input.parse::<Cpv>() {
            Ok(cpv) => return Ok(cpv.into()),
            Err(error) => error,
        };
        let Some((cpv, build_id)) = input.rsplit_once('-') else {
            return Err(plain);
        };
        let Ok(cpv) = cpv.parse::<Cpv>() else {
            return Err(plain);
        };
        match parse_build_id(build_id) {
            Some(build_id) => Ok(Self {
                cpv,
                build_id: Some(build_id),
            }),
            None => {
                let rule = "a BUILD_ID is a number from 0 to 4294967295 without leading zeros";
                Err(NameError::new("BUILD_ID", build_id, rule))
            }
        }
    }
}

impl fmt::Display for ExactPackage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.build_id {
            Some(build_id) => write!(formatter, "{}-{build_id}", self.cpv),
            None => write!(formatter, "{}", self.cpv),
        }
    }
}

string_serialization!(ExactPackage, NameError);

/// Reads a BUILD_ID: digits without leading zeros.
fn parse_build_id(text: &str) -> Option<u32> {
    let canonical = text == "0" || (!text.starts_with('0') && !text.starts_with('+'));
    canonical.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(input: &str) -> (String, String) {
        let cpv: Cpv = input.parse().unwrap();
        assert_eq!(cpv.to_string(), input);
        (cpv.category_package.to_string(), cpv.version.to_string())
    }

    #[test]
    fn the_version_begins_where_pms_says() {
        for (category_package, version) in [
            ("app-misc/hello", "2.0"),
            ("app-misc/hello", "2.0-r1"),
            ("media-fonts/font-adobe-100dpi", "1.0.3"),
            ("x11-libs/gtk+", "3.24.41-r1"),
            ("dev-libs/a-r1", "1"),
            ("dev-libs/a-1x2", "3_p1-r0"),
            ("virtual/0", "0"),
        ] {
            let expected = (category_package.to_owned(), version.to_owned());
            assert_eq!(parts(&format!("{category_package}-{version}")), expected);
        }
        let cpv: Cpv = "app-misc/hello-2.0-r1".parse().unwrap();
        assert_eq!(cpv.pf(), "hello-2.0-r1");
        assert_eq!(cpv.category().as_str(), "app-misc");
        assert_eq!(cpv.package().as_str(), "hello");
    }

    #[test]
    fn what_has_no_single_reading_is_refused() {
        for input in [
            "",
            "hello-1",
            "app-misc/hello",
            "app-misc/hello-",
            "app-misc/-1",
            "/hello-1",
            "app-misc/hello-1-2",
            "app-misc/hello-1.0-r1-3",
            "app-misc/hello-r1",
            "app-misc/hello-1;touch x",
            "app-misc/hello-1\n",
            "a/b/c-1",
            "=app-misc/hello-1",
            "app-misc/hello-1-r1-r2",
            "--app/hello-1",
        ] {
            assert!(input.parse::<Cpv>().is_err(), "{input:?} was accepted");
        }
    }

    #[test]
    fn a_build_id_is_read_apart_from_the_version() {
        for (input, cpv, build_id) in [
            ("app-misc/newdep-1.0-5", "app-misc/newdep-1.0", Some(5)),
            (
                "sys-apps/labbase-1.0-r1-1",
                "sys-apps/labbase-1.0-r1",
                Some(1),
            ),
            ("sys-apps/labbase-1.0-r1", "sys-apps/labbase-1.0-r1", None),
            ("app-misc/newdep-5", "app-misc/newdep-5", None),
            ("app-misc/newdep-5-12", "app-misc/newdep-5", Some(12)),
            ("app-misc/newdep-5-0", "app-misc/newdep-5", Some(0)),
        ] {
            let exact: ExactPackage = input.parse().unwrap();
            assert_eq!(exact.cpv.to_string(), cpv);
            assert_eq!(exact.build_id, build_id);
            assert_eq!(exact.to_string(), input);
        }
        for input in [
            "a/b-1-01",
            "a/b-1-",
            "a/b-1-x",
            "a/b-1-99999999999",
            "a/b-1-2-3",
            "a/b",
        ] {
            assert!(
                input.parse::<ExactPackage>().is_err(),
                "{input:?} was accepted"
            );
        }
    }
}
