//! Whether a guest's C library and compiler runtime can run the binaries of a set. Pure.
//!
//! A program names the version of each symbol that it needs, and the dynamic linker refuses to
//! start it where the library does not define that version. So the names are compared, as the
//! linker does, and not version numbers of packages.

use std::collections::BTreeMap;

use gentoo_updater_fleet::message::{Failure, FailureClass, InstallPackage};
use gentoo_updater_portage::version::Version;

use super::answer::{Answer, Library};

/// Checks that each version of a symbol that the binaries need is there, or comes with the C
/// library of the set itself. A new compiler of the set does not count: its libraries are used when
/// the administrator has chosen it with gcc-config.
///
/// # Errors
/// A failure that names the first binaries, what they need, and what the guest has. A library that
/// the guest does not have, or that could not be read, is no reason to refuse.
pub(super) fn check(packages: &[InstallPackage], answer: &Answer) -> Result<(), Failure> {
    let coming = coming_libc(packages);
    let mut causes: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for package in packages {
        for (soname, versions) in &package.binary.contents.needs {
            let Some(library) = answer.libraries.get(soname) else {
                continue;
            };
            for version in versions {
                if !library.versions.contains(version) && !comes(coming, version) {
                    let binary = &package.binary;
                    let name = format!("{}-{}", binary.cpv, binary.build_id);
                    causes.entry((soname, version)).or_default().push(name);
                }
            }
        }
    }
    if causes.is_empty() {
        return Ok(());
    }
    let explain = |((soname, version), names): (&(&str, &str), &Vec<String>)| {
        let library = answer.libraries.get(*soname);
        let newest = library.and_then(|library| newest(library, version));
        let has = newest.unwrap_or_else(|| "none of its kind".to_owned());
        let path = library.map_or(*soname, |library| library.path.as_str());
        let (named, others) = names.split_at(names.len().min(5));
        let others = match others.len() {
            0 => String::new(),
            number => format!(" and {number} more"),
        };
        format!(
            "{}{others}: needs {version} of {soname}, and {path} has at most {has}",
            named.join(" ")
        )
    };
    let causes: Vec<String> = causes.iter().map(explain).collect();
    let message = format!(
        "binaries were built against a newer C library or compiler than the guest has, and would \
         not start, so nothing was touched: {}. Update sys-libs/glibc on the guest (and choose the \
         newer compiler with gcc-config) first, or build on a machine with the older one",
        causes.join("; ")
    );
    Err(Failure::new(
        FailureClass::Permanent,
        "BinaryTooNew",
        message,
    ))
}

/// The version of the C library that the set brings.
fn coming_libc(packages: &[InstallPackage]) -> Option<&Version> {
    let libc = packages.iter().map(|package| &package.binary.cpv);
    let mut libc = libc.filter(|cpv| cpv.category_package.to_string() == "sys-libs/glibc");
    libc.next().map(|cpv| &cpv.version)
}

/// glibc 2.40 defines every version of symbols up to `GLIBC_2.40`, and those of its name that tell
/// what it can do besides, such as packed relocations (DT_RELR) since 2.36.
fn comes(coming: Option<&Version>, version: &str) -> bool {
    let needed = version.strip_prefix("GLIBC_");
    let needed = needed.map(|needed| match needed {
        "ABI_DT_RELR" => "2.36".parse::<Version>(),
        number => number.parse(),
    });
    match (coming, needed) {
        (Some(coming), Some(Ok(needed))) => needed.vercmp_without_revision(coming).is_le(),
        _ => false,
    }
}

/// The newest version of the same kind that a library defines.
fn newest(library: &Library, like: &str) -> Option<String> {
    let (kind, _) = like.split_once('_')?;
    let of_kind = library.versions.iter().filter_map(|version| {
        let (other, number) = version.split_once('_')?;
        let number: Version = (other == kind).then(|| number.parse().ok())??;
        Some((number, version))
    });
    let newest = of_kind.max_by(|(one, _), (other, _)| one.vercmp(other))?;
    Some(newest.1.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::tests::package;

    fn needing(name: &str, soname: &str, versions: &[&str]) -> InstallPackage {
        let mut package = package(name, 3, &[]);
        let versions = versions
            .iter()
            .map(|version| (*version).to_owned())
            .collect();
        package
            .binary
            .contents
            .needs
            .insert(soname.to_owned(), versions);
        package
    }

    fn guest() -> Answer {
        let library = |path: &str, versions: &[&str]| Library {
            path: path.to_owned(),
            versions: versions
                .iter()
                .map(|version| (*version).to_owned())
                .collect(),
        };
        let libc = ["GLIBC_2.2.5", "GLIBC_2.9", "GLIBC_2.34", "GLIBC_2.36"];
        let stdcxx = [
            "GLIBCXX_3.4",
            "GLIBCXX_3.4.9",
            "GLIBCXX_3.4.30",
            "CXXABI_1.3.13",
        ];
        Answer {
            libraries: [
                ("libc.so.6".to_owned(), library("/lib64/libc.so.6", &libc)),
                (
                    "libstdc++.so.6".to_owned(),
                    library("/usr/lib/gcc/libstdc++.so.6", &stdcxx),
                ),
            ]
            .into(),
            ..Answer::default()
        }
    }

    #[test]
    fn a_binary_of_a_newer_libc_or_compiler_is_refused_with_both_versions() {
        let set = [
            needing(
                "app-misc/hello-2.0",
                "libc.so.6",
                &["GLIBC_2.2.5", "GLIBC_2.38"],
            ),
            needing("dev-db/mongo-1", "libstdc++.so.6", &["GLIBCXX_3.4.32"]),
            needing("app-misc/old-1", "libc.so.6", &["GLIBC_2.34"]),
        ];
        let failure = check(&set, &guest()).unwrap_err();
        assert_eq!(failure.cause, "BinaryTooNew");
        for words in [
            "app-misc/hello-2.0-3: needs GLIBC_2.38 of libc.so.6, and /lib64/libc.so.6 has at most \
             GLIBC_2.36",
            "dev-db/mongo-1-3: needs GLIBCXX_3.4.32",
            "at most GLIBCXX_3.4.30",
        ] {
            assert!(
                failure.message.contains(words),
                "{words}: {}",
                failure.message
            );
        }
        assert!(
            !failure.message.contains("app-misc/old"),
            "{}",
            failure.message
        );
    }

    #[test]
    fn what_the_libc_of_the_same_set_defines_is_there_in_time() {
        let hello = needing("app-misc/hello-2.0", "libc.so.6", &["GLIBC_2.38"]);
        let glibc = |version: &str| package(&format!("sys-libs/glibc-{version}"), 1, &[]);
        assert!(check(&[hello.clone(), glibc("2.40-r5")], &guest()).is_ok());
        assert!(check(&[hello.clone(), glibc("2.38")], &guest()).is_ok());
        assert!(check(&[hello, glibc("2.37-r2")], &guest()).is_err());
        let packed = needing("app-misc/packed-1", "libc.so.6", &["GLIBC_ABI_DT_RELR"]);
        assert!(check(&[packed.clone(), glibc("2.36")], &guest()).is_ok());
        assert!(check(&[packed.clone(), glibc("2.35")], &guest()).is_err());
        let failure = check(&[packed], &guest()).unwrap_err();
        let words =
            "needs GLIBC_ABI_DT_RELR of libc.so.6, and /lib64/libc.so.6 has at most GLIBC_2.36";
        assert!(failure.message.contains(words), "{}", failure.message);
        let mongo = needing("dev-db/mongo-1", "libstdc++.so.6", &["GLIBCXX_3.4.32"]);
        let gcc = package("sys-devel/gcc-14.2", 1, &[]);
        assert!(
            check(&[mongo, gcc], &guest()).is_err(),
            "gcc-config has not chosen it"
        );
    }

    #[test]
    fn a_library_that_is_not_known_refuses_nothing() {
        let set = [needing(
            "app-misc/hello-2.0",
            "libgcc_s.so.1",
            &["GCC_14.0"],
        )];
        assert!(check(&set, &guest()).is_ok());
        assert!(check(&[package("a/a-1", 1, &[])], &guest()).is_ok());
    }
}
