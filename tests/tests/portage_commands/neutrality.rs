//! What surrounds a call: terminal, colours, language, default options, the caller.

use gentoo_updater_portage::command::{
    CommandLine, build_binary, install_binaries, plan_binaries, plan_world,
};
use gentoo_updater_tests::fixtures::{Lab, Said};

use crate::room::{Room, without, without_variable};
use crate::settings::Settings;
use crate::{cpv, exact, gentoo};

/// A build that warns in each phase, and says which language it was told.
fn build() -> CommandLine {
    build_binary(&cpv("app-misc/newdep-1.0"), &gentoo())
}

/// A phase of an ebuild that says something in colour, and what it speaks.
const TALKATIVE: &str = r#"cat >> /etc/portage/bashrc <<'END'
if [[ ${EBUILD_PHASE} == install ]]; then
    ewarn "speaking ${LC_ALL:-${LC_MESSAGES}}, ${LANGUAGE:-nothing else}"
fi
END"#;

fn talkative(lab: &Lab, settings: Settings) -> Room<'_> {
    let room = Room::open(lab, "b1", settings);
    room.sh(TALKATIVE);
    room
}

fn has_escapes(text: &str) -> bool {
    text.contains('\u{1b}')
}

pub(crate) fn no_terminal_no_colour_and_no_language_gets_into_the_output(lab: &Lab) {
    for settings in Settings::ALL {
        let room = talkative(lab, settings);
        for line in [build(), plan_world(false)] {
            for said in [room.run(&line), room.run_on_terminal(&line)] {
                assert_eq!(said.code, 0, "{said:#?}");
                assert!(!has_escapes(&said.stdout), "{said:#?}");
                assert!(!has_escapes(&said.stderr), "{said:#?}");
                assert!(!said.stdout.contains('\u{8}'), "a spinner: {said:#?}");
            }
        }
        let said = room.run(&build());
        let text = said.stdout + &said.stderr;
        assert!(text.contains("speaking C.UTF-8, nothing else"), "{text}");
    }
}

pub(crate) fn without_a_variable_colours_or_languages_get_into_the_output(lab: &Lab) {
    let room = talkative(lab, Settings::Hostile);
    let said = room.run(&without_variable(
        without_variable(build(), "NO_COLOR"),
        "NOCOLOR",
    ));
    assert!(
        has_escapes(&(said.stdout + &said.stderr)),
        "phases are coloured"
    );
    let terminal = |line: CommandLine| {
        let xterm = line.with_environment(&"TERM".parse().expect("a name"), "xterm-256color");
        has_escapes(&room.run_on_terminal(&xterm).stdout)
    };
    assert!(
        terminal(plan_world(false)),
        "titles and cursors of a terminal"
    );
    for name in ["LC_ALL", "LANGUAGE"] {
        let said = room.run(&without_variable(build(), name));
        let text = said.stdout + &said.stderr;
        assert!(
            !text.contains("speaking C.UTF-8, nothing else"),
            "{name}: {text}"
        );
    }
}

/// What an administrator may have as his default options, one by one. Each of them changes what is
/// planned, how it is printed, or whether it is.
const DEFAULTS: [&str; 9] = [
    "--quiet",
    "--columns",
    "--tree",
    "--fetchonly --fetch-all-uri",
    "--exclude=dev-libs/slotted",
    "--nonsense",
    "--usepkg-exclude=dev-libs/*",
    "'an open quote",
    "--search",
];

pub(crate) fn without_ignoring_default_options_they_do_harm(lab: &Lab) {
    let line = || {
        plan_binaries(&exact(&[
            "dev-libs/slotted-2.0-1",
            "dev-libs/libalpha-2.0-1",
        ]))
    };
    let rows = |said: &Said| -> Vec<String> {
        let lines = said
            .stdout
            .lines()
            .filter(|line| line.starts_with(['[', 'T']));
        let mut rows: Vec<String> = lines.map(str::to_owned).collect();
        rows.sort();
        rows
    };
    let room = Room::open(lab, "g1", Settings::Plain);
    let plan = rows(&room.run(&line()));
    assert!(plan.len() > 2, "{plan:?}");
    let option = "--ignore-default-opts";
    for options in DEFAULTS {
        room.sh(&format!(
            "cp /etc/portage/make.conf /tmp/make.conf
             cat >> /etc/portage/make.conf <<'END'\nEMERGE_DEFAULT_OPTS=\"{options}\"\nEND"
        ));
        assert_eq!(rows(&room.run(&line())), plan, "{options}");
        let bare = without_variable(without(line(), option), "EMERGE_DEFAULT_OPTS");
        let said = room.run(&bare);
        assert!(
            said.code != 0 || rows(&said) != plan,
            "{options} does no harm: {said:#?}"
        );
        room.sh("mv /tmp/make.conf /etc/portage/make.conf");
    }
    // Either of the two is enough: the option for emerge, the variable for what emerge calls.
    let room = Room::open(lab, "g1", Settings::Hostile);
    let option_alone = without_variable(line(), "EMERGE_DEFAULT_OPTS");
    let variable_alone = without(line(), option);
    for line in [option_alone, variable_alone] {
        assert_eq!(rows(&room.run(&line)), plan, "{line:?}");
    }
    // And where something is to be done, it is not asked for.
    let room = Room::open(lab, "g1", Settings::Plain);
    room.sh("echo 'EMERGE_DEFAULT_OPTS=\"--ask\"' >> /etc/portage/make.conf");
    let install = install_binaries(&exact(&["dev-libs/slotted-2.0-1"]));
    let bare = without_variable(without(install.clone(), option), "EMERGE_DEFAULT_OPTS");
    let done = room.act(&bare);
    assert_eq!(done.said.code, 1, "{:#?}", done.said);
    done.is_nothing();
    room.act(&install).is(&["+dev-libs/slotted-2.0 #1"]);
}

pub(crate) fn the_environment_of_the_caller_has_no_influence(lab: &Lab) {
    let mut room = Room::open(lab, "g1", Settings::Plain);
    room.export(Settings::Hostile.exports());
    let done = room.act(&install_binaries(&exact(&["dev-libs/slotted-2.0-1"])));
    done.is(&["+dev-libs/slotted-2.0 #1"]);
    done.left_the_store_alone();
}
