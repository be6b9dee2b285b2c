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

fn clash(left: &[(&str, &str)], right: &[(&str, &str)]) -> String {
    let found = platform(left, &[]).clash(&platform(right, &[]));
    let words: Vec<String> = found.iter().map(ToString::to_string).collect();
    words.join("; ")
}

#[test]
fn what_only_optimises_otherwise_runs_and_another_instruction_set_does_not() {
    let base = [
        ("CFLAGS", "-march=znver2 -O2 -pipe"),
        ("CXXFLAGS", "-march=znver2 -O2"),
    ];
    for (other, expected) in [
        (vec![("CFLAGS", "-O3 -march=znver2 -flto")], ""),
        (vec![("LDFLAGS", "-Wl,-O1")], ""),
        (
            vec![
                ("CFLAGS", "-march=x86-64-v3"),
                ("CXXFLAGS", "-march=x86-64-v3"),
            ],
            "CFLAGS CXXFLAGS -march=znver2 against -march=x86-64-v3",
        ),
        (
            vec![("CXXFLAGS", "-march=znver2 -mavx512f")],
            "CXXFLAGS (none) against -mavx512f",
        ),
        // What C says holds for whoever says nothing.
        (vec![("CXXFLAGS", "-O2")], ""),
        (vec![("FFLAGS", "-O2 -march=znver2")], ""),
        (vec![("RUSTFLAGS", "-C target-cpu=znver2")], ""),
        (
            vec![("RUSTFLAGS", "-C target-cpu=znver4")],
            "RUSTFLAGS -march=znver2 against -march=znver4",
        ),
        (
            vec![("ABI", "x32"), ("CHOST", "x86_64-pc-linux-gnux32")],
            "CHOST x86_64-pc-linux-gnu against x86_64-pc-linux-gnux32; ABI (none) against x32",
        ),
    ] {
        assert_eq!(
            clash(&base, &[&base[..], &other].concat()),
            expected,
            "{other:?}"
        );
    }
}

#[test]
fn variables_that_differ_alike_are_named_together() {
    let old = platform(
        &[("CFLAGS", "-O2"), ("CXXFLAGS", "-O2"), ("FFLAGS", "-O2")],
        &[],
    );
    let new = platform(
        &[("CFLAGS", "-O3"), ("CXXFLAGS", "-O3"), ("FFLAGS", "-O1")],
        &[],
    );
    let found: Vec<String> = old
        .difference(&new)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        found,
        ["CFLAGS CXXFLAGS -O2 against -O3", "FFLAGS -O2 against -O1"]
    );
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
        ("RUSTFLAGS", "-C target-cpu=native", "RUSTFLAGS is"),
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
