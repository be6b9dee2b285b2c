//! Indexes that are not whole, and files that are none.

use crate::*;

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
