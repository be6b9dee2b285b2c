//! Entries of a repository's metadata cache, whole and damaged.

use std::fs;
use std::path::{Path, PathBuf};

use gentoo_updater_portage::md5_cache::{Md5CacheEntry, Md5CacheError};
use gentoo_updater_portage::packages_index::DependencyKind;

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/md5_cache");
    let files = fs::read_dir(folder).unwrap();
    files.map(|file| file.unwrap().path()).collect()
}

const GREETER: &str = include_str!("../fixtures/md5_cache/greeter-2.0");

#[test]
fn every_entry_is_printed_as_it_was_read() {
    let files = fixtures();
    assert_eq!(files.len(), 7);
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let entry: Md5CacheEntry = text.parse().unwrap();
        assert_eq!(entry.to_string(), text, "{}", file.display());
        assert_eq!(entry.eclasses().len(), 1);
    }
}

#[test]
fn an_entry_is_read_in_full() {
    let entry: Md5CacheEntry = GREETER.parse().unwrap();
    assert_eq!(entry.eapi(), "8");
    assert_eq!(entry.slot().to_string(), "0");
    assert_eq!(entry.keywords().collect::<Vec<_>>(), ["amd64"]);
    assert_eq!(entry.inherit().collect::<Vec<_>>(), ["labpkg"]);
    assert_eq!(entry.defined_phases().unwrap(), ["compile", "install"]);
    let flags: Vec<String> = entry
        .iuse()
        .iter()
        .map(|(flag, default)| format!("{flag} {default:?}"))
        .collect();
    assert_eq!(flags, ["color Some(true)", "emoji None", "nls None",]);
    assert_eq!(entry.eclasses()[0].name, "labpkg");
    assert_eq!(
        entry.eclasses()[0].md5.as_str(),
        "052a1f6579d506613bcc616e94afaa8b"
    );
    assert_eq!(entry.get("LICENSE"), "GPL-2");
    for kind in [
        DependencyKind::Build,
        DependencyKind::Target,
        DependencyKind::Runtime,
        DependencyKind::Post,
        DependencyKind::Install,
    ] {
        assert!(entry.dependency(kind).is_ok());
    }
    assert!(!entry.get("RDEPEND").is_empty());
}

#[test]
fn what_is_left_out_is_empty() {
    let digest = "0".repeat(32);
    let text = format!("SLOT=0/2\n_md5_={digest}\n");
    let entry: Md5CacheEntry = text.parse().unwrap();
    assert_eq!(entry.eapi(), "0");
    assert_eq!(entry.defined_phases(), None);
    assert!(entry.eclasses().is_empty());
    assert!(entry.iuse().is_empty());
    let none: Md5CacheEntry = format!("DEFINED_PHASES=-\n{text}").parse().unwrap();
    assert_eq!(none.defined_phases(), Some(Vec::new()));
    let empty: Md5CacheEntry = format!("IUSE=\n{text}").parse().unwrap();
    assert_eq!(empty, entry);
    let unknown: Md5CacheEntry = format!("{text}_x_=a=b\n").parse().unwrap();
    assert_eq!(unknown.get("_x_"), "a=b");
    assert_eq!(unknown.to_string(), format!("{text}_x_=a=b\n"));
}

#[test]
fn a_cut_or_garbled_entry_is_an_error_that_names_the_line() {
    for length in 0..GREETER.len() {
        Md5CacheEntry::parse(&GREETER[..length]).unwrap_err();
    }
    for (from, to, words) in [
        ("SLOT=0\n", "", "no SLOT"),
        ("SLOT=0", "SLOT=0/1/2", "SLOT (line "),
        ("EAPI=8", "EAPI=8 9", "EAPI (line "),
        ("IUSE=", "IUSE=+- ", "IUSE (line "),
        ("_md5_=", "_md5_=x", "_md5_ (line "),
        ("labpkg\t", "labpkg\t\t", "_eclasses_ (line "),
        ("_eclasses_=labpkg\t", "_eclasses_=", "_eclasses_ (line "),
        ("EAPI=8\n", "EAPI=8\nEAPI=8\n", "EAPI is there twice"),
        ("EAPI=8", "EAPI 8", "is not understood"),
        ("EAPI=8", "\nEAPI=8", "is not understood"),
        ("EAPI=8", "=8", "is not understood"),
    ] {
        assert!(GREETER.contains(from), "{from}");
        let error = Md5CacheEntry::parse(GREETER.replacen(from, to, 1)).unwrap_err();
        let error = error.to_string();
        assert!(error.contains(words), "{from} -> {to}: {error}");
    }
    let mut bytes = GREETER.as_bytes().to_vec();
    let place = GREETER.find("EAPI=").unwrap() + 5;
    bytes[place] = 0xfe;
    let line = GREETER[..place].matches('\n').count() + 1;
    assert_eq!(
        Md5CacheEntry::parse(bytes),
        Err(Md5CacheError::NotUtf8(line))
    );
}

#[test]
fn a_dependency_that_is_not_one_is_an_error_when_it_is_asked_for() {
    let text = format!("RDEPEND=( a/b\nSLOT=0\n_md5_={}\n", "0".repeat(32));
    let entry: Md5CacheEntry = text.parse().unwrap();
    let error = entry.dependency(DependencyKind::Runtime).unwrap_err();
    assert!(matches!(error, Md5CacheError::Value { key: "RDEPEND", .. }));
}

proptest::proptest! {
    #[test]
    fn what_was_printed_is_read_again(
        fields in proptest::collection::btree_map("[A-Z]{1,6}X", "[^\n]{1,20}", 0..6),
        slot in "[a-z0-9]{1,4}",
        eclasses in proptest::collection::btree_map("[a-z][a-z0-9_.-]{0,6}", "[0-9a-f]{32}", 0..4),
    ) {
        let mut text: String = fields.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
        let eclasses: Vec<String> = eclasses
            .iter()
            .filter(|(name, _)| *name != "default")
            .map(|(name, md5)| format!("{name}\t{md5}"))
            .collect();
        text.push_str(&format!("SLOT={slot}\n_eclasses_={}\n_md5_={:032}\n", eclasses.join("\t"), 7));
        let entry: Md5CacheEntry = text.parse().unwrap();
        proptest::prop_assert_eq!(entry.eclasses().len(), eclasses.len());
        proptest::prop_assert_eq!(&entry.to_string().parse::<Md5CacheEntry>().unwrap(), &entry);
    }

    #[test]
    fn no_text_panics(text in "(SLOT=|_md5_=|_eclasses_=|\n|\t|[0-9a-f]{32}|\\PC){0,20}") {
        let _ = Md5CacheEntry::parse(text);
    }
}
