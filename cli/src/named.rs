//! The commands that texts name in backquotes, wherever they stand, are commands of this program.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{Command, CommandFactory, Parser};

use crate::arguments::Arguments;

/// What operators read, and what says something to them.
const KINDS: [&str; 8] = ["rs", "jinja", "js", "html", "yml", "json", "md", "toml"];

/// All files of the checkout that are read: not those of tests, which also name what is refused.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    const TESTS: [&str; 5] = ["tests", "benches", "named.rs", "tests.rs", "testing.rs"];
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_left_out = TESTS.contains(&name)
            || matches!(name, "target" | "CHANGELOG.md")
            || name.ends_with("_tests.rs")
            || name.starts_with('.');
        if is_left_out {
            continue;
        }
        let kind = path.extension().and_then(OsStr::to_str);
        if path.is_dir() {
            files(&path, found);
        } else if kind.is_some_and(|kind| KINDS.contains(&kind)) {
            found.push(path);
        }
    }
}

/// The commands between backquotes, or in `<code>`, in one line each.
fn quoted(text: &str) -> BTreeSet<String> {
    let text = text.replace("<code>", "`").replace("</code>", "`");
    // What a template or a format puts in.
    let text = text.replace("{{ ", "{").replace(" }}", "}");
    // A literal that goes on in the next line.
    let text = joined(&text);
    let mut found = BTreeSet::new();
    for (begin, _) in text.match_indices("`gentoo-updater ") {
        let rest = &text[begin + 1..];
        let Some(end) = rest.find('`') else { continue };
        if !rest[..end].contains('\n') {
            found.insert(rest[..end].to_owned());
        }
    }
    found
}

fn joined(text: &str) -> String {
    let mut parts = text.split("\\\n");
    let mut line = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        line.push_str(part.trim_start());
    }
    line
}

/// Why this is no command: `None` where it is one, or only the name of one.
fn trouble(command: &str) -> Option<String> {
    let words: Vec<&str> = command.split_whitespace().collect();
    let program = Arguments::command();
    let mut at: &Command = &program;
    let mut names = 1;
    while let Some(next) = words.get(names).and_then(|word| at.find_subcommand(word)) {
        at = next;
        names += 1;
    }
    if names == 1
        && !words
            .get(1)
            .is_some_and(|word| word.starts_with(['-', '…', '{']))
    {
        return Some("there is no such command".to_owned());
    }
    let rest = &words[names..];
    if rest.is_empty() || rest.contains(&"…") {
        return None;
    }
    let is_said = |it: &clap::Arg| {
        let option = it.get_long().map(|name| format!("--{name}"));
        option.is_none_or(|option| rest.contains(&option.as_str()))
    };
    for argument in at.get_arguments() {
        if argument.is_required_set() && !is_said(argument) {
            return Some(format!("it needs {}", argument.get_id()));
        }
        if argument.is_hide_set() && argument.get_long().is_some() && is_said(argument) {
            return Some(format!(
                "{} only says what to use instead",
                argument.get_id()
            ));
        }
    }
    let error = Arguments::try_parse_from(words).err()?;
    let is_wrong = matches!(
        error.kind(),
        ErrorKind::UnknownArgument
            | ErrorKind::InvalidSubcommand
            | ErrorKind::MissingRequiredArgument
    );
    is_wrong.then(|| error.to_string())
}

#[test]
fn every_command_that_a_text_names_is_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    files(&root, &mut found);
    let mut commands = BTreeSet::new();
    let mut wrong = Vec::new();
    for path in found {
        for command in quoted(&std::fs::read_to_string(&path).unwrap()) {
            if let Some(trouble) = trouble(&command) {
                wrong.push(format!("{}: `{command}`: {trouble}", path.display()));
            }
            commands.insert(command);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(commands.len() > 100, "{commands:?}");
}

#[test]
fn what_is_no_command_is_found() {
    for command in [
        "gentoo-updater nonsense",
        "gentoo-updater status --run x",
        "gentoo-updater bisect g1 --run x",
        "gentoo-updater run --nonsense",
    ] {
        assert!(trouble(command).is_some(), "{command}");
    }
    let text = "say(\"`gentoo-updater \\\n      approve wave\\\n       x`\")";
    assert_eq!(
        quoted(text),
        BTreeSet::from(["gentoo-updater approve wavex".to_owned()])
    );
}
