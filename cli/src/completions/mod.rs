//! `completions`: what a shell offers for the Tab key, out of the command lines of all programs.

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Command, ValueEnum};
use clap_complete::aot;
use gentoo_updater_fleet::words::counted;

use crate::output;
use crate::programs::programs;

#[derive(Debug, Args)]
pub(crate) struct CompletionsOptions {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: Shell,

    /// The folder, which must be there; without one the scripts of all programs are printed
    #[arg(value_name = "DIRECTORY")]
    pub(crate) directory: Option<PathBuf>,
}

/// A shell that knows completions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Fish,
    Zsh,
}

impl Shell {
    /// The name under which this shell looks for the completions of `program`.
    fn file_name(self, program: &str) -> String {
        match self {
            Self::Bash => program.to_owned(),
            Self::Fish => format!("{program}.fish"),
            Self::Zsh => format!("_{program}"),
        }
    }

    fn script(self, mut program: Command) -> String {
        let shell = match self {
            Self::Bash => aot::Shell::Bash,
            Self::Fish => aot::Shell::Fish,
            Self::Zsh => aot::Shell::Zsh,
        };
        let name = program.get_name().to_owned();
        let mut script = Vec::new();
        aot::generate(shell, &mut program, name.as_str(), &mut script);
        let script = String::from_utf8_lossy(&script);
        // clap_complete 4.6.11 writes the dashes of a program's name in two ways, and bash then offers
        // nothing for its subcommands.
        let (wrong, right) = (name.replace('-', "__subcmd__"), name.replace('-', "__"));
        script.replace(&format!("{wrong}__"), &format!("{right}__"))
    }
}

/// Writes the scripts of all programs into a folder, or prints them.
pub(crate) fn completions(options: &CompletionsOptions) -> anyhow::Result<u8> {
    let scripts = scripts(options.shell);
    let Some(directory) = &options.directory else {
        output::print(|output| {
            scripts
                .iter()
                .try_for_each(|(_, script)| output.write_all(script.as_bytes()))
        })?;
        return Ok(crate::EXIT_DONE);
    };
    for (name, script) in &scripts {
        let path = directory.join(name);
        std::fs::write(&path, script)
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    println!(
        "{} written to {}.",
        counted(scripts.len(), "file"),
        directory.display()
    );
    Ok(crate::EXIT_DONE)
}

/// The script of each program, by the name of its file.
fn scripts(shell: Shell) -> Vec<(String, String)> {
    let scripts = programs().into_iter().map(|program| {
        let name = shell.file_name(program.get_name());
        (name, shell.script(program))
    });
    scripts.collect()
}
