//! The options of compilers, as a machine's variables hold them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::name::{NameError, string_serialization};

/// The words of CFLAGS, CXXFLAGS, LDFLAGS and their like, in their order: of words that contradict
/// each other the last counts. White space between them means nothing, and neither does that
/// between `-C` and what follows it (rustc's codegen options).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CompilerFlags(Vec<String>);

/// Options of this form that change neither the instructions that a machine must have nor how code
/// calls other code. All others that begin with `-m` are taken to do so: of an option that nobody
/// here knows it is safe to say so.
const HARMLESS: [&str; 5] = [
    "-mtune=",
    "-momit-leaf-frame-pointer",
    "-mindirect-branch",
    "-mfunction-return=",
    "-mharden-sls=",
];

/// Options without `-m` that change how code calls other code, or the layout of what is passed.
const INTERFACE: [&str; 12] = [
    "-fshort-enums",
    "-fshort-wchar",
    "-fpack-struct",
    "-funsigned-char",
    "-fsigned-char",
    "-fabi-version=",
    "-D_TIME_BITS=",
    "-D_FILE_OFFSET_BITS=",
    "-D_GLIBCXX_USE_CXX11_ABI=",
    "-Ctarget-cpu=",
    "-Ctarget-feature=",
    "-Csoft-float",
];

impl CompilerFlags {
    /// The words.
    #[must_use]
    pub fn words(&self) -> &[String] {
        &self.0
    }

    /// The word that makes the compiler look at the machine that it runs on, such as
    /// `-march=native` or `-Ctarget-cpu=native`. With it the same words make different binaries on
    /// different machines, so they name no platform. (`-mtune=native` is harmless: what it makes
    /// runs on all of them.)
    #[must_use]
    pub fn native(&self) -> Option<&str> {
        let is_native = |word: &&str| {
            let name = word.strip_suffix("=native");
            name.is_some_and(|name| matches!(name, "-march" | "-mcpu" | "-Ctarget-cpu"))
        };
        self.0.iter().map(String::as_str).find(is_native)
    }

    /// The words that decide whether what was compiled with them runs on another machine and beside
    /// what others have compiled: those that choose instructions (`-march`, `-mfpu`, `-mno-avx`) or
    /// change the interface between parts of a program (`-mabi`, `-D_TIME_BITS=64`). Sorted, and of
    /// several about one thing the last.
    #[must_use]
    pub fn of_machine(&self) -> Vec<String> {
        let begins = |word: &String, list: &[&str]| list.iter().any(|name| word.starts_with(name));
        let counts = |word: &&String| match word.starts_with("-m") {
            true => !begins(word, &HARMLESS),
            false => begins(word, &INTERFACE) || word.starts_with("-fno-short-"),
        };
        let mut last: BTreeMap<String, &String> = BTreeMap::new();
        for word in self.0.iter().filter(counts) {
            last.insert(subject(word), word);
        }
        last.into_values().cloned().collect()
    }
}

/// What an option is about: `-mavx` and `-mno-avx` contradict each other, and so do two `-march`.
/// Each feature that is added with `-Ctarget-feature` counts beside the others.
fn subject(word: &str) -> String {
    if word.starts_with("-Ctarget-feature=") {
        return word.to_owned();
    }
    let name = word.split('=').next().unwrap_or(word);
    match (name.strip_prefix("-mno-"), name.strip_prefix("-fno-")) {
        (Some(name), _) => format!("-m{name}"),
        (_, Some(name)) => format!("-f{name}"),
        _ => match name {
            "-fsigned-char" => "-funsigned-char".to_owned(),
            "-m64" | "-mx32" => "-m32".to_owned(),
            name => name.to_owned(),
        },
    }
}

impl FromStr for CompilerFlags {
    type Err = NameError;

    fn from_str(input: &str) -> Result<Self, Self::Err> {
        if input
            .chars()
            .any(|c| c.is_control() && !c.is_ascii_whitespace())
        {
            let rule = "there are no control characters in it";
            return Err(NameError::new("list of compiler flags", input, rule));
        }
        let mut words: Vec<String> = Vec::new();
        for word in input.split_ascii_whitespace() {
            let option = words.last_mut().filter(|last| *last == "-C");
            match option.filter(|_| !word.starts_with('-')) {
                Some(option) => option.push_str(word),
                None => words.push(word.to_owned()),
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(text: &str) -> CompilerFlags {
        text.parse().unwrap()
    }

    #[test]
    fn what_chooses_instructions_or_interfaces_counts_and_the_rest_is_taste() {
        for (text, expected) in [
            ("-O2 -pipe -g -flto=4 -fstack-protector-strong", ""),
            ("-march=znver2 -O2 -mtune=native", "-march=znver2"),
            ("-march=armv7-a -O2 -march=armv8-a", "-march=armv8-a"),
            (
                "-mfpu=neon -mfloat-abi=hard -mcpu=cortex-a7",
                "-mcpu=cortex-a7 -mfloat-abi=hard -mfpu=neon",
            ),
            ("-mavx2 -O2 -mno-avx2", "-mno-avx2"),
            ("-mno-avx2 -mavx2", "-mavx2"),
            ("-m64 -m32", "-m32"),
            ("-mindirect-branch=thunk -mfunction-return=thunk", ""),
            (
                "-D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 -D_FORTIFY_SOURCE=3",
                "-D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64",
            ),
            ("-fsigned-char -funsigned-char", "-funsigned-char"),
            ("-fshort-enums -fno-short-enums", "-fno-short-enums"),
            (
                "-C opt-level=3 -C target-cpu=znver2 -Ctarget-feature=+aes",
                "-Ctarget-cpu=znver2 -Ctarget-feature=+aes",
            ),
            // Nobody here knows it.
            ("-mfuture-registers", "-mfuture-registers"),
        ] {
            assert_eq!(flags(text).of_machine().join(" "), expected, "{text}");
        }
    }

    #[test]
    fn the_order_of_words_about_different_things_makes_no_other_machine() {
        let one = flags("-mfpu=neon -O2 -mcpu=cortex-a7").of_machine();
        assert_eq!(one, flags("-mcpu=cortex-a7 -mfpu=neon").of_machine());
    }

    #[test]
    fn whatever_looks_at_the_own_machine_is_native() {
        for (text, expected) in [
            ("-O2 -march=native", Some("-march=native")),
            ("-mcpu=native", Some("-mcpu=native")),
            (
                "-C opt-level=3 -C target-cpu=native",
                Some("-Ctarget-cpu=native"),
            ),
            ("-Ctarget-cpu=native", Some("-Ctarget-cpu=native")),
            ("-mtune=native -march=x86-64", None),
            // Of a preprocessor: comments stay.
            ("-C -march=native", Some("-march=native")),
        ] {
            assert_eq!(flags(text).native(), expected, "{text}");
        }
    }
}
