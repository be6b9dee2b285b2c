//! Whatever fails is shown with its cause and with what to do, in the report and at a glance.

use std::collections::BTreeSet;
use std::path::Path;

use gentoo_updater_fleet::inspect::{BusStatus, StatusView};
use gentoo_updater_fleet::message::*;
use gentoo_updater_fleet::remedy::{known_causes, next_step};
use gentoo_updater_fleet::report::Report;
use gentoo_updater_portage::outcome::FailureKind;

use crate::common::failing::{all_failures, fails};
use crate::common::*;
use crate::{build, work};

/// Words without the marks that a format gives them.
fn plain(text: &str) -> String {
    let text = text.replace("<code>", "`").replace("</code>", "`");
    let text = text
        .replace("&#39;", "'")
        .replace("&lt;", "<")
        .replace("&gt;", ">");
    text.replace("&amp;", "&")
        .replace("&quot;", "\"")
        .replace('\\', "")
}

#[test]
fn each_cause_is_told_with_its_next_step_wherever_it_comes_up() {
    for (step, failure) in all_failures() {
        let (class, cause) = (failure.class, failure.cause.as_str());
        let next = next_step(&failure);
        let history = fails(step, &failure);
        let report = Report::of(&history.fleet, history.run());
        let outline = report.outline();
        for text in [outline.to_text(), outline.to_markdown(), outline.to_html()] {
            let text = plain(&text);
            for part in [cause, "so it happened", &plain(next)] {
                assert!(
                    text.contains(part),
                    "{step}, {class:?}: no {part:?} in\n{text}"
                );
            }
        }
        let bus = BusStatus::Process { lives: true };
        let status = StatusView::of(&history.fleet, &bus, history.now(), &crate::guests());
        let told: Vec<_> = status
            .failures
            .iter()
            .filter(|it| it.step == step)
            .collect();
        let [told] = told.as_slice() else {
            panic!("{step}, {class:?}: {:#?}", status.failures);
        };
        assert_eq!((told.failure.cause.as_str(), told.next_step), (cause, next));
        assert_eq!(report.failures, status.failures);
    }
}

#[test]
fn what_is_given_up_is_told_and_what_was_tried_before_is_not_told_twice() {
    let mut history = fails("build", &transient("FetchFailure"));
    let again = |history: &History| {
        let report = Report::of(&history.fleet, history.run());
        let told = report.failures.iter();
        told.map(|it| (it.failure.cause.clone(), it.tried_again))
            .collect::<Vec<_>>()
    };
    assert_eq!(again(&history), [("FetchFailure".to_owned(), true)]);
    let text = Report::of(&history.fleet, history.run()).to_text();
    assert!(
        text.contains("Failed, and tried again\n  build dev-libs/openssl-3.0\n"),
        "{text}"
    );
    let task = build(&history, "dev-libs/openssl-3.0");
    history.say(Event::TaskAbandoned(TaskAbandoned {
        work: work(task, 1),
        failure: permanent("WorkersFellSilent"),
    }));
    assert_eq!(again(&history), [("WorkersFellSilent".to_owned(), false)]);
}

/// Words that stand in the code as causes do, and are none.
const NO_CAUSES: [&str; 21] = [
    "AllActive",
    "BrokerSettings",
    "BuildPackage",
    "CleanBuilder",
    "CollectStore",
    "DigestException",
    "HeldBack",
    "HostKey",
    "InstallPackages",
    "InvalidBinaryPackageFormat",
    "InvalidContentType",
    "InvalidSignature",
    "LeftOut",
    "MissingSignature",
    "NetworkManager",
    "NoneActive",
    "ScanGuest",
    "SearchStore",
    "StillPending",
    "SyncBuilder",
    "UpToDate",
];

/// Whoever adds a cause says what to do about it.
#[test]
fn each_cause_that_stands_in_the_code_is_known() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let workspace = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let members = workspace.split("members = [").nth(1).unwrap();
    let members = members.split(']').next().unwrap();
    let mut found = BTreeSet::new();
    // What tests make up nobody is shown.
    let members = members.split('"').skip(1).step_by(2);
    for name in members.filter(|name| !name.starts_with("tests")) {
        names_in(&root.join(name).join("src"), &mut found);
    }
    assert!(found.contains("HostKeyChanged"), "{found:?}");
    // Those that are the names of what emerge's output tells.
    let kinds = [
        FailureKind::DiskFull,
        FailureKind::FetchFailure,
        FailureKind::SignatureRefused,
        FailureKind::BinaryDamaged,
        FailureKind::BinaryMissing,
        FailureKind::MissingDependency,
        FailureKind::Masked,
        FailureKind::Conflict,
        FailureKind::CompileFailure,
        FailureKind::Unknown,
    ];
    found.extend(kinds.map(|kind| format!("{kind:?}")));
    found.extend(["Unreachable", "Io", "Blocked"].map(str::to_owned));
    let known: BTreeSet<&str> = known_causes().collect();
    let events: BTreeSet<&str> = Event::KEPT_KINDS.into_iter().collect();
    let missing: Vec<&String> = found
        .iter()
        .filter(|name| {
            let name = name.as_str();
            let is_event = events.contains(name) || name.ends_with("Alive");
            !known.contains(name) && !is_event && !NO_CAUSES.contains(&name)
        })
        .collect();
    assert!(
        missing.is_empty(),
        "no next step in remedy/table.rs: {missing:?}"
    );
}

/// The words in quotes that are written as causes are: several words, each with a capital letter. Tests may
/// make up some of their own.
fn names_in(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let is_test = name == "tests" || name == "testing" || name.ends_with("_tests");
        if is_test {
            continue;
        }
        if path.is_dir() {
            names_in(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            let quoted = code.split('"').skip(1).step_by(2);
            found.extend(
                quoted
                    .filter(|text| is_like_a_cause(text))
                    .map(str::to_owned),
            );
        }
    }
}

fn is_like_a_cause(text: &str) -> bool {
    let capitals = text.chars().filter(char::is_ascii_uppercase).count();
    let smalls = text.chars().filter(char::is_ascii_lowercase).count();
    text.chars().all(|c| c.is_ascii_alphabetic())
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && capitals > 1
        && smalls > capitals
}
