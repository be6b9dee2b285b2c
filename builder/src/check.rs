//! Whether what a build left in its private folder is what the job asked for.

use std::collections::BTreeSet;

use gentoo_updater_fleet::message::{Failure, FailureClass};
use gentoo_updater_portage::atom::{Atom, SlotDependency};
use gentoo_updater_portage::build_key::{BuildKey, Chost, HexDigest};
use gentoo_updater_portage::dependency::Dependency;
use gentoo_updater_portage::name::{CategoryPackage, SlotAndSubslot, UseFlag};
use gentoo_updater_portage::packages_index::{Entry, PackagesIndex};

/// Size and digests of a file, as it lies in the private folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) size: u64,
    pub(crate) md5: HexDigest,
    pub(crate) sha1: HexDigest,
}

/// The cause of a result that its own index does not describe.
const CORRUPT: &str = "ResultCorrupt";
/// The cause of a result that is not what the job asked for.
const MISFIT: &str = "ResultDoesNotFit";
/// The cause of a result that cannot be read.
pub(crate) const UNREADABLE: &str = "ResultUnreadable";

/// Whether what a build left is to blame, and not the way to it: looked at again it is the same.
pub(crate) fn is_of_result(failure: &Failure) -> bool {
    [CORRUPT, MISFIT, UNREADABLE].contains(&failure.cause.as_str())
}

/// The entry of the index that is the job's binary, when it fits the job's key and the machines that
/// it is for.
///
/// # Errors
/// A failure that names the first thing that does not fit: version, BUILD_ID, CHOST, slot, subslot,
/// repository, a flag, or a binding.
pub(crate) fn fitting<'a>(
    index: &'a PackagesIndex,
    key: &BuildKey,
    build_id: u32,
    chost: &Chost,
) -> Result<&'a Entry, Failure> {
    let entry = index
        .entries
        .iter()
        .find(|entry| entry.cpv == key.cpv && entry.build_id == Some(build_id))
        .ok_or_else(|| {
            misfit(format!(
                "emerge built no {}-{build_id}, and did not say why",
                key.cpv
            ))
        })?;
    let found = entry.chost.as_deref();
    if found != Some(chost.as_str()) {
        return Err(misfit(format!(
            "{} was built for CHOST {}, and guests are {chost}: does a package.env of the builder \
             set CHOST?",
            key.cpv,
            found.unwrap_or("that nobody names")
        )));
    }
    if entry.slot != key.slot {
        return Err(misfit(format!(
            "{} was built in slot {}, and guests plan slot {}: is the builder's ebuild \
             repository of another revision?",
            key.cpv, entry.slot, key.slot
        )));
    }
    if entry
        .repository
        .as_ref()
        .is_some_and(|repository| *repository != key.repository)
    {
        return Err(misfit(format!(
            "{} was built from another repository than {}",
            key.cpv, key.repository
        )));
    }
    check_flags(entry, key)?;
    check_bindings(entry, key)?;
    Ok(entry)
}

/// Whether the file is what emerge has written down of it.
///
/// # Errors
/// A failure of the machine: what it has written is not what it reads.
pub(crate) fn check_file(entry: &Entry, file: &File) -> Result<(), Failure> {
    let name = entry.exact_package();
    let corrupt = |what: String| {
        let message = format!(
            "the file of {name} is not what emerge made: {what}; look at the disk and the memory of \
             the builder"
        );
        Err(Failure::new(FailureClass::Machine, CORRUPT, message))
    };
    if file.size == 0 {
        return corrupt("it is empty".to_owned());
    }
    if file.size != entry.size {
        let (found, noted) = (file.size, entry.size);
        return corrupt(format!(
            "it has {found} bytes, and SIZE in its index is {noted}"
        ));
    }
    for (kind, found, noted) in [
        ("MD5", &file.md5, &entry.md5),
        ("SHA1", &file.sha1, &entry.sha1),
    ] {
        if let Some(noted) = noted
            && noted != found
        {
            return corrupt(format!("its {kind} is {found}, and {noted} in its index"));
        }
    }
    Ok(())
}

fn misfit(message: String) -> Failure {
    Failure::new(FailureClass::Permanent, MISFIT, message)
}

fn check_flags(entry: &Entry, key: &BuildKey) -> Result<(), Failure> {
    let enabled: BTreeSet<&UseFlag> = entry.use_flags.iter().collect();
    let known: BTreeSet<&UseFlag> = entry.iuse.iter().collect();
    for (flag, wanted) in &key.use_flags {
        let word = |on: bool| if on { "on" } else { "off" };
        if !known.contains(flag) {
            return Err(misfit(format!(
                "{} was built from an ebuild without the flag {flag}: is the builder's ebuild \
                 repository of another revision?",
                key.cpv
            )));
        }
        let is_on = enabled.contains(flag);
        if is_on != *wanted {
            return Err(misfit(format!(
                "{} was built with {flag} {}, and guests want it {}: a profile of the builder \
                 forces or masks it",
                key.cpv,
                word(is_on),
                word(*wanted)
            )));
        }
    }
    Ok(())
}

/// Every library that the key binds must be bound as the guests will have it, and to nothing else:
/// a builder may have it in further slots.
fn check_bindings(entry: &Entry, key: &BuildKey) -> Result<(), Failure> {
    let mut found: BTreeSet<(&CategoryPackage, &SlotAndSubslot)> = BTreeSet::new();
    for text in [&entry.depend, &entry.rdepend, &entry.pdepend] {
        let dependency: Dependency = text.parse().map_err(|error| {
            misfit(format!(
                "the dependencies of the built {} are not understood: {error}",
                key.cpv
            ))
        })?;
        for atom in dependency.atoms(|flag| entry.use_flags.contains(flag)) {
            let Some(slot) = bound(atom) else { continue };
            let package = atom.category_package();
            let mut wanted = key
                .bindings
                .iter()
                .filter(|(target, _)| target.category_package == *package)
                .peekable();
            if wanted.peek().is_none() {
                continue;
            }
            let Some((target, slot)) = wanted.clone().find(|(_, wanted)| **wanted == slot) else {
                let wanted: Vec<String> = wanted.map(|(_, slot)| slot.to_string()).collect();
                return Err(misfit(format!(
                    "{} is bound to {package}:{slot}, and guests will have {}",
                    key.cpv,
                    wanted.join(" and ")
                )));
            };
            found.insert((&target.category_package, slot));
        }
    }
    for (target, slot) in &key.bindings {
        if !found.contains(&(&target.category_package, slot)) {
            return Err(misfit(format!(
                "{} is not bound to {target}, which guests will have as {slot}: it was not \
                 installed on the builder",
                key.cpv
            )));
        }
    }
    Ok(())
}

/// Slot and subslot of an atom as a built package records it, `:0/2=`.
fn bound(atom: &Atom) -> Option<SlotAndSubslot> {
    match atom.slot()? {
        SlotDependency::Exact {
            slot,
            subslot: Some(subslot),
            bound: true,
        } => Some(SlotAndSubslot {
            slot: slot.clone(),
            subslot: subslot.clone(),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Portage wrote after greeter-2.0 and libbeta-1.0 were built with two sets of flags, and
    /// libbeta-1.0 with two bindings.
    fn index() -> PackagesIndex {
        PackagesIndex::parse(include_str!("../tests/fixtures/Packages")).unwrap()
    }

    fn libbeta(fast: bool, subslot: &str) -> BuildKey {
        BuildKey {
            cpv: "dev-libs/libbeta-1.0".parse().unwrap(),
            slot: "0".parse().unwrap(),
            repository: "gentoo".parse().unwrap(),
            ebuild_digest: "5d41402abc4b2a76b9719d911017c592".parse().unwrap(),
            use_flags: [
                ("doc".parse().unwrap(), !fast),
                ("fast".parse().unwrap(), fast),
            ]
            .into(),
            bindings: [(
                "dev-libs/libalpha".parse().unwrap(),
                subslot.parse().unwrap(),
            )]
            .into(),
            environment_digest: None,
            kernel: None,
        }
    }

    fn chost() -> Chost {
        "x86_64-pc-linux-gnu".parse().unwrap()
    }

    fn refusal(key: &BuildKey, build_id: u32) -> String {
        let failure = fitting(&index(), key, build_id, &chost()).unwrap_err();
        assert_eq!(failure.cause, "ResultDoesNotFit");
        failure.message
    }

    #[test]
    fn a_binary_with_the_flags_and_bindings_of_its_key_fits() {
        let index = index();
        let entry = fitting(&index, &libbeta(true, "0/2"), 3, &chost()).unwrap();
        assert_eq!(
            entry.path_in_store(),
            "dev-libs/libbeta/libbeta-1.0-3.gpkg.tar"
        );
        assert!(fitting(&index, &libbeta(false, "0/2"), 2, &chost()).is_ok());
    }

    #[test]
    fn a_flag_that_came_out_otherwise_is_named() {
        let message = refusal(&libbeta(false, "0/2"), 3);
        assert!(
            message.contains("doc off, and guests want it on"),
            "{message}"
        );
    }

    #[test]
    fn a_binding_to_the_former_subslot_is_named() {
        let message = refusal(&libbeta(true, "0/2"), 1);
        assert!(
            message.contains("bound to dev-libs/libalpha:0/1"),
            "{message}"
        );
        assert!(message.contains("guests will have 0/2"), "{message}");
    }

    #[test]
    fn a_binary_without_a_binding_of_its_key_is_named() {
        let mut key = libbeta(true, "0/2");
        key.bindings
            .insert("dev-libs/other".parse().unwrap(), "0/1".parse().unwrap());
        assert!(refusal(&key, 3).contains("is not bound to dev-libs/other"));
    }

    #[test]
    fn a_binding_to_another_slot_is_named() {
        let message = refusal(&libbeta(true, "3/2"), 3);
        assert!(message.contains("dev-libs/libalpha:0/2"), "{message}");
        assert!(message.contains("guests will have 3/2"), "{message}");
    }

    #[test]
    fn a_slot_a_repository_and_a_flag_of_another_revision_are_named() {
        let mut key = libbeta(true, "0/2");
        key.slot = "0/7".parse().unwrap();
        assert!(refusal(&key, 3).contains("guests plan slot 0/7"));
        let mut key = libbeta(true, "0/2");
        key.repository = "overlay".parse().unwrap();
        assert!(refusal(&key, 3).contains("another repository than overlay"));
        let mut key = libbeta(true, "0/2");
        key.use_flags.insert("jit".parse().unwrap(), true);
        assert!(refusal(&key, 3).contains("without the flag jit"));
    }

    #[test]
    fn a_binary_for_another_machine_is_named_with_both() {
        let other: Chost = "aarch64-unknown-linux-gnu".parse().unwrap();
        let failure = fitting(&index(), &libbeta(true, "0/2"), 3, &other).unwrap_err();
        assert_eq!(failure.cause, "ResultDoesNotFit");
        let words = "CHOST x86_64-pc-linux-gnu, and guests are aarch64-unknown-linux-gnu";
        assert!(failure.message.contains(words), "{failure}");
    }

    #[test]
    fn a_file_that_is_not_what_its_index_says_is_named_with_both() {
        let index = index();
        let entry = fitting(&index, &libbeta(true, "0/2"), 3, &chost()).unwrap();
        let digest = |digest: &Option<HexDigest>| digest.clone().unwrap();
        let whole = File {
            size: entry.size,
            md5: digest(&entry.md5),
            sha1: digest(&entry.sha1),
        };
        check_file(entry, &whole).unwrap();
        let other = HexDigest::sha256(b"other");
        let (size, md5, sha1) = (entry.size - 1, other.clone(), other);
        for (file, words) in [
            (
                File {
                    size: 0,
                    ..whole.clone()
                },
                "it is empty",
            ),
            (
                File {
                    size,
                    ..whole.clone()
                },
                "and SIZE in its index is",
            ),
            (
                File {
                    md5,
                    ..whole.clone()
                },
                "its MD5 is",
            ),
            (
                File {
                    sha1,
                    ..whole.clone()
                },
                "its SHA1 is",
            ),
        ] {
            let failure = check_file(entry, &file).unwrap_err();
            assert_eq!(failure.cause, "ResultCorrupt");
            assert!(failure.is_of_machine());
            for words in [words, "dev-libs/libbeta-1.0-3"] {
                assert!(failure.message.contains(words), "{words}: {failure}");
            }
        }
    }

    #[test]
    fn a_binary_that_is_not_in_the_index_is_no_success() {
        assert!(refusal(&libbeta(true, "0/2"), 9).contains("libbeta-1.0-9"));
    }
}
