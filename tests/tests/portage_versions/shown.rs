//! A plan as Portage's resolver handed it to the printer, against the plan that was read.

use std::collections::BTreeSet;

use gentoo_updater_portage::cpv::Cpv;
use gentoo_updater_portage::plan::{Plan, Row, RowKind};
use gentoo_updater_portage::version::Version;
use serde_json::Value;

/// The packages and blocks of Portage, a line each.
///
/// `marks` says whether the version marks binaries that are on a server.
pub(crate) fn lines_of_portage(list: &Value, marks: bool) -> BTreeSet<String> {
    let list = list.as_array().expect("a list of packages");
    let lines: BTreeSet<String> = list
        .iter()
        .filter(|package| package["kind"] != "nomerge")
        .map(|package| {
            if package["kind"] == "blocks" {
                let atom = text(package, "atom").trim_start_matches('!').to_owned();
                return format!("blocks {atom} {}", package["satisfied"]);
            }
            let cpv: Cpv = text(package, "cpv").parse().unwrap();
            let kind = text(package, "kind");
            line(Words {
                kind,
                letters: if kind == "uninstall" {
                    String::new()
                } else {
                    letters(package, &cpv.version)
                },
                cpv: cpv.to_string(),
                build_id: package["build_id"].as_u64(),
                slot: format!("{}/{}", text(package, "slot"), text(package, "subslot")),
                repository: text(package, "repository"),
                enabled: list_of(package, "enabled"),
                disabled: list_of(package, "disabled"),
                remote: marks && package["remote"] == true,
            })
        })
        .collect();
    lines
}

/// The rows and blocks that were read, in the same words.
pub(crate) fn lines_of_plan(plan: &Plan) -> BTreeSet<String> {
    let rows = plan
        .rows
        .iter()
        // The tree that shows a circle repeats packages.
        .filter(|row| row.kind != RowKind::NoMerge)
        .map(line_of_row);
    let blocks = plan
        .blocks
        .iter()
        .map(|block| format!("blocks {} {}", block.blocked, block.satisfied));
    rows.chain(blocks).collect()
}

fn line_of_row(row: &Row) -> String {
    let status = &row.status;
    let letters = match (status.new, status.upgrade) {
        (true, _) if status.new_slot => "NS",
        (true, _) => "N",
        (_, true) if status.downgrade => "UD",
        (_, true) => "U",
        _ if status.reinstall => "R",
        _ => "",
    };
    line(Words {
        kind: &format!("{:?}", row.kind).to_lowercase(),
        letters: letters.to_owned(),
        cpv: row.cpv.to_string(),
        build_id: row.build_id.map(u64::from),
        // Portage leaves 0/0 out.
        slot: row.slot.as_ref().map_or("0/0".to_owned(), |slot| {
            format!("{}/{}", slot.slot, slot.subslot)
        }),
        repository: row.repository.as_ref().map_or("", |name| name.as_str()),
        enabled: row
            .use_flags
            .enabled
            .iter()
            .map(ToString::to_string)
            .collect(),
        disabled: row
            .use_flags
            .disabled
            .iter()
            .map(ToString::to_string)
            .collect(),
        remote: status.remote_binary,
    })
}

struct Words<'a> {
    kind: &'a str,
    letters: String,
    cpv: String,
    build_id: Option<u64>,
    slot: String,
    repository: &'a str,
    enabled: BTreeSet<String>,
    disabled: BTreeSet<String>,
    remote: bool,
}

fn line(words: Words<'_>) -> String {
    let Words {
        kind,
        letters,
        cpv,
        build_id,
        slot,
        repository,
        enabled,
        disabled,
        remote,
    } = words;
    format!(
        "{kind} {letters} {cpv} {build_id:?} :{slot} ::{repository} {enabled:?} {disabled:?} \
         remote: {remote}"
    )
}

/// What is done, from what is installed.
fn letters(package: &Value, version: &Version) -> String {
    let in_slot: Vec<Version> = list_of(package, "in_slot")
        .iter()
        .map(|cpv| cpv.parse::<Cpv>().unwrap().version)
        .collect();
    if package["same_installed"] == true {
        return "R".to_owned();
    }
    match in_slot.iter().max() {
        Some(installed) if installed > version => "UD",
        Some(_) => "U",
        None if list_of(package, "installed").is_empty() => "N",
        None => "NS",
    }
    .to_owned()
}

fn text<'a>(package: &'a Value, key: &str) -> &'a str {
    package[key]
        .as_str()
        .unwrap_or_else(|| panic!("{package} has no {key}"))
}

fn list_of(package: &Value, key: &str) -> BTreeSet<String> {
    let list = package[key].as_array();
    list.unwrap_or_else(|| panic!("{package} has no list {key}"))
        .iter()
        .map(|item| item.as_str().expect("a word").to_owned())
        .collect()
}
