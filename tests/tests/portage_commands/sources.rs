//! That nobody else builds a call of Portage's programs.

use std::path::{Path, PathBuf};

use gentoo_updater_tests::fixtures::Lab;

/// Where programs of this project are that run on machines.
const FOLDERS: [&str; 9] = [
    "builder/src",
    "cli/src",
    "installer/src",
    "janitor/src",
    "planner/src",
    "scanner/src",
    "shared/fleet/src",
    "shared/hosts/src",
    "shared/runtime/src",
];

/// Portage's programs, and those of its relatives that change a machine.
const PROGRAMS: [&str; 14] = [
    "archive-conf",
    "dispatch-conf",
    "ebuild",
    "eclean",
    "egencache",
    "emaint",
    "emerge",
    "env-update",
    "etc-update",
    "fixpackages",
    "glsa-check",
    "portageq",
    "quickpkg",
    "regenworld",
];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries =
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("an entry of a folder").path();
        if path.is_dir() {
            files(&path, found);
        } else if !path.to_string_lossy().ends_with("tests.rs") {
            // Modules of tests have files of their own by that name; no machine runs them.
            found.push(path);
        }
    }
}

/// Whether a line of a program calls one of Portage's: as a word of an argv, or where a shell
/// expects a command.
fn calls(line: &str, is_rust: bool) -> bool {
    let line = line.trim_start();
    if line.starts_with("//") || line.starts_with('#') || line.starts_with('*') {
        return false;
    }
    let begins_with_program = |text: &str| {
        PROGRAMS.iter().any(|program| {
            let rest = text.strip_prefix(program);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['"', ' ', ';', ')']))
        })
    };
    if is_rust {
        let mut literals = line.split('"').skip(1).step_by(2);
        // Rows of a plan are called that, too.
        return literals.any(|text| text != "ebuild" && PROGRAMS.contains(&text));
    }
    line.split(['|', '&', ';', '(', '`'])
        .any(|command| begins_with_program(command.trim_start()))
}

pub(crate) fn nobody_else_calls_portage(_: &Lab) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    for folder in FOLDERS {
        files(&root.join(folder), &mut found);
    }
    assert!(found.len() > 60, "only {} files", found.len());
    let mut callers = Vec::new();
    for path in found {
        let name = path.to_string_lossy();
        if name.contains("/tests/") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let program = text.split("#[cfg(test)]").next().unwrap_or_default();
        let is_rust = name.ends_with(".rs");
        let is_shell = name.ends_with(".sh");
        let lines = program
            .lines()
            .filter(|line| (is_rust || is_shell) && calls(line, is_rust));
        callers.extend(lines.map(|line| format!("{}: {line}", path.display())));
    }
    // The key of a JSON document, whose argv comes from a command line.
    callers.retain(|line| !line.contains("json!({ \"marker\": marker, \"emerge\""));
    assert!(callers.is_empty(), "{callers:#?}");
    assert!(calls("step build; emerge -1 cat/pkg || exit 1", false));
    assert!(calls("Command::new(\"portageq\").arg(\"match\")", true));
}
