//! The documentation of the findings of `doctor` is the list that the program has.

use std::path::Path;

use gentoo_updater_fleet::doctor::table;

/// Where the list begins in the document. It goes on to its end.
const BEGIN: &str = "<!-- The list is written by `UPDATE_GOLDEN=1 cargo test -p gentoo-updater-fleet --test rules doctor`. -->\n\n";

#[test]
fn every_kind_of_finding_is_documented_as_the_program_has_it() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/doctor.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (introduction, list) = text.split_once(BEGIN).unwrap();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, format!("{introduction}{BEGIN}{}", table())).unwrap();
        return;
    }
    assert_eq!(list, table(), "{} is out of date", path.display());
}
