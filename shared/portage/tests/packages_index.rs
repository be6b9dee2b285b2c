//! The index of a real store, whole and damaged.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use gentoo_updater_portage::name::UseFlag;
use gentoo_updater_portage::packages_index::{Entry, IndexError, PackagesIndex};

const INDEX: &str = include_str!("fixtures/index/Packages");

fn entry<'a>(index: &'a PackagesIndex, cpv: &str) -> &'a Entry {
    index
        .entries
        .iter()
        .find(|entry| entry.cpv.to_string() == cpv)
        .unwrap()
}

fn replaced(from: &str, to: &str) -> Result<PackagesIndex, IndexError> {
    assert!(INDEX.contains(from), "{from}");
    PackagesIndex::parse(&INDEX.replacen(from, to, 1))
}

#[test]
fn an_entry_is_read_in_full() {
    let index = PackagesIndex::parse(INDEX).unwrap();
    assert_eq!(index.entries.len(), 22);
    assert_eq!(index.timestamp, 1_795_407_362);
    assert_eq!(index.header["ARCH"], "amd64");
    let libbeta = entry(&index, "dev-libs/libbeta-1.0");
    assert_eq!(libbeta.build_id, Some(1));
    assert_eq!(
        libbeta.exact_package().to_string(),
        "dev-libs/libbeta-1.0-1"
    );
    assert_eq!(libbeta.build_time, Some(1_795_407_352));
    assert_eq!(libbeta.slot.to_string(), "0");
    assert_eq!(libbeta.repository.as_ref().unwrap().as_str(), "gentoo");
    assert_eq!(
        libbeta.path_in_store(),
        "dev-libs/libbeta/libbeta-1.0-1.gpkg.tar"
    );
    assert_eq!(libbeta.size, 20480);
    assert_eq!(
        libbeta.sha1.as_ref().unwrap().as_str(),
        "17a243b9e6c0bac73b48d64b9c72bcb578bd4249"
    );
    assert_eq!(
        libbeta.md5.as_ref().unwrap().as_str(),
        "52e59ef712616deef85fd5eee63fa684"
    );
    assert_eq!(libbeta.chost.as_deref(), Some("x86_64-pc-linux-gnu"));
    assert_eq!(libbeta.eapi, "8");
    assert_eq!(libbeta.rdepend, "dev-libs/libalpha:0/1=");
    assert_eq!(libbeta.depend, "dev-libs/libalpha:0/1=");
    assert_eq!(libbeta.bdepend, "");
    assert_eq!(libbeta.others["LICENSE"], "GPL-2");
    let flags: Vec<(String, bool)> = libbeta
        .use_of_iuse()
        .into_iter()
        .map(|(flag, on)| (flag.to_string(), on))
        .collect();
    assert_eq!(
        flags,
        [("doc".to_owned(), false), ("fast".to_owned(), true)]
    );
    assert!(
        libbeta
            .use_flags
            .contains(&"elibc_glibc".parse::<UseFlag>().unwrap())
    );
    assert_eq!(
        entry(&index, "dev-libs/libalpha-1.0").slot.to_string(),
        "0/1"
    );
}

#[test]
fn a_truncated_index_is_an_error_wherever_it_is_cut() {
    // Every place of the header, and every place around the ends of entries.
    let ends = INDEX
        .match_indices("\n\n")
        .flat_map(|(place, _)| place.saturating_sub(4)..place + 6);
    for length in (0..1000).chain(ends).filter(|length| *length < INDEX.len()) {
        assert!(
            PackagesIndex::parse(&INDEX[..length]).is_err(),
            "cut after {length} bytes"
        );
    }
    let entry = INDEX.find("CPV: dev-libs/libbeta-1.0").unwrap();
    let within = PackagesIndex::parse(&INDEX[..entry + 40]).unwrap_err();
    assert_eq!(
        within,
        IndexError::Truncated("dev-libs/libbeta-1.0".to_owned())
    );
    let end = entry + INDEX[entry..].find("\n\n").unwrap() + 2;
    let between = PackagesIndex::parse(&INDEX[..end]).unwrap_err();
    assert_eq!(
        between,
        IndexError::Count {
            header: 22,
            found: 14
        }
    );
}

#[test]
fn a_lost_or_doubled_entry_is_an_error() {
    let start = INDEX.find("BUILD_ID: 1").unwrap();
    let end = start + INDEX[start..].find("\n\n").unwrap() + 2;
    let lost = format!("{}{}", &INDEX[..start], &INDEX[end..]);
    let error = PackagesIndex::parse(&lost).unwrap_err();
    assert_eq!(
        error,
        IndexError::Count {
            header: 22,
            found: 21
        }
    );
    let doubled = format!("{}{}", &INDEX[..end], &INDEX[start..]);
    let error = PackagesIndex::parse(&doubled).unwrap_err();
    assert_eq!(
        error,
        IndexError::Count {
            header: 22,
            found: 23
        }
    );
}

#[test]
fn what_is_not_an_index_is_an_error() {
    for text in [
        "",
        "\n",
        "garbage",
        "garbage\n",
        "garbage\n\n",
        "A: b\n\n",
        "PACKAGES: 0\n\n",
    ] {
        assert!(PackagesIndex::parse(text).is_err(), "{text:?}");
    }
    let empty = PackagesIndex::parse("PACKAGES: 0\nTIMESTAMP: 5\nVERSION: 0\n\n").unwrap();
    assert!(empty.entries.is_empty());
}

#[test]
fn a_damaged_entry_is_named() {
    for (from, to, words) in [
        (
            "CPV: dev-libs/libbeta-1.0",
            "CPV: dev-libs/libbeta",
            "entry of dev-libs/libbeta is",
        ),
        ("CPV: dev-libs/libbeta-1.0\n", "", "it has no CPV"),
        ("SIZE: 20480\n", "", "it has no SIZE"),
        ("SIZE: 20480", "SIZE: many", "not a size"),
        ("BUILD_ID: 1", "BUILD_ID: one", "not a BUILD_ID"),
        ("SLOT: 0/1", "SLOT: 0/1/2", "not a valid slot"),
        (
            "USE: amd64 elibc_glibc kernel",
            "USE: amd64;touch",
            "not a valid USE flag",
        ),
        ("SHA1: 17a2", "SHA1: xxxx", "SHA1: "),
        ("PATH: app-misc/", "PATH: ../", "leads out of the store"),
        ("PATH: app-misc/", "PATH: /", "leads out of the store"),
        (
            "REPO: gentoo",
            "REPO: gentoo;",
            "not a valid repository name",
        ),
        ("MTIME: ", "MTIME", "is not understood"),
        ("EAPI: 8\n", "EAPI: 8\nEAPI: 8\n", "EAPI is there twice"),
        ("VERSION: 0", "VERSION: 1", "version 1"),
        ("PACKAGES: 22", "PACKAGES: x", "no valid PACKAGES"),
        ("\n\n", "\n\n\n", "is not understood"),
    ] {
        let Err(error) = replaced(from, to) else {
            panic!("{from} -> {to} was accepted")
        };
        let error = error.to_string();
        assert!(error.contains(words), "{from} -> {to}: {error}");
    }
}

#[test]
fn repository_and_chost_come_from_the_header_where_an_entry_has_none() {
    let text = "CHOST: a-b\nPACKAGES: 1\nREPO: local\nTIMESTAMP: 5\n\nCPV: a/b-1\nSIZE: 1\n\n";
    let index = PackagesIndex::parse(text).unwrap();
    assert_eq!(
        index.entries[0].repository.as_ref().unwrap().as_str(),
        "local"
    );
    assert_eq!(index.entries[0].chost.as_deref(), Some("a-b"));
    assert_eq!(index.entries[0].path_in_store(), "a/b-1.tbz2");
    assert_eq!(index.entries[0].build_id, None);
}
