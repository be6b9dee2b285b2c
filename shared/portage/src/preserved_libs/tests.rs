use super::*;

/// As Portage 3.0 writes it after ncurses went from 6.4 to 6.5 with another soname.
const REGISTRY: &str = r#"{"sys-libs/ncurses:0": ["sys-libs/ncurses-6.5-r1", "10241",
    ["/usr/lib64/libtinfo.so.5", "/usr/lib64/libtinfo.so.5.9"]],
    "dev-libs/icu:0": ["dev-libs/icu-75.1", 17, ["/usr/lib64/libicuuc.so.74"]]}"#;

#[test]
fn a_registry_names_what_each_version_left_behind() {
    let preserved = parse_registry(REGISTRY).unwrap();
    let names: Vec<String> = preserved
        .iter()
        .map(|entry| entry.cpv.to_string())
        .collect();
    assert_eq!(names, ["dev-libs/icu-75.1", "sys-libs/ncurses-6.5-r1"]);
    assert!(preserved[1].paths.contains("/usr/lib64/libtinfo.so.5.9"));
    for empty in ["", "\n", "{}"] {
        assert_eq!(parse_registry(empty), Ok(Vec::new()));
    }
}

#[test]
fn a_registry_that_is_cut_or_names_no_package_is_an_error_and_not_an_empty_one() {
    for text in [
        &REGISTRY[..80],
        "[]",
        r#"{"a/b:0": ["a/b-1"]}"#,
        "\u{80}(dp0",
    ] {
        let error = parse_registry(text).unwrap_err();
        assert!(
            matches!(error, PreservedLibsError::Registry(_)),
            "{text}: {error}"
        );
    }
    let error = parse_registry(r#"{"x:0": ["x;reboot", 1, []]}"#).unwrap_err();
    assert!(error.to_string().contains("x;reboot"), "{error}");
}

#[test]
fn a_line_of_needed_tells_who_needs_what() {
    let line = "X86_64;/usr/bin/hello;;;libalpha.so.1,libc.so.6;x86_64";
    let needed = parse_needed(line).unwrap();
    assert_eq!(needed.object, "/usr/bin/hello");
    assert!(needed.sonames.contains("libalpha.so.1"));
    // Of older versions, and of a library that needs nothing.
    let alone = parse_needed("X86_64;/usr/lib64/liba.so.1;liba.so.1;;").unwrap();
    assert!(alone.sonames.is_empty());
    assert!(parse_needed("/usr/bin/hello libalpha.so.1").is_err());
}
