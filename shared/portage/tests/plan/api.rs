//! The text against what Portage's own programming interface says of the same plan.

use std::collections::BTreeSet;
use std::fs;

use gentoo_updater_portage::plan::{FlagSet, NoticeKind, Plan, Row};
use serde_json::Value;

use crate::{folder, read};

/// Everything of a row that both sides know.
type Known = (
    String,
    String,
    String,
    String,
    String,
    Option<u64>,
    BTreeSet<String>,
    BTreeSet<String>,
    BTreeSet<String>,
);

fn from_text(row: &Row) -> Known {
    let slot = row.slot.as_ref().unwrap();
    let strings =
        |set: &FlagSet| -> BTreeSet<String> { set.iter().map(ToString::to_string).collect() };
    let enabled = strings(&row.use_flags.enabled);
    let all = enabled
        .union(&strings(&row.use_flags.disabled))
        .cloned()
        .collect();
    let name = &row.cpv.category_package;
    (
        format!("{:?}", row.kind).to_lowercase(),
        row.cpv.to_string(),
        slot.slot.to_string(),
        slot.subslot.to_string(),
        row.repository.as_ref().unwrap().to_string(),
        row.build_id.map(u64::from),
        enabled,
        all,
        row.previous
            .iter()
            .map(|previous| format!("{name}-{}", previous.version))
            .collect(),
    )
}

/// The flags that the interface gives are those before the changes which emerge proposes; the list
/// shows those after.
fn apply_changes(known: &mut Known, plan: &Plan) {
    for notice in &plan.notices {
        let NoticeKind::Autounmask { changes } = &notice.kind else {
            continue;
        };
        for change in changes {
            let name = change.atom.category_package().to_string();
            if known.1.starts_with(&format!("{name}-")) {
                known.6.extend(change.values.iter().cloned());
            }
        }
    }
}

fn from_interface(row: &Value) -> Known {
    let text = |key: &str| row[key].as_str().unwrap().to_owned();
    let texts = |key: &str| -> BTreeSet<String> {
        let list = row[key].as_array().unwrap();
        list.iter()
            .map(|value| value.as_str().unwrap().to_owned())
            .collect()
    };
    let cpv = text("cpv");
    let mut installed = texts("installed_in_slot");
    if installed.is_empty() {
        installed = texts("installed_any");
    }
    // The same version is not named as a previous one.
    installed.remove(&cpv);
    (
        text("type"),
        cpv,
        text("slot"),
        text("sub_slot"),
        text("repo"),
        row["build_id"].as_u64(),
        texts("use"),
        texts("iuse"),
        installed,
    )
}

#[test]
fn the_text_holds_what_portages_own_interface_says() {
    for (name, file, rows) in [
        ("f2-defopts-ignored", "world", 14),
        ("a-NDpuv1-plain", "world", 14),
        ("n-autounmask-use", "needs-use", 2),
    ] {
        let json = fs::read_to_string(folder(&format!("api/{file}.json"))).unwrap();
        let json: Value = serde_json::from_str(json.trim_end_matches("\u{1b}[?25h")).unwrap();
        let plan = read(name).unwrap();
        let mut expected: Vec<Known> = json["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(from_interface)
            .collect();
        for known in &mut expected {
            apply_changes(known, &plan);
        }
        let found: Vec<Known> = plan.rows.iter().map(from_text).collect();
        assert_eq!((found.len(), expected.len()), (rows, rows), "{name}");
        let found: BTreeSet<Known> = found.into_iter().collect();
        assert_eq!(found, expected.into_iter().collect(), "{name}");
    }
}
