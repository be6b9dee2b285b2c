//! What is configured of how updates reach guests, beside their waves.

use super::*;
use crate::rollout::Rollout;

/// Two guests, of which g2 is put back when a check fails.
const PUT_BACK: &str = "[builders.b1]\naddress = \"local\"\n\
    [guests.g1]\naddress = \"ssh://g1\"\n\
    [guests.g2]\naddress = \"ssh://g2\"\nrollback = true\n";

fn rollout(text: &str, guests: &[&str]) -> Rollout {
    let guests: Vec<_> = guests.iter().map(|name| name.parse().unwrap()).collect();
    parse_text(text).unwrap().rollout(&guests)
}

fn error(text: &str) -> String {
    parse_text(text).unwrap_err().to_string()
}

#[test]
fn what_cannot_be_undone_is_of_runs_with_guests_that_are_put_back_alone() {
    assert!(rollout(PUT_BACK, &["g1"]).is_plain());
    let rollout = rollout(PUT_BACK, &["g1", "g2"]);
    let put_back: Vec<&str> = rollout.put_back.iter().map(|name| name.as_str()).collect();
    assert_eq!(put_back, ["g2"]);
}

#[test]
fn what_is_said_of_packages_comes_behind_what_holds_where_nobody_says_anything() {
    let said = "[[packages]]\natom = \">=dev-db/postgresql-17\"\nirreversible = true\n\
                [[packages]]\natom = \"sys-libs/musl\"\nirreversible = false\n\
                [[packages]]\natom = \"dev-lang/rust\"\nmemory_megabytes = 4000\n";
    let rollout = rollout(&format!("{PUT_BACK}{said}"), &["g2"]);
    let said: Vec<(String, bool)> = rollout
        .irreversible
        .iter()
        .map(|said| (said.atom.to_string(), said.can_be_undone))
        .collect();
    let said: Vec<(&str, bool)> = said.iter().map(|(atom, is)| (atom.as_str(), *is)).collect();
    let expected = [
        ("sys-libs/glibc", false),
        ("sys-libs/musl", false),
        (">=dev-db/postgresql-17", false),
        ("sys-libs/musl", true),
    ];
    assert_eq!(said, expected);
}

#[test]
fn what_is_no_atom_cannot_be_irreversible() {
    let error = error(&format!(
        "{SMALL}[[packages]]\natom = \"a/b*\"\nirreversible = true\n"
    ));
    assert!(
        error.contains("an atom of [[packages]] number 1 is \"a/b*\""),
        "{error}"
    );
}

const IN_WAVES: &str = "[builders.b1]\naddress = \"local\"\n\
    [guests.g1]\naddress = \"ssh://g1\"\n[guests.g2]\naddress = \"ssh://g2\"\n\
    [[rollout.waves]]\nname = \"canary\"\nguests = [\"g1\"]\n";

/// As a message carries them.
fn barriers(text: &str) -> Vec<String> {
    let rollout = rollout(text, &["g1"]);
    let barriers = rollout.barriers.iter();
    barriers
        .map(|barrier| serde_json::to_string(barrier).unwrap())
        .collect()
}

#[test]
fn what_goes_first_by_itself_does_so_where_there_are_waves() {
    let expected = [
        r#"{"change":"version","of":["sys-libs/glibc"]}"#,
        r#"{"change":"slot","of":["sys-devel/gcc"]}"#,
        r#"{"change":"subslot","of":["dev-libs/openssl"]}"#,
        r#"{"change":"flags","of":["python_targets_*","python_single_target_*"]}"#,
    ];
    assert_eq!(barriers(IN_WAVES), expected);
    assert_eq!(barriers(SMALL), [""; 0]);
    let in_windows = format!("{SMALL}[rollout]\nwindows = [\"22:00-06:00\"]\n");
    assert_eq!(barriers(&in_windows), [""; 0], "all get it at once");
}

#[test]
fn a_list_of_ones_own_replaces_what_goes_first_by_itself_and_an_empty_one_switches_it_off() {
    let own = "[[rollout.barriers]]\npackages = [\"dev-db/mariadb\", \"dev-db/mysql\"]\n\
               [[rollout.barriers]]\npackages = [\"dev-lang/ruby\"]\nchange = \"slot\"\n\
               [[rollout.barriers]]\nflags = [\"ssl\"]\n";
    let expected = [
        r#"{"change":"version","of":["dev-db/mariadb","dev-db/mysql"]}"#,
        r#"{"change":"slot","of":["dev-lang/ruby"]}"#,
        r#"{"change":"flags","of":["ssl"]}"#,
    ];
    for fleet in [IN_WAVES, SMALL] {
        assert_eq!(barriers(&format!("{fleet}{own}")), expected);
    }
    let none = IN_WAVES.replace(
        "[[rollout.waves]]",
        "[rollout]\nbarriers = []\n[[rollout.waves]]",
    );
    assert_eq!(barriers(&none), [""; 0]);
}

#[test]
fn what_cannot_go_first_is_refused_with_its_number_and_how_it_is_written() {
    for (wrong, words) in [
        (
            "",
            "number 1 names neither packages nor flags; write packages = ",
        ),
        ("packages = []", "names neither packages nor flags"),
        ("change = \"slot\"", "names neither packages nor flags"),
        (
            "packages = [\"a/b\"]\nflags = [\"ssl\"]",
            "has both packages and flags",
        ),
        (
            "flags = [\"ssl\"]\nchange = \"slot\"",
            "has flags and a change",
        ),
        ("flags = [\"a*b\"]", "is wrong: \"a*b\" names no USE flags"),
        (
            "packages = [\"a/b*\"]",
            "an atom of [[rollout.barriers]] number 1 is \"a/b*\"",
        ),
        ("packages = [\"!a/b\"]", "it must not block"),
        (
            "packages = [\"a/b\"]\nchange = \"use\"",
            "unknown variant `use`",
        ),
        ("package = \"a/b\"", "unknown field `package`"),
    ] {
        let error = error(&format!("{SMALL}[[rollout.barriers]]\n{wrong}\n"));
        assert!(error.contains(words), "{wrong}: {error}");
    }
}

#[test]
fn with_waves_one_failed_guest_is_enough_unless_more_are_allowed() {
    let budget = |text: &str| rollout(text, &["g1", "g2"]).budget;
    assert_eq!(budget(PUT_BACK), None);
    assert_eq!(budget(IN_WAVES), Some(1));
    assert_eq!(
        budget(&format!("{IN_WAVES}[rollout]\nbudget = 5\n")),
        Some(5)
    );
}

#[test]
fn a_check_must_be_steady_for_an_hour_at_most() {
    let check = |seconds: u64| {
        let check = format!("[checks.page]\nhttp = \"http://x/\"\nsteady_seconds = {seconds}\n");
        let guest = PUT_BACK.replace("rollback = true", "checks = [\"page\"]");
        parse_text(&format!("{check}{guest}"))
    };
    let settings = check(3600).unwrap();
    let steady = settings.guests.values().flat_map(|guest| &guest.checks);
    let steady: Vec<u64> = steady.map(|check| check.steady.as_secs()).collect();
    assert_eq!(steady, [3600]);
    let error = check(3601).unwrap_err().to_string();
    assert!(
        error.contains("checks.page: steady_seconds is 3601; it must be at most 3600"),
        "{error}"
    );
}
