//! `man`: the manual pages of all programs, out of their command lines.

mod page;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Command};
use gentoo_updater_fleet::words::counted;

use crate::programs::programs;

#[derive(Debug, Args)]
pub(crate) struct ManOptions {
    /// The folder, which must be there
    #[arg(value_name = "DIRECTORY")]
    pub(crate) directory: PathBuf,
}

/// Writes every page.
pub(crate) fn man(options: &ManOptions) -> anyhow::Result<u8> {
    let pages = pages();
    for (name, command) in &pages {
        let path = options.directory.join(format!("{name}.1"));
        let page = page::render(command)?;
        std::fs::write(&path, page)
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    println!(
        "{} written to {}.",
        counted(pages.len(), "page"),
        options.directory.display()
    );
    Ok(crate::EXIT_DONE)
}

/// The name of each page, and the command that it is about.
fn pages() -> Vec<(String, Command)> {
    let mut pages = Vec::new();
    for mut program in programs() {
        // Gives every subcommand its whole name and the options of all.
        program.build();
        collect(&program, &mut pages);
    }
    pages
}

fn collect(command: &Command, pages: &mut Vec<(String, Command)>) {
    let name = command
        .get_display_name()
        .unwrap_or_else(|| command.get_name());
    pages.push((name.to_owned(), command.clone()));
    let shown = command.get_subcommands().filter(|command| {
        // `help` is a command that clap adds to each.
        !command.is_hide_set() && command.get_name() != "help"
    });
    for subcommand in shown {
        collect(subcommand, pages);
    }
}
