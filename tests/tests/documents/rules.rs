//! What holds for README and for every page of the book, without a lab: no command escapes the tests, and
//! no example is wrong.

use std::path::Path;
use std::process::Command;

use gentoo_updater_tests::fixtures::{Program, program};
use pulldown_cmark::{Event, Parser};

use crate::page::{Step, escapes, steps};
use crate::pages::is_read;
use crate::{book, project, text_of};

#[test]
fn every_command_of_the_book_is_run_by_a_test() {
    for page in documents() {
        let text = text_of(&project().join(&page));
        let escaping = escapes(&text);
        assert!(escaping.is_empty(), "{page}: {}", escaping.join("\n"));
        for step in steps(&text) {
            match step {
                Step::Elsewhere { file, commands } => runs(&page, &file, &commands),
                Step::Run(run) => assert!(
                    is_read(&page),
                    "nobody runs this of {page}:\n{}",
                    run.commands
                ),
                Step::Write { path, .. } => {
                    assert!(is_read(&page), "nobody writes {path} of {page}")
                }
                Step::Compare(_) | Step::Example(_) => {}
            }
        }
    }
}

/// README and the book.
fn documents() -> Vec<String> {
    let mut documents = book();
    documents.push("README.md".to_owned());
    documents
}

/// What an example may leave out.
const SMALL_FLEET: &str = r#"
[builders.fast]
address = "ssh://root@fast.example.net"

[guests.web]
address = "ssh://root@web.example.net"

[guests.mail]
address = "ssh://root@mail.example.net"
"#;

#[test]
fn every_example_of_a_configuration_is_understood() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut checked = 0;
    for page in documents() {
        for step in steps(&text_of(&project().join(&page))) {
            let Step::Example(example) = step else {
                continue;
            };
            let mut fleet: toml::Table = SMALL_FLEET.parse().expect("it is TOML");
            let own = example
                .parse()
                .unwrap_or_else(|error| panic!("{page}: {error}\n{example}"));
            put_over(&mut fleet, own);
            let file = folder.path().join("fleet.toml");
            std::fs::write(&file, fleet.to_string()).expect("the example is written");
            let said = Command::new(program(Program::Command))
                .args(["config", "check", "--config"])
                .arg(&file)
                .output()
                .expect("the program is there");
            let why = String::from_utf8_lossy(&said.stderr);
            assert!(said.status.success(), "{page}:\n{example}\n{why}");
            checked += 1;
        }
    }
    assert!(checked > 3, "the book has examples");
}

/// Puts what an example says over what is there, table by table.
fn put_over(there: &mut toml::Table, own: toml::Table) {
    for (key, value) in own {
        match (there.get_mut(&key), value) {
            (Some(toml::Value::Table(below)), toml::Value::Table(own)) => put_over(below, own),
            (_, value) => {
                there.insert(key, value);
            }
        }
    }
}

/// Whether a file has each of these commands, or reads them from the page.
fn runs(page: &str, file: &str, commands: &str) {
    let runner = text_of(&project().join(file));
    if runner.contains(&format!("{page:?}")) {
        return;
    }
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
    for page in documents() {
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
