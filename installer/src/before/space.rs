//! Whether a set of binaries finds room on a guest. Pure.
//!
//! Portage unpacks one package after the other below PORTAGE_TMPDIR, moves it into place, and only
//! then removes the version that it replaces. So what counts is not the sum of all that comes, or
//! updates that replace as much as they bring would be refused, but the most that is in use at one
//! moment.

use std::collections::BTreeMap;

use gentoo_updater_fleet::message::{Change, Failure, FailureClass, InstallPackage};

use super::answer::{Answer, Space};

/// Beside a package's files Portage writes what it knows of them: the entry in the VDB, the lists of
/// files, the environment of the ebuild. A share of the size, and at least so many bytes.
const OVERHEAD_PERCENT: u64 = 2;
const OVERHEAD: u64 = 128 * 1024;

/// The file system on which a guest keeps what it had before updates.
const KEPT_IN: &str = "/var";

/// The most that one file system has in use more than now.
#[derive(Debug, Default)]
struct Use {
    now: i128,
    peak: i128,
    /// The first package that does not fit, and the folder for it.
    full: Option<(String, String)>,
}

/// Checks that everything fits, in the order of the set; and before that, where binaries are fetched
/// into a folder of the guest, that all of them fit there at once, where they stay until the end. So many
/// bytes are spared where a guest keeps what it had before updates.
///
/// # Errors
/// A failure with the numbers of each file system that is too small. What is not known is no
/// reason to refuse.
pub(super) fn check(
    packages: &[InstallPackage],
    answer: &Answer,
    unpacked_in: &str,
    fetched_into: Option<&str>,
    spared: u64,
) -> Result<(), Failure> {
    let mut uses: BTreeMap<&str, Use> = BTreeMap::new();
    if let Some((space, first)) = answer.spaces.get(KEPT_IN).zip(packages.first()) {
        add(&mut uses, space, KEPT_IN, first, spared);
    }
    let fetched_into = fetched_into.and_then(|folder| Some((folder, answer.spaces.get(folder)?)));
    if let Some((folder, space)) = fetched_into {
        let mut there = answer.fetched;
        for package in packages {
            let size = package.binary.size;
            add(
                &mut uses,
                space,
                folder,
                package,
                size.saturating_sub(there),
            );
            there = there.saturating_sub(size);
        }
    }
    for package in packages {
        let size = installed_size(package);
        if let Some(space) = answer.spaces.get(unpacked_in) {
            add(&mut uses, space, unpacked_in, package, size);
            // It is moved from there, and within one file system it is there once.
            take(&mut uses, space, size);
        }
        let sizes = by_folder(package);
        for (folder, bytes) in &sizes {
            if let Some(space) = answer.spaces.get(folder) {
                add(&mut uses, space, folder, package, *bytes);
            }
        }
        let replaced = replaced_size(package, answer);
        for (folder, bytes) in &sizes {
            if let Some(space) = answer.spaces.get(folder) {
                // The old version lies where the new one does, as far as is known.
                let share = i128::from(replaced) * i128::from(*bytes) / i128::from(size.max(1));
                take(&mut uses, space, u64::try_from(share).unwrap_or_default());
            }
        }
    }
    let free_of = |device: &str| {
        let mut spaces = answer.spaces.values();
        spaces
            .find(|space| space.device == device)
            .map_or(u64::MAX, |space| space.free)
    };
    let full: Vec<String> = uses
        .iter()
        .filter_map(|(device, used)| {
            let (package, folder) = used.full.as_ref()?;
            Some(format!(
                "{folder} has {} free, and {} are needed (it is full when {package} comes)",
                megabytes(i128::from(free_of(device))),
                megabytes(used.peak),
            ))
        })
        .collect();
    if full.is_empty() {
        return Ok(());
    }
    let message = format!(
        "there is too little space on the guest, so nothing was touched: {}. Make room there: \
         `eclean-dist`, old logs and kernels, or a larger file system",
        full.join("; ")
    );
    Err(Failure::new(
        FailureClass::Permanent,
        "DiskTooFull",
        message,
    ))
}

/// Bytes of a package when it is unpacked. A binary that nobody looked into is at least as large as
/// its file.
fn installed_size(package: &InstallPackage) -> u64 {
    let contents = &package.binary.contents;
    let size = contents.installed_size().unwrap_or(package.binary.size);
    size + (size * OVERHEAD_PERCENT / 100).max(OVERHEAD)
}

/// The same by the folders of the root that it goes to; what Portage writes of it goes to /var.
fn by_folder(package: &InstallPackage) -> BTreeMap<String, u64> {
    let contents = &package.binary.contents;
    let mut sizes: BTreeMap<String, u64> = contents
        .sizes
        .iter()
        .map(|(folder, bytes)| (format!("/{folder}"), *bytes))
        .collect();
    if sizes.is_empty() {
        sizes.insert("/usr".to_owned(), package.binary.size);
    }
    let files: u64 = sizes.values().sum();
    let overhead = installed_size(package).saturating_sub(files);
    *sizes.entry("/var".to_owned()).or_default() += overhead;
    sizes
}

/// Bytes of the version that goes.
fn replaced_size(package: &InstallPackage, answer: &Answer) -> u64 {
    if matches!(package.change, Change::New | Change::NewSlot) {
        return 0;
    }
    let key = &package.key;
    let same = answer.installed.iter().find(|installed| {
        installed.cpv.category_package == key.cpv.category_package
            && installed.slot.slot == key.slot.slot
    });
    same.and_then(|installed| installed.size)
        .unwrap_or_default()
}

fn add<'a>(
    uses: &mut BTreeMap<&'a str, Use>,
    space: &'a Space,
    folder: &str,
    package: &InstallPackage,
    bytes: u64,
) {
    let used = uses.entry(&space.device).or_default();
    used.now += i128::from(bytes);
    used.peak = used.peak.max(used.now);
    if used.now > i128::from(space.free) && used.full.is_none() {
        used.full = Some((package.binary.cpv.to_string(), folder.to_owned()));
    }
}

fn take<'a>(uses: &mut BTreeMap<&'a str, Use>, space: &'a Space, bytes: u64) {
    uses.entry(&space.device).or_default().now -= i128::from(bytes);
}

fn megabytes(bytes: i128) -> String {
    const MEGABYTE: i128 = 1024 * 1024;
    let tenths = (bytes * 10 + MEGABYTE / 2) / MEGABYTE;
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::super::answer::Replaced;
    use super::*;
    use crate::proof::tests::package;

    const MEGABYTE: u64 = 1024 * 1024;

    fn of_size(name: &str, folder: &str, megabytes: u64, change: Change) -> InstallPackage {
        let mut package = package(name, 1, &[]);
        package.change = change;
        let sizes = &mut package.binary.contents.sizes;
        sizes.insert(folder.to_owned(), megabytes * MEGABYTE);
        package
    }

    /// Folders with their file systems and free megabytes.
    fn machine(spaces: &[(&str, &str, u64)], installed: &[(&str, u64)]) -> Answer {
        let spaces = spaces.iter().map(|(folder, device, free)| {
            let device = (*device).to_owned();
            let free = free * MEGABYTE;
            ((*folder).to_owned(), Space { device, free })
        });
        let installed = installed.iter().map(|(name, megabytes)| Replaced {
            cpv: name.parse().unwrap(),
            slot: "0".parse().unwrap(),
            size: Some(megabytes * MEGABYTE),
        });
        Answer {
            spaces: spaces.collect(),
            installed: installed.collect(),
            ..Answer::default()
        }
    }

    fn refusal(packages: &[InstallPackage], answer: &Answer) -> String {
        let failure = check(packages, answer, "/var/tmp/portage", None, 0).unwrap_err();
        assert_eq!(failure.cause, "DiskTooFull");
        failure.message
    }

    #[test]
    fn a_set_that_needs_more_than_is_free_is_refused_with_the_numbers() {
        let set = [
            of_size("a/one-1", "usr", 40, Change::New),
            of_size("a/two-1", "usr", 40, Change::New),
        ];
        let small = machine(
            &[
                ("/usr", "1", 70),
                ("/var", "2", 500),
                ("/var/tmp/portage", "2", 500),
            ],
            &[],
        );
        let message = refusal(&set, &small);
        for words in [
            "/usr has 70.0 MB free",
            "80.0 MB are needed",
            "a/two-1",
            "Make room",
        ] {
            assert!(message.contains(words), "{words}: {message}");
        }
        let large = machine(
            &[
                ("/usr", "1", 81),
                ("/var", "2", 500),
                ("/var/tmp/portage", "2", 500),
            ],
            &[],
        );
        assert!(check(&set, &large, "/var/tmp/portage", None, 0).is_ok());
    }

    #[test]
    fn what_the_way_back_brings_is_spared_where_it_is_kept() {
        let set = [of_size("a/one-2", "usr", 40, Change::Upgrade)];
        let spaces = [("/usr", "sda1", 100), ("/var", "sda2", 100)];
        let asked = |spared| {
            let answer = machine(&spaces, &[]);
            check(&set, &answer, "/var/tmp/portage", None, spared * MEGABYTE)
        };
        assert!(asked(90).is_ok());
        let message = asked(101).unwrap_err().message;
        assert!(message.contains("/var has 100.0 MB free"), "{message}");
    }

    #[test]
    fn what_is_replaced_makes_room_for_what_comes_after_it() {
        let set = [
            of_size("a/one-2", "usr", 40, Change::Upgrade),
            of_size("a/two-2", "usr", 40, Change::Upgrade),
        ];
        let installed = [("a/one-1", 40), ("a/two-1", 40)];
        let spaces = [
            ("/usr", "1", 50),
            ("/var", "1", 50),
            ("/var/tmp/portage", "1", 50),
        ];
        assert!(
            check(
                &set,
                &machine(&spaces, &installed),
                "/var/tmp/portage",
                None,
                0
            )
            .is_ok()
        );
        // And no more than that: the new version is there before the old one goes.
        let spaces = [
            ("/usr", "1", 30),
            ("/var", "1", 30),
            ("/var/tmp/portage", "1", 30),
        ];
        assert!(refusal(&set, &machine(&spaces, &installed)).contains("a/one-2"));
        // Another slot replaces nothing.
        let set = set.map(|package| InstallPackage {
            change: Change::NewSlot,
            ..package
        });
        let spaces = [
            ("/usr", "1", 50),
            ("/var", "1", 50),
            ("/var/tmp/portage", "1", 50),
        ];
        assert!(refusal(&set, &machine(&spaces, &installed)).contains("a/two-2"));
    }

    #[test]
    fn the_place_where_packages_are_unpacked_must_hold_the_largest_of_them() {
        let set = [
            of_size("a/small-1", "opt", 5, Change::New),
            of_size("a/large-1", "opt", 60, Change::New),
        ];
        let spaces = [
            ("/opt", "1", 500),
            ("/var", "1", 500),
            ("/var/tmp/portage", "tmpfs", 61),
        ];
        let message = refusal(&set, &machine(&spaces, &[]));
        assert!(
            message.contains("/var/tmp/portage has 61.0 MB free"),
            "{message}"
        );
        let spaces = [
            ("/opt", "1", 500),
            ("/var", "1", 500),
            ("/var/tmp/portage", "tmpfs", 62),
        ];
        assert!(check(&set, &machine(&spaces, &[]), "/var/tmp/portage", None, 0).is_ok());
    }

    #[test]
    fn a_binary_that_nobody_looked_into_counts_by_its_file_and_an_unknown_folder_not_at_all() {
        let mut unknown = package("a/old-1", 1, &[]);
        unknown.binary.size = 10 * MEGABYTE;
        let spaces = [
            ("/usr", "1", 5),
            ("/var", "2", 500),
            ("/var/tmp/portage", "2", 500),
        ];
        assert!(refusal(&[unknown.clone()], &machine(&spaces, &[])).contains("/usr"));
        assert!(check(&[unknown], &Answer::default(), "/var/tmp/portage", None, 0).is_ok());
    }

    #[test]
    fn what_is_fetched_first_takes_room_until_the_end_but_for_what_is_there_already() {
        const FETCHED: &str = "/var/cache/gentoo-updater/binaries";
        let mut set = [
            of_size("a/one-1", "usr", 10, Change::New),
            of_size("a/two-1", "usr", 10, Change::New),
        ];
        for package in &mut set {
            package.binary.size = 30 * MEGABYTE;
        }
        let mut answer = machine(&[("/usr", "1", 500), (FETCHED, "2", 50)], &[]);
        let asked = |answer: &Answer| check(&set, answer, "/var/tmp/portage", Some(FETCHED), 0);
        assert!(check(&set, &answer, "/var/tmp/portage", None, 0).is_ok());
        let message = asked(&answer).unwrap_err().message;
        for words in [FETCHED, "50.0 MB free", "60.0 MB are needed", "a/two-1"] {
            assert!(message.contains(words), "{words}: {message}");
        }
        answer.fetched = 15 * MEGABYTE;
        assert!(asked(&answer).is_ok(), "15 of the 60 are there");
        // On one disk with the root it is there beside what is installed.
        let mut one_disk = machine(&[("/usr", "1", 75), (FETCHED, "1", 75)], &[]);
        assert!(asked(&one_disk).is_err());
        one_disk.fetched = 30 * MEGABYTE;
        assert!(asked(&one_disk).is_ok());
    }
}
