//! One manual page.
//!
//! Everything but the sections behind the options is clap_mangen's. What a command says after
//! its help is divided here: examples, exit codes, and the rest.

use std::io;

use clap::Command;
use clap_mangen::Man;
use roff::{Roff, bold, roman};

/// What follows the options of a command.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct After {
    /// The lines of the examples.
    pub(super) examples: Vec<String>,
    /// Exit codes, each with its meaning.
    pub(super) exit_codes: Vec<(String, String)>,
    /// The paragraphs of the rest.
    pub(super) notes: Vec<String>,
}

impl After {
    /// Divides the text after a help: paragraphs, of which one begins with `Examples:` and one
    /// with `Exit codes:`.
    pub(super) fn of(text: &str) -> Self {
        let mut after = Self::default();
        for paragraph in text.split("\n\n") {
            let mut lines = paragraph.lines();
            let first = lines.next().unwrap_or_default();
            if first == "Examples:" || first == "Example:" {
                after
                    .examples
                    .extend(lines.map(|line| line.trim().to_owned()));
            } else if let Some(codes) = paragraph.strip_prefix("Exit codes:") {
                after.exit_codes.extend(codes.split(';').map(|code| {
                    let code = code.trim();
                    let (number, meaning) = code.split_once(' ').unwrap_or((code, ""));
                    (number.to_owned(), meaning.trim().to_owned())
                }));
            } else if !paragraph.trim().is_empty() {
                after.notes.push(paragraph.trim().to_owned());
            }
        }
        after
    }
}

/// The page of a command whose tree was built.
pub(super) fn render(command: &Command) -> io::Result<Vec<u8>> {
    let name = command
        .get_display_name()
        .unwrap_or_else(|| command.get_name());
    let man = Man::new(command.clone())
        .title(name.to_uppercase())
        .source(concat!("gentoo-updater ", env!("CARGO_PKG_VERSION")));
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    if command
        .get_arguments()
        .any(|argument| !argument.is_hide_set())
    {
        man.render_options_section(&mut page)?;
    }
    subcommands(command).to_writer(&mut page)?;
    let after = command.get_after_help().map(ToString::to_string);
    sections(&After::of(&after.unwrap_or_default())).to_writer(&mut page)?;
    Ok(page)
}

/// The subcommands, each with the name of its page.
fn subcommands(command: &Command) -> Roff {
    let mut roff = Roff::new();
    let shown = command
        .get_subcommands()
        .filter(|command| !command.is_hide_set() && command.get_name() != "help");
    for (number, subcommand) in shown.enumerate() {
        if number == 0 {
            roff.control("SH", ["SUBCOMMANDS"]);
        }
        let name = subcommand
            .get_display_name()
            .unwrap_or_else(|| subcommand.get_name());
        let about = subcommand.get_about().map(ToString::to_string);
        roff.control("TP", []);
        roff.text([bold(name), roman("(1)")]);
        roff.text([roman(about.unwrap_or_default())]);
    }
    roff
}

fn sections(after: &After) -> Roff {
    let mut roff = Roff::new();
    if !after.examples.is_empty() {
        roff.control("SH", ["EXAMPLES"]);
        roff.control("nf", []);
        for line in &after.examples {
            roff.text([roman(line.as_str())]);
        }
        roff.control("fi", []);
    }
    if !after.exit_codes.is_empty() {
        roff.control("SH", ["EXIT STATUS"]);
        for (code, meaning) in &after.exit_codes {
            roff.control("TP", []);
            roff.text([bold(code.as_str())]);
            roff.text([roman(meaning.as_str())]);
        }
    }
    if !after.notes.is_empty() {
        roff.control("SH", ["NOTES"]);
        for note in &after.notes {
            roff.control("PP", []);
            roff.text([roman(note.as_str())]);
        }
    }
    roff
}
