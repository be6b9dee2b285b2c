//! What a guest's document means. The fixture is what a guest of the lab said at state v2.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use gentoo_updater_fleet::message::{Change, Failure, FindingKind, Purpose, Update};
use gentoo_updater_scanner::Document;
use gentoo_updater_scanner::interpret::{Answer, Wishes, interpret};
use serde_json::Value;

fn fixture() -> Value {
    serde_json::from_str(include_str!("fixtures/v2.json")).unwrap()
}

fn read(value: Value) -> Result<Answer, Failure> {
    let document: Document = serde_json::from_value(value).unwrap();
    interpret(&document, Wishes::default())
}

/// The failure that follows from one change to the fixture.
fn failure(change: impl FnOnce(&mut Value)) -> Failure {
    let mut value = fixture();
    change(&mut value);
    read(value).unwrap_err()
}

fn update<'a>(answer: &'a Answer, name: &str) -> &'a Update {
    let named = |update: &&Update| update.key.cpv.to_string() == name;
    answer
        .updates
        .iter()
        .find(named)
        .unwrap_or_else(|| panic!("no update {name}"))
}

fn replace_in(value: &mut Value, field: &str, from: &str, to: &str) {
    let text = value["plan"][field].as_str().unwrap();
    assert!(text.contains(from), "{from:?} is not in {text}");
    value["plan"][field] = text.replace(from, to).into();
}

#[test]
fn every_row_of_the_plan_is_an_update_with_its_change() {
    let answer = read(fixture()).unwrap();
    let changes: Vec<(String, Change)> = answer
        .updates
        .iter()
        .map(|u| (u.key.cpv.to_string(), u.change))
        .collect();
    assert_eq!(changes.len(), 14);
    for expected in [
        ("sys-apps/labbase-1.0-r1", Change::Upgrade),
        ("app-misc/downgraded-1.0", Change::Downgrade),
        ("app-misc/rebuildme-1.0", Change::Reinstall),
        ("dev-libs/libbeta-1.0", Change::Rebuild),
        ("dev-libs/slotted-2.0", Change::NewSlot),
        ("app-misc/newdep-1.0", Change::New),
    ] {
        assert!(
            changes.contains(&(expected.0.to_owned(), expected.1)),
            "{expected:?} {changes:?}"
        );
    }
}

#[test]
fn what_only_builds_need_is_told_apart_from_what_the_guest_wants() {
    let answer = read(fixture()).unwrap();
    let only: Vec<String> = answer
        .updates
        .iter()
        .filter(|update| update.purpose == Purpose::BuildOnly)
        .map(|update| update.key.cpv.to_string())
        .collect();
    assert_eq!(only, ["dev-libs/tinyhdr-1.0", "dev-util/labgen-1.1"]);
    // A dependency of greeter at run time and at build time alike.
    assert_eq!(
        update(&answer, "app-misc/newdep-1.0").purpose,
        Purpose::Runtime
    );
}

#[test]
fn a_guest_that_wants_its_build_dependencies_gets_them() {
    let document: Document = serde_json::from_value(fixture()).unwrap();
    let wishes = Wishes {
        build_dependencies: true,
        ..Wishes::default()
    };
    let answer = interpret(&document, wishes).unwrap();
    assert!(
        answer
            .updates
            .iter()
            .all(|update| update.purpose == Purpose::Runtime)
    );
}

#[test]
fn an_installed_package_that_portage_cannot_read_is_an_error() {
    let failure = failure(|value| value["problems"] = serde_json::json!(["installed a/a-1: no"]));
    assert_eq!(failure.cause, "DocumentIncomplete");
    assert!(failure.message.contains("a/a-1"));
}

#[test]
fn a_rebuild_is_bound_to_the_subslot_that_the_guest_will_have() {
    let answer = read(fixture()).unwrap();
    let rebuilt = update(&answer, "dev-libs/libbeta-1.0");
    let bindings: Vec<String> = rebuilt
        .key
        .bindings
        .iter()
        .map(|(target, slot)| format!("{target} {slot}"))
        .collect();
    assert_eq!(bindings, ["dev-libs/libalpha 0/2"]);
    assert!(
        rebuilt
            .build_needs
            .contains(&"dev-libs/libalpha-2.0".parse().unwrap())
    );
    let installed = answer
        .installed
        .iter()
        .find(|i| i.cpv.to_string() == "dev-libs/libbeta-1.0")
        .unwrap();
    assert_eq!(installed.bindings[0].slot.to_string(), "0/1");
}

#[test]
fn the_key_holds_exactly_the_flags_of_iuse() {
    let answer = read(fixture()).unwrap();
    let flags: Vec<String> = update(&answer, "app-misc/greeter-2.0")
        .key
        .use_flags
        .iter()
        .map(|(flag, on)| format!("{flag}={on}"))
        .collect();
    assert_eq!(flags, ["color=true", "emoji=false", "nls=true"]);
}

#[test]
fn a_world_atom_whose_package_is_installed_is_worth_a_word() {
    let answer = read(fixture()).unwrap();
    let finding = answer
        .findings
        .iter()
        .find(|f| f.kind == FindingKind::WorldAtomWithoutEbuild)
        .unwrap();
    assert!(finding.text.contains("app-misc/gone"), "{}", finding.text);
    assert!(
        answer
            .findings
            .iter()
            .all(|finding| !finding.text.contains('\n'))
    );
}

#[test]
fn a_world_atom_that_nobody_can_give_is_an_error_and_not_a_shorter_list() {
    let failure = failure(|value| {
        replace_in(
            value,
            "stderr",
            "app-misc/gone",
            "app-misc/gone app-misc/nosuch",
        );
    });
    assert_eq!(failure.cause, "WorldAtomWithoutEbuild");
    assert!(
        failure.message.contains("app-misc/nosuch"),
        "{}",
        failure.message
    );
    assert!(
        !failure.message.contains("app-misc/gone"),
        "{}",
        failure.message
    );
}

#[test]
fn a_repository_that_is_not_there_is_an_error_whatever_the_plan_says() {
    let failure = failure(|value| {
        value["repositories"][0]["exists"] = false.into();
        value["plan"]["stdout"] = "\nThese are the packages that would be merged, in order:\n\n\
            Calculating dependencies ... done!\n\nTotal: 0 packages, Size of downloads: 0 KiB\n"
            .into();
        value["plan"]["stderr"] = "".into();
    });
    assert_eq!(failure.cause, "RepositoryMissing");
    assert!(
        failure.message.contains("/var/db/repos/gentoo"),
        "{}",
        failure.message
    );
}

#[test]
fn a_row_that_is_missing_or_garbled_is_an_error() {
    let dropped = failure(|value| {
        let text = value["plan"]["stdout"].as_str().unwrap();
        let kept: Vec<&str> = text
            .lines()
            .filter(|line| !line.contains("hello-2.0"))
            .collect();
        value["plan"]["stdout"] = (kept.join("\n") + "\n").into();
    });
    assert_eq!(dropped.cause, "PlanNotUnderstood");
    let garbled = failure(|value| {
        replace_in(
            value,
            "stdout",
            "app-misc/hello-2.0::gentoo",
            "app-misc/hello-2.0;touch x",
        );
    });
    assert_eq!(garbled.cause, "PlanNotUnderstood");
}

#[test]
fn a_row_of_an_unknown_repository_is_an_error_that_says_why() {
    for unknown in ["app-misc/hello-2.0", "app-misc/hello-2.0::__unknown__"] {
        let failure = failure(|value| {
            replace_in(value, "stdout", "app-misc/hello-2.0::gentoo", unknown);
        });
        assert_eq!(failure.cause, "PlanNotUnderstood");
        let words = "of which slot or repository app-misc/hello-2.0 is";
        assert!(failure.message.contains(words), "{}", failure.message);
    }
}

#[test]
fn a_plan_without_metadata_for_a_row_is_an_error() {
    let failure = failure(|value| {
        let metadata = value["metadata"].as_object_mut().unwrap();
        metadata.remove("app-misc/hello-2.0::gentoo").unwrap();
    });
    assert_eq!(failure.cause, "MetadataMissing");
}

#[test]
fn compiler_flags_that_mean_something_else_on_every_machine_are_refused_with_the_remedy() {
    let failure = failure(|value| {
        value["settings"]["CFLAGS"] = "-O2 -march=native".into();
    });
    assert_eq!(failure.cause, "NativeCompilerFlags");
    assert!(
        failure.message.contains("--help=target"),
        "{}",
        failure.message
    );
}

#[test]
fn a_guest_that_takes_any_flags_is_believed_with_flags_for_itself_alone() {
    let mut value = fixture();
    value["settings"]["CFLAGS"] = "-O2 -march=native".into();
    let document: Document = serde_json::from_value(value).unwrap();
    let wishes = Wishes {
        any_flags: true,
        ..Wishes::default()
    };
    assert!(interpret(&document, wishes).unwrap().identity.any_flags);
}

#[test]
fn a_portage_that_cannot_start_is_named_with_its_own_words() {
    let failure = failure(|value| value["error"] = "no profile".into());
    assert_eq!(failure.cause, "PortageBroken");
    assert!(failure.message.contains("no profile"));
}

#[test]
fn two_guests_that_agree_have_equal_keys_and_one_flag_makes_them_differ() {
    let one = read(fixture()).unwrap();
    let mut value = fixture();
    replace_in(
        &mut value,
        "stdout",
        "USE=\"color nls -emoji%\"",
        "USE=\"emoji%* nls -color*\"",
    );
    value["metadata"]["app-misc/greeter-2.0::gentoo"]["use"] =
        serde_json::json!(["amd64", "elibc_glibc", "emoji", "kernel_linux", "nls"]);
    let other = read(value).unwrap();
    let digest = |answer: &Answer, name| update(answer, name).key.digest();
    assert_eq!(
        digest(&one, "app-misc/hello-2.0"),
        digest(&other, "app-misc/hello-2.0")
    );
    assert_ne!(
        digest(&one, "app-misc/greeter-2.0"),
        digest(&other, "app-misc/greeter-2.0")
    );
}
