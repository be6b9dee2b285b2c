//! The JSON of a plan, which other programs read, against golden files.

use std::fs;
use std::path::PathBuf;

use gentoo_updater_portage::plan::{PlanDocument, parse};
use serde_json::Value;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

fn document(name: &str) -> Value {
    let stdout = fs::read_to_string(fixture(&format!("{name}.out"))).unwrap();
    let stderr = fs::read_to_string(fixture(&format!("{name}.err"))).unwrap_or_default();
    let plan = parse(&stdout, &stderr, 0).unwrap();
    serde_json::to_value(PlanDocument::from(&plan)).unwrap()
}

/// Programs read this form: fields may be added to it, and none may be renamed or removed.
#[test]
fn the_json_of_a_plan_is_that_of_the_golden_file() {
    for (name, golden) in [
        ("document/every-field", "document/every-field.json"),
        ("plan/a-NDpuv1-plain", "document/a-NDpuv1-plain.json"),
    ] {
        let found = document(name);
        let text = fs::read_to_string(fixture(golden)).unwrap();
        let expected: Value = serde_json::from_str(&text).unwrap();
        let shown = serde_json::to_string_pretty(&found).unwrap();
        assert!(
            found == expected,
            "{golden} should be this or the program is wrong:\n{shown}"
        );
    }
}

#[test]
fn the_document_of_a_plan_can_be_read_back() {
    for name in [
        "document/every-field",
        "plan/a-NDpuv1-plain",
        "plan/bb-softblock",
    ] {
        let value = document(name);
        let read: PlanDocument = serde_json::from_value(value.clone()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), value);
    }
}

/// A reader in another language relies on it: no field is left out of any row.
#[test]
fn every_row_has_every_field() {
    let fields = [
        "kind",
        "status",
        "cpv",
        "build_id",
        "slot",
        "subslot",
        "repository",
        "previous",
        "root",
        "use",
        "size_bytes",
    ];
    let value = document("document/every-field");
    for row in value["rows"].as_array().unwrap() {
        let row = row.as_object().unwrap();
        let is_block = row["kind"] == "blocks";
        for field in fields {
            assert!(row.contains_key(field), "{field} of {row:?}");
        }
        assert_eq!(row.len(), fields.len() + if is_block { 2 } else { 0 });
    }
}

#[test]
fn a_plan_that_emerge_refuses_is_told_from_one_that_it_accepts() {
    let recorded = |suffix: &str| {
        fs::read_to_string(fixture(&format!("plan/n-autounmask-use.{suffix}"))).unwrap()
    };
    let plan = parse(&recorded("out"), &recorded("err"), 1).unwrap();
    assert_eq!(PlanDocument::from(&plan).exit_status, 1);
}
