//! What is in an index that is whole.

use crate::*;

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
