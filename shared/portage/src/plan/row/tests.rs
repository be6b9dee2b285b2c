use super::*;

fn read(line: &str) -> Result<Row, String> {
    let brackets = divide(line)?;
    match brackets.kind {
        Some(kind) => Ok(parse_row(kind, &brackets, &mut KnownFlags::default())?.0),
        None => Err(parse_block(&brackets).unwrap_err()),
    }
}

fn row(line: &str) -> Row {
    read(line).unwrap_or_else(|reason| panic!("{line}: {reason}"))
}

fn refusal(line: &str) -> String {
    match read(line) {
        Err(reason) => reason,
        Ok(row) => panic!("accepted: {row:?}"),
    }
}

#[test]
fn a_row_is_read_in_full() {
    let row = row("[ebuild  rR   *] dev-libs/a-1.0-r1:3/4::gentoo \
                   [0.9:3::gentoo, 2:2::__unknown__] to /usr/cross/ USE=\"x* -y\" 1,234 KiB");
    assert_eq!(row.kind, RowKind::Ebuild);
    assert_eq!(row.status.to_string(), "rR   *");
    assert_eq!(row.cpv.to_string(), "dev-libs/a-1.0-r1");
    assert_eq!(row.slot.unwrap().to_string(), "3/4");
    assert_eq!(row.repository.unwrap().as_str(), "gentoo");
    assert_eq!(row.root.unwrap(), "/usr/cross/");
    assert_eq!(row.size_bytes, Some(1234 * 1024));
    assert_eq!(row.use_flags.changed.len(), 1);
    let previous: Vec<String> = row
        .previous
        .iter()
        .map(|p| format!("{} {:?} {:?}", p.version, p.slot.is_some(), p.repository))
        .collect();
    assert_eq!(
        previous,
        ["0.9 true Some(RepositoryName(\"gentoo\"))", "2 true None"]
    );
}

#[test]
fn the_build_id_is_no_part_of_a_binary_rows_version() {
    let binary = row("[binary  N g   ] sys-apps/labbase-1.0-r1-1::gentoo  0 KiB");
    assert_eq!(binary.cpv.to_string(), "sys-apps/labbase-1.0-r1");
    assert_eq!(binary.build_id, Some(1));
    assert!(binary.status.remote_binary);
    let single = row("[binary  N     ] sys-apps/labbase-1.0-r1::gentoo  0 KiB");
    assert_eq!(single.build_id, None);
    let ebuild = "[ebuild  N     ] sys-apps/labbase-1.0-r1-1::gentoo  0 KiB";
    assert!(refusal(ebuild).contains("not a valid"));
}

#[test]
fn a_row_of_an_old_portage_names_neither_slot_nor_repository() {
    for line in [
        "[ebuild  N    ] a/b-1  0 kB",
        "[ebuild  N    ] a/b-1  USE=\"x\" 1,234 kB [1]",
        "[ebuild     U ] a/b-1 [0.9, 0.8] 0 kB [0=>1]",
        "[ebuild   R   ] a/b-1  0 kB [?]",
        "[binary   R   ] a/b-1 ",
        "[binary   R   ] a/b-1  [?=>0]",
    ] {
        let row = row(line);
        assert_eq!((row.slot, row.repository), (None, None), "{line}");
        assert_eq!(divide(line).unwrap().columns, 6, "{line}");
    }
}

#[test]
fn a_root_may_have_any_name() {
    for (words, expected) in [
        ("to /mnt/my root/ USE=\"a\" 0 KiB", "/mnt/my root/"),
        ("to /mnt/größe/ 0 KiB", "/mnt/größe/"),
        (
            "[1::gentoo] to /usr/x86_64-pc-linux-gnu/ 1 KiB",
            "/usr/x86_64-pc-linux-gnu/",
        ),
    ] {
        let row = row(&format!("[ebuild   R    ] a/b-1::gentoo {words}"));
        assert_eq!(row.root.unwrap(), expected);
    }
    let nomerge = row("[nomerge       ] a/b-1::gentoo to /mnt/x/");
    assert_eq!(nomerge.root.unwrap(), "/mnt/x/");
}

#[test]
fn a_row_that_is_not_understood_says_why() {
    for (line, words) in [
        ("ebuild N a/b-1", "neither a row"),
        ("[ebuild  N   ] a/b-1::gentoo  0 KiB", "seven columns"),
        ("[ebuild  N      ] a/b-1::gentoo  0 KiB", "seven columns"),
        ("[ebuild  N     ]a/b-1::gentoo  0 KiB", "blank is missing"),
        ("[ebuild  N     ] a/b   [1] 0 KiB", "--columns"),
        ("[ebuild  N     ] a/b-1::gentoo  0", "not a size"),
        ("[ebuild  N     ] a/b-1::gentoo  0 KiB 0 KiB", "not a size"),
        ("[ebuild  N     ] a/b-1::gentoo  0 KiB [x]", "not a size"),
        ("[ebuild  N     ] a/b-1::gentoo  0 KiB[1]", "not a size"),
        ("[ebuild  N     ] a/b-1::gentoo  12,34 KiB", "not a size"),
        ("[ebuild  N     ] a/b-1::gentoo x 0 KiB", "not a size"),
        ("[ebuild  N     ] a/b::gentoo  0 KiB", "not a valid"),
        ("[ebuild  N     ] a/b-1:::gentoo  0 KiB", "not a valid"),
        ("[ebuild  N     ] a/b-1;touch::gentoo  0 KiB", "not a valid"),
        (
            "[ebuild  N     ] a/b-1::gentoo [0::gentoo] 0 KiB",
            "no previous",
        ),
        (
            "[ebuild     U  ] a/b-1::gentoo  0 KiB",
            "previous versions are missing",
        ),
        ("[ebuild     U  ] a/b-1::gentoo [0::gentoo 0 KiB", "no end"),
        ("[ebuild     U  ] a/b-1::gentoo [x] 0 KiB", "not a valid"),
        (
            "[ebuild  N     ] a/b-1::gentoo to root 0 KiB",
            "path of a root",
        ),
        ("[nomerge  N    ] a/b-1::gentoo", "letters"),
        ("[nomerge       ] a/b-1::gentoo  0 KiB", "not understood"),
        ("[uninstall     ] a/b-1-2::gentoo ", "not a valid"),
        ("[blocks b      ] a/b", "names what is blocked"),
        ("[ebuild  N     ] a/b-1::gäntoo  0 KiB", "not a valid"),
        ("[ebuild ä] a/b-1::gentoo  0 KiB", "seven columns"),
        ("[ebuild  N ä   ] a/b-1::gentoo  0 KiB", "letters"),
    ] {
        assert!(refusal(line).contains(words), "{line}: {}", refusal(line));
    }
}

#[test]
fn a_row_that_lost_a_character_still_resembles_one() {
    for line in [
        "[ebuild  N     ] a/b-1::gentoo  0 KiB",
        "[nomerge       ] a/b-1::gentoo",
        "[uninstall     ] a/b-1::gentoo",
        "[blocks b      ] a/b (is blocking c/d-1)",
        "[binary   R   ] a/b-1 ",
    ] {
        assert!(resembles_row(line));
        for place in 0..line.len() {
            let (before, after) = (&line[..place], &line[place + 1..]);
            for garbage in ["", "x", "]", "[", "\u{fffd}"] {
                let garbled = format!("{before}{garbage}{after}");
                assert!(resembles_row(&garbled), "{garbled}");
            }
        }
    }
    for line in [
        "",
        "!!! Section 'x' in repos.conf has location attribute set to nonexistent directory: '/x'",
        " * IMPORTANT: 1 news items need reading for repository 'gentoo'.",
        "emerge: there are no ebuilds to satisfy \"a/b\".",
        "- a/b-1::gentoo (masked by: ~amd64 keyword)",
        " [0] /usr/portage",
        "Total: 1 package (1 new), Size of downloads: 0 KiB",
    ] {
        assert!(!resembles_row(line), "{line}");
    }
}
