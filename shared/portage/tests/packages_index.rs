//! The index of a real store, whole and damaged.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use gentoo_updater_portage::name::UseFlag;
use gentoo_updater_portage::packages_index::{
    Decoder, DependencyKind, Entry, Header, IndexError, MAX_ENTRY_LENGTH, PackagesIndex,
};

const INDEX: &str = include_str!("fixtures/index/Packages");
const HEADER: &str = "CHOST: a-b\nPACKAGES: 1\nREPO: local\nTIMESTAMP: 5\nVERSION: 0\n\n";

fn entry<'a>(index: &'a PackagesIndex, cpv: &str) -> &'a Entry {
    index
        .entries
        .iter()
        .find(|entry| entry.cpv.to_string() == cpv)
        .unwrap()
}

fn replaced(from: &str, to: &str) -> Result<PackagesIndex, IndexError> {
    assert!(INDEX.contains(from), "{from}");
    PackagesIndex::parse(INDEX.replacen(from, to, 1))
}

/// Reads `bytes` in pieces that end where `ends` says.
fn in_pieces(bytes: &[u8], ends: &[usize]) -> Result<(Header, Vec<Entry>), IndexError> {
    let mut entries = Vec::new();
    let mut decoder = Decoder::new();
    let mut start = 0;
    for end in ends.iter().chain([&bytes.len()]) {
        decoder.feed(&bytes[start..*end], |entry| {
            entries.push(entry.to_entry()?);
            Ok::<(), IndexError>(())
        })?;
        start = *end;
    }
    Ok((decoder.finish()?, entries))
}

/// Calls `look` with the one entry of an index.
fn with_entry<T>(
    lines: &str,
    look: impl Fn(&gentoo_updater_portage::packages_index::EntryRef<'_>) -> T,
) -> T {
    let mut seen = None;
    let mut decoder = Decoder::new();
    decoder
        .feed(format!("{HEADER}{lines}\n").as_bytes(), |entry| {
            seen = Some(look(entry));
            Ok::<(), IndexError>(())
        })
        .unwrap();
    decoder.finish().unwrap();
    seen.unwrap()
}

#[test]
fn an_entry_is_read_in_full() {
    let index = PackagesIndex::parse(INDEX).unwrap();
    assert_eq!(index.entries.len(), 22);
    assert_eq!(index.header.timestamp(), 1_795_407_362);
    assert_eq!(index.header.get("ARCH"), Some("amd64"));
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
fn no_line_of_an_entry_is_lost() {
    let mut printed = String::new();
    let mut decoder = Decoder::new();
    decoder
        .feed(INDEX.as_bytes(), |entry| {
            for (name, value) in entry.variables() {
                printed.push_str(&format!("{name}: {value}\n"));
            }
            Ok::<(), IndexError>(())
        })
        .unwrap();
    for (name, value) in decoder.finish().unwrap().iter() {
        printed.push_str(&format!("{name}: {value}\n"));
    }
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.retain(|line| !line.is_empty());
        lines.sort();
        lines
    };
    assert_eq!(sorted(&printed), sorted(INDEX));
}

#[test]
fn where_the_pieces_end_makes_no_difference() {
    let whole = in_pieces(INDEX.as_bytes(), &[]).unwrap();
    assert_eq!(whole.1, PackagesIndex::parse(INDEX).unwrap().entries);
    let every: Vec<usize> = (1..INDEX.len()).collect();
    assert_eq!(in_pieces(INDEX.as_bytes(), &every).unwrap(), whole);
    for length in [2, 3, 7, 100, 4096] {
        let ends: Vec<usize> = (1..INDEX.len()).step_by(length).collect();
        assert_eq!(in_pieces(INDEX.as_bytes(), &ends).unwrap(), whole);
    }
}

#[test]
fn a_truncated_index_is_an_error_wherever_it_is_cut() {
    // Every place of the header, around the ends of entries, and many of the others.
    let ends = INDEX
        .match_indices("\n\n")
        .flat_map(|(place, _)| place - 4..place + 6);
    let places = (0..1000).chain(ends).chain((1000..INDEX.len()).step_by(11));
    for length in places.filter(|length| *length < INDEX.len()) {
        assert!(
            in_pieces(&INDEX.as_bytes()[..length], &[]).is_err(),
            "cut after {length} bytes"
        );
    }
    let entry = INDEX.find("CPV: dev-libs/libbeta-1.0").unwrap();
    let within = PackagesIndex::parse(&INDEX[..entry + 40]).unwrap_err();
    assert_eq!(
        within,
        IndexError::Truncated("the entry of dev-libs/libbeta-1.0".to_owned())
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
fn a_line_that_is_lost_is_an_error_or_loses_no_entry() {
    let lines: Vec<&str> = INDEX.split_inclusive('\n').collect();
    for lost in 0..lines.len() {
        let rest: String = [&lines[..lost], &lines[lost + 1..]].concat().concat();
        if let Ok(index) = PackagesIndex::parse(rest) {
            assert_eq!(index.entries.len(), 22, "without {:?}", lines[lost]);
        }
        let doubled: String = [&lines[..=lost], &lines[lost..]].concat().concat();
        let line = lines[lost];
        PackagesIndex::parse(doubled).expect_err(line);
    }
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
    // The right number does not hide that one entry stands for another.
    let doubled = format!("{}{}", &INDEX[..end], &INDEX[start..]).replace("S: 22", "S: 23");
    let error = PackagesIndex::parse(&doubled).unwrap_err();
    assert_eq!(
        error,
        IndexError::Duplicate {
            entry: "app-misc/bigdata-1.0-1".to_owned(),
            line: INDEX[..end].matches('\n').count() + 1
        }
    );
    let other_build = doubled.replacen("BUILD_ID: 1", "BUILD_ID: 2", 1);
    assert_eq!(
        PackagesIndex::parse(&other_build).unwrap().entries.len(),
        23
    );
}

#[test]
fn entries_in_another_order_than_portage_writes_them_are_an_error() {
    let entries = "CPV: a/b-1\nSIZE: 1\n\nCPV: a/c-1\nSIZE: 1\n\nCPV: a/b-1\nSIZE: 1\n\n";
    let error = PackagesIndex::parse(HEADER.replace("S: 1", "S: 3") + entries).unwrap_err();
    assert!(
        matches!(error, IndexError::Order { line: 13, .. }),
        "{error}"
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
        // Portage itself takes no index without a version.
        "PACKAGES: 0\nTIMESTAMP: 5\n\n",
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
            "entry of dev-libs/libbeta (line ",
        ),
        ("CPV: dev-libs/libbeta-1.0\n", "", "it has no CPV"),
        ("SIZE: 20480\n", "", "it has no SIZE"),
        ("SIZE: 20480", "SIZE: many", "not a SIZE"),
        ("SIZE: 20480", "SIZE: +20480", "not a SIZE"),
        ("BUILD_ID: 1", "BUILD_ID: one", "not a BUILD_ID"),
        ("BUILD_ID: 1", "BUILD_ID: 4294967296", "not a BUILD_ID"),
        ("BUILD_TIME: 1", "BUILD_TIME: -1", "not a BUILD_TIME"),
        ("MTIME: 1", "MTIME: x1", "not a MTIME"),
        ("SLOT: 0/1", "SLOT: 0/1/2", "not a valid slot"),
        (
            "USE: amd64 elibc_glibc kernel",
            "USE: amd64;touch",
            "not a valid USE flag",
        ),
        ("SHA1: 17a2", "SHA1: xxxx", "SHA1: "),
        ("MD5: 7", "MD5: 77", "MD5: "),
        ("PATH: app-misc/", "PATH: ../", "leads out of the store"),
        ("PATH: app-misc/", "PATH: /", "leads out of the store"),
        (
            "REPO: gentoo",
            "REPO: gentoo;",
            "not a valid repository name",
        ),
        ("EAPI: 8", "EAPI: 8;", "not an EAPI"),
        ("MTIME: ", "MTIME", "is not understood"),
        ("MTIME: ", "MTIME:", "is not understood"),
        ("EAPI: 8\n", "EAPI: 8\nEAPI: 8\n", "EAPI is there twice"),
        ("EAPI: 8\n", "X: 8\nEAPI: 8\nX: 9\n", "X is there twice"),
        ("VERSION: 0", "VERSION: 1", "version 1"),
        ("PACKAGES: 22", "PACKAGES: x", "no valid PACKAGES"),
        ("PACKAGES: 22", "PACKAGES: 22\nTTL: x", "no valid TTL"),
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
fn a_line_that_is_not_utf_8_is_named() {
    let place = INDEX.find("libbeta-1.0\n").unwrap();
    let line = INDEX[..place].matches('\n').count() + 1;
    let mut bytes = INDEX.as_bytes().to_vec();
    bytes[place] = 0xff;
    assert_eq!(
        PackagesIndex::parse(bytes).unwrap_err(),
        IndexError::NotUtf8(line)
    );
}

#[test]
fn repository_and_chost_come_from_the_header_where_an_entry_has_none() {
    let index = PackagesIndex::parse(format!("{HEADER}CPV: a/b-1\nSIZE: 1\n\n")).unwrap();
    assert_eq!(
        index.entries[0].repository.as_ref().unwrap().as_str(),
        "local"
    );
    assert_eq!(index.entries[0].chost.as_deref(), Some("a-b"));
    assert_eq!(index.entries[0].path_in_store(), "a/b-1.tbz2");
    assert_eq!(index.entries[0].build_id, None);
    assert_eq!(index.entries[0].slot.to_string(), "0");
    assert_eq!(index.entries[0].eapi, "0");
    let own = with_entry("CPV: a/b-1\nSIZE: 1\nREPO: other\nCHOST: c\n", |entry| {
        (
            entry.repository().cloned(),
            entry.chost().map(str::to_owned),
        )
    });
    assert_eq!(own.0.unwrap().as_str(), "other");
    assert_eq!(own.1.as_deref(), Some("c"));
}

#[test]
fn the_header_is_read_in_full() {
    let text = "DOWNLOAD_TIMESTAMP: 7\nPACKAGES: 0\nREPO_REVISIONS: {\"gentoo\": \"8f3c\"}\n\
                TIMESTAMP: 5\nTTL: 86400\nURI: https://host.invalid/x86\nVERSION: 0\n\n";
    let header = PackagesIndex::parse(text).unwrap().header;
    assert_eq!(header.packages(), 0);
    assert_eq!(header.download_timestamp(), Some(7));
    assert_eq!(header.time_to_live(), Some(86400));
    assert_eq!(header.base_uri(), Some("https://host.invalid/x86"));
    let revisions: Vec<_> = header.repository_revisions().iter().collect();
    assert_eq!(revisions.len(), 1);
    assert_eq!(revisions[0].0.as_str(), "gentoo");
    assert_eq!(revisions[0].1, "8f3c");
    let broken = text.replace("\"8f3c\"", "8");
    assert_eq!(
        PackagesIndex::parse(broken).unwrap_err(),
        IndexError::Header("REPO_REVISIONS".to_owned())
    );
    let twice = text.replace("TTL: 86400\n", "TTL: 86400\nTTL: 86400\n");
    assert!(PackagesIndex::parse(twice).is_err());
}

#[test]
fn libraries_are_read_by_category() {
    let libraries = |value: &str| {
        with_entry(
            &format!("CPV: a/b-1\nSIZE: 1\nREQUIRES: {value}\n"),
            |entry| {
                let libraries = entry.requires()?;
                let libraries = libraries
                    .into_iter()
                    .map(|(category, names)| {
                        let names: Vec<&str> = names.into_iter().collect();
                        format!("{category}={}", names.join(","))
                    })
                    .collect::<Vec<_>>();
                Ok::<String, IndexError>(libraries.join(" "))
            },
        )
    };
    assert_eq!(libraries("").unwrap(), "");
    assert_eq!(
        libraries("x86_64: libz.so.1 libc.so.6 x86_32: libc.so.6").unwrap(),
        "x86_32=libc.so.6 x86_64=libc.so.6,libz.so.1"
    );
    for wrong in [
        "libz.so.1",
        "x86_64:",
        "x86_64: x86_32: a",
        "a: b a: c",
        ": b",
    ] {
        assert!(libraries(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn dependencies_and_flags_are_checked_when_they_are_asked_for() {
    let lines = "BDEPEND: dev-util/x\nCPV: a/b-1\nIDEPEND: (\nRDEPEND: || ( a/c a/d )\nSIZE: 1\n\
                 USE: ssl x;y\n";
    with_entry(lines, |entry| {
        assert!(entry.dependency(DependencyKind::Build).is_ok());
        assert!(entry.dependency(DependencyKind::Runtime).is_ok());
        let error = entry.dependency(DependencyKind::Install).unwrap_err();
        assert!(matches!(error, IndexError::Entry { line: 7, .. }));
        assert!(entry.is_enabled("ssl"));
        assert!(!entry.is_enabled("ss"));
        assert!(entry.use_flags().is_err());
        assert!(entry.to_entry().is_err());
    });
}

/// As Portage 2.1.6 wrote them: neither BUILD_ID nor MTIME, no path where it is the usual one, and
/// variables that nobody reads any more.
#[test]
fn an_old_index_is_read() {
    let text = "ACCEPT_KEYWORDS: x86\nCHOST: i686-pc-linux-gnu\nPACKAGES: 2\nREPO: gentoo\n\
                SYNC: rsync://rsync.gentoo.org/gentoo-portage\nTIMESTAMP: 1229904000\nVERSION: 0\n\n\
                CPV: app-shells/bash-3.2_p39\nDESC: The standard GNU Bourne again shell: bash\n\
                IUSE: nls +net vanilla\nMD5: 52e59ef712616deef85fd5eee63fa684\n\
                PROVIDE: virtual/shell\nSIZE: 12\nUSE: net x86\n\n\
                CPV: sys-libs/zlib-1.2.3-r1\nPATH: All/zlib-1.2.3-r1.tbz2\nSIZE: 12\n\n";
    let index = PackagesIndex::parse(text).unwrap();
    let bash = &index.entries[0];
    assert_eq!(bash.path_in_store(), "app-shells/bash-3.2_p39.tbz2");
    assert_eq!(
        bash.others["DESC"],
        "The standard GNU Bourne again shell: bash"
    );
    assert_eq!(bash.others["PROVIDE"], "virtual/shell");
    assert_eq!(bash.iuse.len(), 3);
    assert_eq!(index.entries[1].path_in_store(), "All/zlib-1.2.3-r1.tbz2");
}

#[test]
fn an_entry_without_end_is_refused_before_it_fills_the_memory() {
    let error = |pieces: &[&[u8]]| {
        let mut decoder = Decoder::new();
        let mut feed = |piece: &[u8]| decoder.feed(piece, |_| Ok::<(), IndexError>(()));
        feed(HEADER.as_bytes()).unwrap();
        pieces.iter().try_for_each(|piece| feed(piece)).unwrap_err()
    };
    let long = "x".repeat(MAX_ENTRY_LENGTH);
    assert_eq!(error(&[b"CPV: ", long.as_bytes()]), IndexError::TooLong(7));
    let whole = format!("CPV: {long}\n\n");
    assert_eq!(error(&[whole.as_bytes()]), IndexError::TooLong(7));
    let kilobyte = [b'x'; 1024];
    let pieces: Vec<&[u8]> = (0..=1024).map(|_| &kilobyte[..]).collect();
    assert_eq!(error(&pieces), IndexError::TooLong(7));
}

#[test]
fn a_decoder_that_failed_stays_failed() {
    let mut decoder = Decoder::new();
    let mut feed = |piece: &[u8]| decoder.feed(piece, |_| Ok::<(), IndexError>(()));
    feed(b"garbage\n\n").unwrap_err();
    assert_eq!(feed(HEADER.as_bytes()), Err(IndexError::Abandoned));
    assert_eq!(decoder.finish(), Err(IndexError::Abandoned));
}

proptest::proptest! {
    #[test]
    fn no_text_panics_and_pieces_make_no_difference(
        text in "(PACKAGES: |TIMESTAMP: 5\n|VERSION: 0\n|\n|CPV: a/b-|SIZE: |[0-9]|\\PC|[A-Z]: x\n){0,30}",
        ends in proptest::collection::vec(0_usize..100, 0..6),
        header in 0_usize..3,
    ) {
        let text = format!("{}{text}", HEADER.replace("S: 1", &format!("S: {header}")));
        let mut ends: Vec<usize> = ends.into_iter().filter(|end| *end < text.len()).collect();
        ends.sort_unstable();
        proptest::prop_assert_eq!(
            in_pieces(text.as_bytes(), &ends),
            in_pieces(text.as_bytes(), &[])
        );
    }

    #[test]
    fn a_garbled_byte_is_an_error_or_loses_no_entry(place in 0..INDEX.len(), byte: u8) {
        let mut bytes = INDEX.as_bytes().to_vec();
        bytes[place] = byte;
        if let Ok(index) = PackagesIndex::parse(bytes) {
            proptest::prop_assert_eq!(index.entries.len(), 22);
        }
    }
}
