use std::collections::BTreeSet;

use super::super::testing::{
    builder, diagnosed, found, found_with, guest, machine, of, settings, settings_of, well,
};
use super::*;
use crate::doctor::Area;
use crate::message::FailureClass;

#[test]
fn of_a_fleet_that_is_well_nothing_is_said() {
    assert!(found(&settings(), &well()).is_empty());
}

#[test]
fn each_reason_of_silence_has_a_kind_of_its_own() {
    for (cause, kind) in [
        ("Unreachable", "machine_unreachable"),
        ("HostKeyUnknown", "host_key_unknown"),
        ("HostKeyChanged", "host_key_refused"),
        ("HostKeyRevoked", "host_key_refused"),
        ("AuthenticationRefused", "login_refused"),
        ("TimedOut", "machine_silent"),
        ("KnownHostsUnreadable", "way_unusable"),
        ("PythonMissing", "python_missing"),
        ("DocumentNotUnderstood", "machine_not_understood"),
    ] {
        let mut facts = well();
        let failure = Failure::new(FailureClass::Permanent, cause, "no");
        facts.machines.insert(guest("g2"), Err(failure));
        assert_eq!(found(&settings(), &facts), [format!("guest g2: {kind}")]);
    }
}

#[test]
fn what_every_machine_needs_is_told_where_it_is_missing() {
    let g1 = guest("g1");
    let with = |change: fn(&mut MachineFacts)| found_with(&g1, |it| change(&mut it.facts));
    let says = |kind: &str| [format!("guest g1: {kind}")];
    assert_eq!(with(|it| it.user = 1000), says("not_root"));
    assert_eq!(
        with(|it| it.missing_programs = vec!["flock".to_owned()]),
        says("program_missing")
    );
    assert_eq!(
        with(|it| it.spaces[0].free_files = Some(20)),
        says("inodes_low")
    );
    assert_eq!(
        with(|it| it.portage.version = Some("3.0.9".to_owned())),
        says("portage_too_old")
    );
    assert_eq!(
        with(|it| it.portage.profile = None),
        says("profile_invalid")
    );
    assert_eq!(
        with(|it| it.portage.error = Some("ParseError".to_owned())),
        says("portage_unusable")
    );
    assert_eq!(
        with(|it| drop(
            it.portage
                .settings
                .insert("FEATURES".to_owned(), "sandbox".to_owned())
        )),
        says("multi_instance_off")
    );
    assert_eq!(
        with(|it| it.pending_configuration = 2),
        says("configuration_pending")
    );
}

#[test]
fn a_package_that_is_being_installed_is_not_called_broken_off() {
    let g1 = guest("g1");
    let half = |it: &mut MachineFacts| it.half_merged = vec!["app-misc/a-1".to_owned()];
    let broken = found_with(&g1, |it| half(&mut it.facts));
    assert_eq!(broken, ["guest g1: merge_interrupted"]);
    let running = found_with(&g1, |it| {
        half(&mut it.facts);
        it.facts.emerges = vec!["emerge -u @world".to_owned()];
    });
    assert_eq!(running, ["guest g1: emerge_running"]);
}

#[test]
fn what_a_machine_says_becomes_no_part_of_a_command_unless_it_is_a_name() {
    let told = |name: &str| {
        let mut facts = well();
        of(&mut facts, &guest("g1")).facts.half_merged = vec![name.to_owned()];
        let finding = diagnosed(&settings(), &facts).findings.remove(0);
        finding.remedy.command
    };
    let command = told("app-misc/a-1");
    assert_eq!(command.as_deref(), Some("emerge --oneshot =app-misc/a-1"));
    assert_eq!(told("app-misc/a-1;reboot"), None);
}

#[test]
fn a_clock_is_judged_by_how_far_it_is_off() {
    let off = |seconds: f64| found_with(&guest("g1"), |it| it.clock_ahead = seconds);
    assert!(off(4.9).is_empty());
    assert_eq!(off(-30.0), ["guest g1: clock_off"]);
    assert_eq!(off(301.0), ["guest g1: clock_far_off"]);
}

#[test]
fn where_all_others_agree_it_is_the_clock_of_this_machine() {
    let mut facts = well();
    for subject in [builder("b1"), guest("g1"), guest("g2")] {
        of(&mut facts, &subject).clock_ahead = -400.0;
    }
    assert_eq!(found(&settings(), &facts), ["this machine: clock_far_off"]);
    of(&mut facts, &guest("g2")).clock_ahead = 0.0;
    let told = ["builder b1: clock_far_off", "guest g1: clock_far_off"];
    assert_eq!(found(&settings(), &facts), told);
}

#[test]
fn a_machine_that_is_builder_and_guest_is_told_of_once() {
    let settings = settings_of("[guests.b1]\naddress = \"ssh://b1\"\n");
    let mut facts = well();
    for subject in [builder("b1"), guest("b1")] {
        let mut machine = machine();
        machine.facts.pending_configuration = 1;
        facts.machines.insert(subject, Ok(machine));
    }
    assert_eq!(
        found(&settings, &facts),
        ["builder b1: configuration_pending"]
    );
}

#[test]
fn a_guest_that_cannot_be_reached_is_not_well_because_it_is_a_builder_too() {
    let settings = settings_of("[guests.b1]\naddress = \"ssh://b1\"\n");
    let mut facts = well();
    for subject in [builder("b1"), guest("b1")] {
        let failure = Failure::new(FailureClass::Permanent, "Unreachable", "no");
        facts.machines.insert(subject, Err(failure));
    }
    assert_eq!(
        found(&settings, &facts),
        [
            "builder b1: machine_unreachable",
            "guest b1: machine_unreachable"
        ]
    );
}

#[test]
fn a_machine_is_not_well_in_its_other_part_and_no_store_is_that_a_machine_lacks() {
    let settings = settings_of("[guests.other]\naddress = \"ssh://b1\"\n");
    let all_well = || {
        let mut facts = well();
        let as_guest = facts.machines[&builder("b1")].clone();
        facts.machines.insert(guest("other"), as_guest);
        facts
    };
    let good = |facts: &Facts| {
        let diagnosis = diagnosed(&settings, facts);
        let areas = Area::ALL.into_iter();
        let good = areas.flat_map(|area| diagnosis.good(area).collect::<Vec<_>>());
        good.cloned().collect::<BTreeSet<Subject>>()
    };
    let platform = Subject::Platform(settings.guests.values().next().unwrap().platform.clone());
    let before = good(&all_well());
    for subject in [&platform, &builder("b1"), &guest("other"), &guest("g1")] {
        assert!(before.contains(subject), "{subject}: {before:?}");
    }
    let lost = |facts: &Facts| {
        let after = good(facts);
        let lost = before.difference(&after).map(ToString::to_string);
        lost.collect::<Vec<_>>()
    };
    let mut without_store = all_well();
    let store = of(&mut without_store, &guest("g1")).facts.store.as_mut();
    store.unwrap().is_there = false;
    assert_eq!(lost(&without_store), ["platform default", "guest g1"]);
    let failure = Failure::new(FailureClass::Permanent, "Unreachable", "no");
    let mut silent = all_well();
    silent.machines.insert(builder("b1"), Err(failure));
    assert_eq!(lost(&silent), ["builder b1", "guest other"]);
}

#[test]
fn versions_are_compared_as_numbers() {
    assert!(is_older("3.0.9", [3, 0, 30]) && is_older("2.3.99-r1", [3, 0, 30]));
    assert!(!is_older("3.0.30_rc1", [3, 0, 30]) && !is_older("3.1", [3, 0, 30]));
    assert!(!is_older("HEAD", [3, 0, 30]));
}
