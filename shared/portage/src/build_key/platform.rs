//! The platform: what decides, beside the build key, whether one binary serves two guests.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::difference::{Difference, Differences};
use super::flags::CompilerFlags;
use crate::cpv::Cpv;
use crate::name::{NameError, validated_string};
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

/// What machines have in common that share binaries, beside the build keys.
///
/// Portage never looks at CFLAGS when it picks a binary, so a store holds binaries of one platform
/// only. Not all of it weighs the same: [`clash`](Self::clash) is what keeps binaries from running,
/// [`difference`](Self::difference) is all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// CHOST.
    pub chost: Chost,
    /// ARCH.
    pub arch: Arch,
    /// ABI: which of several that CHOST has. Empty where the profile knows but one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub abi: String,
    /// CFLAGS.
    pub cflags: CompilerFlags,
    /// CXXFLAGS.
    pub cxxflags: CompilerFlags,
    /// FCFLAGS, of Fortran.
    #[serde(default)]
    pub fcflags: CompilerFlags,
    /// FFLAGS, of Fortran 77.
    #[serde(default)]
    pub fflags: CompilerFlags,
    /// LDFLAGS.
    pub ldflags: CompilerFlags,
    /// RUSTFLAGS.
    #[serde(default)]
    pub rustflags: CompilerFlags,
    /// The packages that make binaries what they are, with the versions in use: compiler, binutils,
    /// C library. Empty where nobody asked.
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
         different machines; write what `{}` prints for the oldest machine of the platform",
        question(word)
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

/// The command that says what a native word means on a machine.
fn question(word: &str) -> String {
    match word.strip_prefix("-C") {
        Some(option) => format!("rustc -C {option} --print cfg"),
        None => format!("gcc {word} -Q --help=target"),
    }
}

impl Platform {
    /// The variables that name it, to ask a machine for.
    pub const VARIABLES: [&str; 9] = [
        "ABI",
        "ARCH",
        "CFLAGS",
        "CHOST",
        "CXXFLAGS",
        "FCFLAGS",
        "FFLAGS",
        "LDFLAGS",
        "RUSTFLAGS",
    ];

    /// The platform that the values of its [`VARIABLES`](Self::VARIABLES) name. CHOST and ARCH must
    /// be there; flags that are missing are no flags.
    ///
    /// ```
    /// use gentoo_updater_portage::build_key::Platform;
    /// use gentoo_updater_portage::envvar::Settings;
    ///
    /// let stdout = "ARCH=\"amd64\"\nCFLAGS=\"-O2 -pipe\"\nCHOST=\"x86_64-pc-linux-gnu\"\n";
    /// let settings = Settings::parse(stdout, 0, &["ARCH", "CFLAGS", "CHOST"])?;
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
            abi: excerpt(get("ABI")),
            cflags: flags("CFLAGS")?,
            cxxflags: flags("CXXFLAGS")?,
            fcflags: flags("FCFLAGS")?,
            fflags: flags("FFLAGS")?,
            ldflags: flags("LDFLAGS")?,
            rustflags: flags("RUSTFLAGS")?,
            toolchain,
        })
    }

    /// What distinguishes the two platforms, `self` on the left. Of flags and toolchain only the
    /// words that differ are named. Empty exactly when they are equal.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Vec<Difference> {
        let mut found = self.compare_machines(other);
        let words = |flags: &CompilerFlags| flags.words().to_vec();
        found.compare_alike(self.languages(words), other.languages(words));
        found.compare_words("LDFLAGS", self.ldflags.words(), other.ldflags.words());
        let packages = |platform: &Self| -> Vec<String> {
            platform.toolchain.iter().map(ToString::to_string).collect()
        };
        found.compare_words("toolchain", &packages(self), &packages(other));
        found.0
    }

    /// What keeps binaries of one of the two from running on the other, or beside what was compiled
    /// there: CHOST, ARCH, ABI and those flags that choose instructions or interfaces
    /// ([`CompilerFlags::of_machine`]). Where CXXFLAGS and its like say nothing of that, what
    /// CFLAGS say counts. Empty for platforms that share binaries, which is an equivalence.
    #[must_use]
    pub fn clash(&self, other: &Self) -> Vec<Difference> {
        let mut found = self.compare_machines(other);
        let (mut left, mut right) = (self.machine_words(), other.machine_words());
        let own = |platform: &Self| platform.languages(CompilerFlags::of_machine);
        let both = own(self).into_iter().zip(own(other));
        let both = both.map(|((_, left), (_, right))| (left, right));
        // Where both say nothing they go by CFLAGS, whose difference is named already.
        for (place, own) in both.enumerate() {
            if own == (Vec::new(), Vec::new()) {
                left[place].1.clear();
                right[place].1.clear();
            }
        }
        found.compare_alike(left, right);
        found.0
    }

    /// The same machine without a word of what its compilers are told.
    #[must_use]
    pub fn without_flags(&self) -> Self {
        Self {
            cflags: CompilerFlags::default(),
            cxxflags: CompilerFlags::default(),
            fcflags: CompilerFlags::default(),
            fflags: CompilerFlags::default(),
            ldflags: CompilerFlags::default(),
            rustflags: CompilerFlags::default(),
            ..self.clone()
        }
    }

    fn compare_machines(&self, other: &Self) -> Differences {
        let mut found = Differences::default();
        found.compare("CHOST", &self.chost, &other.chost);
        found.compare("ARCH", &self.arch, &other.arch);
        let abi = |platform: &Self| Some(platform.abi.clone()).filter(|abi| !abi.is_empty());
        found.compare_options("ABI", abi(self).as_ref(), abi(other).as_ref());
        found
    }

    fn machine_words(&self) -> [(&'static str, Vec<String>); 5] {
        let of_c = self.cflags.of_machine();
        self.languages(|flags| match flags.of_machine() {
            none if none.is_empty() => of_c.clone(),
            // The compilers call the same machines by the same names.
            words => words
                .into_iter()
                .map(|word| match word.strip_prefix("-Ctarget-cpu=") {
                    Some(cpu) => format!("-march={cpu}"),
                    None => word,
                })
                .collect(),
        })
    }

    fn languages(
        &self,
        words: impl Fn(&CompilerFlags) -> Vec<String>,
    ) -> [(&'static str, Vec<String>); 5] {
        [
            ("CFLAGS", words(&self.cflags)),
            ("CXXFLAGS", words(&self.cxxflags)),
            ("FCFLAGS", words(&self.fcflags)),
            ("FFLAGS", words(&self.fflags)),
            ("RUSTFLAGS", words(&self.rustflags)),
        ]
    }
}

#[cfg(test)]
mod tests;
