use clap::CommandFactory as _;

use super::*;
use crate::arguments::Arguments;

#[test]
fn every_command_has_a_page_with_examples_that_call_it() {
    let pages = pages();
    for (name, command) in &pages {
        let text = String::from_utf8(page::render(command).unwrap()).unwrap();
        assert!(text.contains("\n.SH EXAMPLES\n"), "{name} has no examples");
        let after = command.get_after_help().unwrap().to_string();
        let after = page::After::of(&after);
        let call = command.get_bin_name().unwrap_or(name);
        let called = after.examples.iter().any(|line| line.contains(call));
        assert!(called, "no example calls {name}: {:?}", after.examples);
    }
}

#[test]
fn the_pages_are_those_of_the_command_of_its_subcommands_and_of_the_workers() {
    let pages = pages();
    let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
    for name in [
        "gentoo-updater",
        "gentoo-updater-queue-peek",
        "gentoo-updater-dead-retry",
        "gentoo-updater-workers",
        "gentoo-updater-man",
        "gentoo-updater-planner",
        "gentoo-updater-builder",
    ] {
        assert!(names.contains(&name), "{name} is not among {names:?}");
    }
    let hidden = names.iter().find(|name| name.contains("-help"));
    assert_eq!(hidden, None);
    let mut unique = names.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), names.len());
}

#[test]
fn the_page_of_a_program_says_what_its_exit_codes_mean() {
    for program in programs() {
        let after = program.get_after_help().unwrap().to_string();
        let codes = page::After::of(&after).exit_codes;
        let numbers: Vec<&str> = codes.iter().map(|(number, _)| number.as_str()).collect();
        let name = program.get_name();
        assert!(
            numbers.starts_with(&["0"]) && numbers.ends_with(&["2", "64"]),
            "{name}: {numbers:?}"
        );
    }
}

#[test]
fn the_help_says_for_how_long_a_broker_is_waited_for() {
    let help = Arguments::command().get_after_help().unwrap().to_string();
    let limit = format!("tried again for {} s", crate::open::BROKER_LIMIT.as_secs());
    assert!(help.contains(&limit), "{help}");
    let shown = Arguments::command().render_help().to_string();
    assert!(shown.contains("\n  man "), "{shown}");
}

#[test]
fn what_follows_a_help_is_divided_into_examples_exit_codes_and_the_rest() {
    let after =
        page::After::of("Examples:\n  a b\n  a c\n\nMind this.\n\nExit codes: 0 fine; 64 not so");
    assert_eq!(after.examples, ["a b", "a c"]);
    assert_eq!(after.notes, ["Mind this."]);
    let codes = [("0", "fine"), ("64", "not so")];
    assert_eq!(
        after.exit_codes,
        codes.map(|(code, text)| (code.to_owned(), text.to_owned()))
    );
}

/// A page tells of every machine, and not of the one that it was made on.
#[test]
fn no_page_holds_the_name_of_the_machine_that_it_is_made_on() {
    let host = gentoo_updater_runtime::host_name();
    for (name, command) in pages() {
        let text = String::from_utf8(page::render(&command).unwrap()).unwrap();
        assert!(!text.contains(&format!("[default: {host}]")), "{name}");
    }
}
