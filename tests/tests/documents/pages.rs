//! Which pages are read on which lab.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use gentoo_updater_tests::actions;
use gentoo_updater_tests::fixtures::{Broker, Lab, Program, program, wait_until};
use pulldown_cmark::{Event, Parser};

use crate::page::{Step, is_as_shown, steps};
use crate::stage::Stage;
use crate::{book, project, text_of};

/// Pages whose commands a test below runs.
const READ: [&str; 9] = [
    "docs/tutorial.md",
    "docs/how-to/five-guests.md",
    "docs/how-to/five-hundred.md",
    "docs/how-to/add-a-builder.md",
    "docs/how-to/distcc.md",
    "docs/how-to/waves.md",
    "docs/how-to/rollback.md",
    "docs/how-to/notifications.md",
    "docs/how-to/lost-broker.md",
];

/// How long a page's `sh,until` may take.
const PATIENCE: Duration = Duration::from_secs(900);

/// Reads a page from top to bottom, and does what it says.
fn read(page: &str, lab: &Lab, names: &[(&str, &str)], broker: Option<&Broker>) {
    assert!(READ.contains(&page), "{page} stands in READ");
    let mut stage = Stage::new(lab, names, broker);
    let mut printed = String::new();
    let mut steps = steps(&text_of(&project().join(page)))
        .into_iter()
        .peekable();
    while let Some(step) = steps.next() {
        match step {
            Step::Write { path, content, add } => stage.write(&path, &content, add),
            Step::Run(run) => {
                let until = match steps.peek() {
                    Some(Step::Compare(shown)) if run.until => Some(shown.clone()),
                    _ => {
                        assert!(!run.until, "{page}: what is looked for:\n{}", run.commands);
                        None
                    }
                };
                let mut said = stage.run(&run);
                if let Some(shown) = until {
                    wait_until(&format!("{page} shows\n{shown}"), PATIENCE, || {
                        said = stage.run(&run);
                        let is_shown = is_as_shown(&shown, &said.stdout);
                        if !is_shown {
                            // Of a test that fails it is printed.
                            println!("not yet: {}", said.all);
                        }
                        is_shown
                    });
                }
                assert_eq!(
                    said.code,
                    Some(run.exit),
                    "{page} (exit code left):\n{}\nprinted\n{}\nworkers logged\n{}",
                    run.commands,
                    said.all,
                    stage.logs()
                );
                printed = said.stdout;
            }
            Step::Compare(shown) => assert!(
                is_as_shown(&shown, &printed),
                "{page} shows\n{shown}\nand printed was\n{printed}"
            ),
            Step::Elsewhere { .. } => {}
        }
    }
    stage.end();
}

/// A lab that has updates to bring.
fn lab(guests: usize, builders: usize) -> Lab {
    let lab = Lab::up(guests, builders);
    actions::prepare_for_v2(&lab);
    lab
}

#[test]
fn the_tutorial_leads_from_an_empty_machine_to_an_updated_fleet() {
    let names = [("web", "g1"), ("mail", "g2"), ("fast", "b1")];
    read("docs/tutorial.md", &lab(2, 1), &names, None);
}

#[test]
fn five_guests_at_home() {
    let names = [
        ("web", "g1"),
        ("mail", "g2"),
        ("db", "g3"),
        ("git", "g4"),
        ("fast", "b1"),
    ];
    read("docs/how-to/five-guests.md", &lab(4, 1), &names, None);
}

#[test]
fn five_hundred_guests_of_which_the_lab_has_two() {
    let lab = lab(2, 2);
    let names = [
        ("web", "g1"),
        ("mail", "g2"),
        ("fast", "b1"),
        ("spare", "b2"),
    ];
    let broker = broker(&lab);
    read("docs/how-to/five-hundred.md", &lab, &names, Some(&broker));
}

#[test]
fn one_more_builder() {
    let names = [("web", "g1"), ("fast", "b1"), ("spare", "b2")];
    read("docs/how-to/add-a-builder.md", &lab(1, 2), &names, None);
}

#[test]
fn distcc() {
    let lab = lab(1, 2);
    let spare = lab.ip("b2");
    for builder in ["b1", "b2"] {
        lab.must(&["distcc", builder]);
        // As a Gentoo names its compiler; the name is sent to the other machine.
        lab.sh(
            builder,
            &format!(
                "ln -s gcc /usr/bin/x86_64-pc-linux-gnu-gcc
                 echo '{spare} spare.example.net' >> /etc/hosts"
            ),
        );
    }
    lab.sh(
        "b2",
        &format!(
            "distccd --daemon --user nobody --listen {spare} --allow {} --log-file /tmp/distccd.log",
            lab.ip("b1")
        ),
    );
    let names = [("web", "g1"), ("fast", "b1"), ("spare", "b2")];
    read("docs/how-to/distcc.md", &lab, &names, None);
}

#[test]
fn waves() {
    let names = [("web", "g1"), ("mail", "g2"), ("fast", "b1")];
    read("docs/how-to/waves.md", &lab(2, 1), &names, None);
}

#[test]
fn the_way_back() {
    let lab = lab(1, 1);
    actions::want_only(&lab, "g1", &["app-misc/hello", "app-misc/greeter"]);
    let names = [("web", "g1"), ("fast", "b1")];
    read("docs/how-to/rollback.md", &lab, &names, None);
}

#[test]
fn being_told() {
    let names = [("web", "g1"), ("fast", "b1")];
    read("docs/how-to/notifications.md", &lab(1, 1), &names, None);
}

#[test]
fn a_broker_that_is_lost() {
    let lab = lab(2, 1);
    let names = [("web", "g1"), ("mail", "g2"), ("fast", "b1")];
    let broker = broker(&lab);
    read("docs/how-to/lost-broker.md", &lab, &names, Some(&broker));
}

fn broker(lab: &Lab) -> Broker {
    Broker::start(
        lab.netns(),
        &Path::new(lab.fact("LAB_RUN")).join("rabbitmq"),
    )
}

#[test]
fn every_command_of_the_book_is_run_by_a_test() {
    for page in book() {
        for step in steps(&text_of(&project().join(&page))) {
            match step {
                Step::Elsewhere { file, commands } => runs(&page, &file, &commands),
                Step::Run(run) => assert!(
                    READ.contains(&page.as_str()),
                    "nobody runs this of {page}:\n{}",
                    run.commands
                ),
                Step::Write { .. } | Step::Compare(_) => {}
            }
        }
    }
}

/// Whether a file has each of these commands.
fn runs(page: &str, file: &str, commands: &str) {
    let runner = text_of(&project().join(file));
    for line in commands.lines() {
        // What a page explains behind a command is no part of it.
        let command = line.split(" # ").next().unwrap_or_default().trim();
        assert!(
            command.is_empty() || runner.contains(command),
            "{page} says that {file} runs {command:?}, which it does not"
        );
    }
}

/// The commands that a page names in a sentence.
fn named(markdown: &str) -> Vec<String> {
    let codes = Parser::new(markdown).filter_map(|event| match event {
        Event::Code(code) if code.starts_with("gentoo-updater") => Some(code.to_string()),
        _ => None,
    });
    codes.filter(|code| code.contains(' ')).collect()
}

#[test]
fn every_command_that_a_sentence_names_is_one_with_these_options() {
    let mut checked = 0;
    for page in book() {
        for command in named(&text_of(&project().join(&page))) {
            let words: Vec<&str> = command.split_whitespace().collect();
            let programs = program(Program::Command);
            let programs = programs.parent().expect("a folder of programs");
            let help = help_of(&programs.join(words[0]), &words[1..]);
            for option in words.iter().filter(|word| word.starts_with("--")) {
                let option = option.split('=').next().unwrap_or(option);
                assert!(
                    help.contains(option),
                    "{page}: {command}: no {option} in\n{help}"
                );
            }
            checked += 1;
        }
    }
    assert!(checked > 5, "the book names commands");
}

/// The help of the longest command that these words begin with.
///
/// # Panics
/// When they begin with none.
fn help_of(program: &Path, words: &[&str]) -> String {
    let mut help = None;
    let names: Vec<&&str> = words
        .iter()
        .take_while(|word| word.chars().all(|letter| letter.is_ascii_lowercase()))
        .collect();
    for length in (0..=names.len()).rev() {
        let said = Command::new(program)
            .args(&names[..length])
            .arg("--help")
            .output()
            .expect("the program is there");
        if said.status.success() && (length > 0 || names.is_empty()) {
            help = Some(String::from_utf8_lossy(&said.stdout).into_owned());
            break;
        }
    }
    help.unwrap_or_else(|| panic!("{} {words:?} is no command", program.display()))
}
