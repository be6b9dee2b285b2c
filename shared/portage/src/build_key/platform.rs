//! The platform: what decides, beside the build key, whether one binary serves two guests.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::difference::{Difference, Differences};
use crate::cpv::Cpv;
use crate::name::{NameError, string_serialization, validated_string};
use crate::text::excerpt;

/// The machine that binaries are made for, as `x86_64-pc-linux-gnu` (CHOST of make.conf(5)).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Chost(String);

impl Chost {
    fn check(input: &str) -> Result<(), NameError> {
        let rule = "it is [A-Za-z0-9_.-]+ and does not begin with a hyphen";
        check_word("CHOST", input, b"_.-", rule)
    }
}

validated_string!(Chost, NameError);

/// The architecture as profiles name it, `amd64` (ARCH of PMS 11.1; a keyword of PMS 3.1.6).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Arch(String);

impl Arch {
    fn check(input: &str) -> Result<(), NameError> {
        let rule = "PMS 3.1.6 wants [A-Za-z0-9_-]+, and no hyphen at the beginning";
        check_word("ARCH", input, b"_-", rule)
    }
}

validated_string!(Arch, NameError);

fn check_word(
    kind: &'static str,
    input: &str,
    others: &[u8],
    rule: &'static str,
) -> Result<(), NameError> {
    let permitted = |byte: u8| byte.is_ascii_alphanumeric() || others.contains(&byte);
    if !input.is_empty() && !input.starts_with('-') && input.bytes().all(permitted) {
        return Ok(());
    }
    Err(NameError::new(kind, input, rule))
}

/// The words of CFLAGS, CXXFLAGS or LDFLAGS, in their order: of words that contradict each other
/// the last counts. White space between them means nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CompilerFlags(Vec<String>);

impl CompilerFlags {
    /// The words.
    #[must_use]
    pub fn words(&self) -> &[String] {
        &self.0
    }

    /// The word that makes the compiler look at the machine that it runs on, `-march=native` or
    /// `-mcpu=native`. With it the same words make different binaries on different machines, so
    /// they name no platform. (`-mtune=native` is harmless: what it makes runs on all of them.)
    #[must_use]
    pub fn native(&self) -> Option<&str> {
        let is_native = |word: &&str| matches!(*word, "-march=native" | "-mcpu=native");
        self.0.iter().map(String::as_str).find(is_native)
    }
}

impl FromStr for CompilerFlags {
    type Err = NameError;

    fn from_str(input: &str) -> Result<Self, Self::Err> {
        let words = input.split_ascii_whitespace().map(str::to_owned).collect();
        if input
            .chars()
            .any(|c| c.is_control() && !c.is_ascii_whitespace())
        {
            let rule = "there are no control characters in it";
            return Err(NameError::new("list of compiler flags", input, rule));
        }
        Ok(Self(words))
    }
}

impl fmt::Display for CompilerFlags {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.join(" "))
    }
}

string_serialization!(CompilerFlags, NameError);

/// What machines must have in common to share binaries, beside the build keys.
///
/// Portage never looks at CFLAGS when it picks a binary, so a store holds binaries of one platform
/// only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Platform {
    /// CHOST.
    pub chost: Chost,
    /// ARCH.
    pub arch: Arch,
    /// CFLAGS.
    pub cflags: CompilerFlags,
    /// CXXFLAGS.
    pub cxxflags: CompilerFlags,
    /// LDFLAGS.
    pub ldflags: CompilerFlags,
    /// The packages that make binaries what they are, with the versions in use: compiler, binutils,
    /// C library.
    pub toolchain: BTreeSet<Cpv>,
}

/// Variables that name no platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlatformError {
    /// A variable that every machine has is missing or empty.
    #[error("{0} is not set")]
    Missing(&'static str),
    /// A variable has no valid value.
    #[error(transparent)]
    Invalid(#[from] NameError),
    /// A variable means another machine on every machine; see [`CompilerFlags::native`].
    #[error(
        "{variable} is {value:?}: with {word:?} the same words make different binaries on \
         different machines; write what `gcc {word} -Q --help=target` prints for the oldest \
         machine of the platform"
    )]
    Native {
        /// The variable.
        variable: &'static str,
        /// Its value, shortened.
        value: String,
        /// The word that is wrong.
        word: String,
    },
}

impl Platform {
    /// The variables that name it, to ask a machine for.
    pub const VARIABLES: [&str; 5] = ["ARCH", "CFLAGS", "CHOST", "CXXFLAGS", "LDFLAGS"];

    /// The platform that the values of its [`VARIABLES`](Self::VARIABLES) name. CHOST and ARCH must
    /// be there; flags that are missing are no flags.
    ///
    /// ```
    /// use gentoo_updater_portage::build_key::Platform;
    /// use gentoo_updater_portage::envvar::Settings;
    ///
    /// let stdout = "ARCH=\"amd64\"\nCFLAGS=\"-O2 -pipe\"\nCHOST=\"x86_64-pc-linux-gnu\"\n\
    ///               CXXFLAGS=\"-O2\"\nLDFLAGS=\"\"\n";
    /// let settings = Settings::parse(stdout, 0, &Platform::VARIABLES)?;
    /// let platform = Platform::from_variables(|name| settings.get(name), [].into())?;
    /// assert_eq!(platform.cflags.words(), ["-O2", "-pipe"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// See [`PlatformError`].
    pub fn from_variables<'a>(
        value_of: impl Fn(&'static str) -> Option<&'a str>,
        toolchain: BTreeSet<Cpv>,
    ) -> Result<Self, PlatformError> {
        let get = |name| value_of(name).unwrap_or_default().trim();
        let needed = |name| match get(name) {
            "" => Err(PlatformError::Missing(name)),
            value => Ok(value),
        };
        let flags = |variable| -> Result<CompilerFlags, PlatformError> {
            let flags: CompilerFlags = get(variable).parse()?;
            match flags.native() {
                None => Ok(flags),
                Some(word) => Err(PlatformError::Native {
                    variable,
                    value: excerpt(get(variable)),
                    word: word.to_owned(),
                }),
            }
        };
        Ok(Self {
            chost: needed("CHOST")?.parse()?,
            arch: needed("ARCH")?.parse()?,
            cflags: flags("CFLAGS")?,
            cxxflags: flags("CXXFLAGS")?,
            ldflags: flags("LDFLAGS")?,
            toolchain,
        })
    }

    /// What distinguishes the two platforms, `self` on the left. Of flags and toolchain only the
    /// words that differ are named. Empty exactly when they are equal.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Vec<Difference> {
        let mut found = Differences::default();
        found.compare("CHOST", &self.chost, &other.chost);
        found.compare("ARCH", &self.arch, &other.arch);
        for (name, left, right) in [
            ("CFLAGS", &self.cflags, &other.cflags),
            ("CXXFLAGS", &self.cxxflags, &other.cxxflags),
            ("LDFLAGS", &self.ldflags, &other.ldflags),
        ] {
            found.compare_words(name, left.words(), right.words());
        }
        let packages = |platform: &Self| -> Vec<String> {
            platform.toolchain.iter().map(ToString::to_string).collect()
        };
        found.compare_words("toolchain", &packages(self), &packages(other));
        found.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn variables() -> BTreeMap<String, String> {
        [
            ("ARCH", "amd64"),
            ("CFLAGS", "-march=znver2  -O2 -pipe "),
            ("CHOST", "x86_64-pc-linux-gnu"),
            ("CXXFLAGS", "-O2"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    fn read(variables: &BTreeMap<String, String>) -> Result<Platform, PlatformError> {
        Platform::from_variables(|name| variables.get(name).map(String::as_str), [].into())
    }

    fn toolchain(names: &[&str]) -> BTreeSet<Cpv> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn platform(change: &[(&str, &str)], packages: &[&str]) -> Platform {
        let mut variables = variables();
        for (name, value) in change {
            variables.insert((*name).to_owned(), (*value).to_owned());
        }
        Platform {
            toolchain: toolchain(packages),
            ..read(&variables).unwrap()
        }
    }

    #[test]
    fn white_space_between_flags_means_nothing() {
        let platform = platform(&[], &[]);
        assert_eq!(platform.cflags.to_string(), "-march=znver2 -O2 -pipe");
        assert_eq!(platform.ldflags, CompilerFlags::default());
    }

    #[test]
    fn every_difference_of_platforms_is_named_and_nothing_else() {
        let gcc = ["sys-devel/gcc-13.2.1", "sys-libs/glibc-2.39"];
        let base = platform(&[], &gcc);
        assert!(base.difference(&base).is_empty());
        for (other, expected) in [
            (
                platform(&[("CHOST", "aarch64-unknown-linux-gnu")], &gcc),
                "CHOST x86_64-pc-linux-gnu against aarch64-unknown-linux-gnu",
            ),
            (
                platform(&[("ARCH", "arm64")], &gcc),
                "ARCH amd64 against arm64",
            ),
            (
                platform(&[("CFLAGS", "-O2 -pipe -march=x86-64-v3")], &gcc),
                "CFLAGS -march=znver2 against -march=x86-64-v3",
            ),
            (
                platform(&[("CXXFLAGS", "-O2 -g")], &gcc),
                "CXXFLAGS (none) against -g",
            ),
            (
                platform(&[("LDFLAGS", "-Wl,-O1")], &gcc),
                "LDFLAGS (none) against -Wl,-O1",
            ),
            (
                platform(&[], &["sys-devel/gcc-14.1.0", "sys-libs/glibc-2.39"]),
                "toolchain sys-devel/gcc-13.2.1 against sys-devel/gcc-14.1.0",
            ),
        ] {
            let found: Vec<String> = base
                .difference(&other)
                .iter()
                .map(ToString::to_string)
                .collect();
            assert_eq!(found, [expected]);
        }
    }

    #[test]
    fn what_names_no_platform_is_an_error() {
        for (name, value, words) in [
            ("CHOST", "", "CHOST is not set"),
            ("ARCH", " ", "ARCH is not set"),
            ("ARCH", "amd64;x", "not a valid ARCH"),
            ("CHOST", "-x86", "not a valid CHOST"),
            (
                "CFLAGS",
                "-O2 \u{1b}[31m",
                "not a valid list of compiler flags",
            ),
            (
                "CFLAGS",
                "-O2 -march=native",
                "with \"-march=native\" the same",
            ),
            ("CXXFLAGS", "-mcpu=native", "CXXFLAGS is"),
        ] {
            let mut variables = variables();
            variables.insert(name.to_owned(), value.to_owned());
            let error = read(&variables).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
        }
        let mut variables = variables();
        variables.remove("CHOST");
        let error = read(&variables).unwrap_err();
        assert_eq!(error, PlatformError::Missing("CHOST"));
    }

    #[test]
    fn a_platform_survives_json_and_a_bad_one_does_not() {
        let platform = platform(&[], &["sys-devel/gcc-13.2.1"]);
        let json = serde_json::to_string(&platform).unwrap();
        assert_eq!(serde_json::from_str::<Platform>(&json).unwrap(), platform);
        let bad = json.replace("amd64", "amd 64");
        assert!(serde_json::from_str::<Platform>(&bad).is_err());
    }
}
