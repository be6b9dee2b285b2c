//! `gentoo-updater completions`, in the real shells: what they offer for the Tab key.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_gentoo-updater"));
    program.arg("completions").stdin(Stdio::null());
    program
}

/// A folder with the scripts for a shell.
fn written(shell: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    let output = program().arg(shell).arg(folder.path()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    folder
}

/// What a shell prints that runs this program, with the folder of the scripts as its argument.
fn asked(shell: &str, arguments: &[&str], text: &str, folder: &Path) -> String {
    let mut command = Command::new(shell);
    command.args(arguments).arg(text).arg(shell).arg(folder);
    // Nothing of what the user of this machine has set up.
    let home = TempDir::new().unwrap();
    command.env("HOME", home.path()).env("TERM", "dumb");
    let output: Output = command.stdin(Stdio::null()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && stderr.is_empty(),
        "{shell}: {}: {stderr}",
        output.status
    );
    String::from_utf8(output.stdout).unwrap()
}

/// The words that bash has at the Tab key, as readline asks for them.
fn offered_by_bash(words: &[&str]) -> Vec<String> {
    let folder = written("bash");
    let (last, program) = (words.len() - 1, words[0]);
    let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let text = format!(
        "set -u; . \"$1/{program}\"; COMP_WORDS=({}); COMP_CWORD={last}
        function=$(complete -p {program} | sed -E 's/.* -F ([^ ]+) .*/\\1/')
        cur=${{COMP_WORDS[COMP_CWORD]}}; prev=${{COMP_WORDS[COMP_CWORD - 1]}}
        \"$function\" {program} \"$cur\" \"$prev\"; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words.join(" ")
    );
    let arguments = ["--norc", "--noprofile", "-c"];
    let offered = asked("bash", &arguments, &text, folder.path());
    offered.lines().map(str::to_owned).collect()
}

#[test]
fn bash_offers_subcommands_and_options_of_each_program() {
    let offered = offered_by_bash(&["gentoo-updater", "que"]);
    assert_eq!(offered, ["queue"]);
    let offered = offered_by_bash(&["gentoo-updater", "queue", "p"]);
    assert_eq!(offered, ["peek", "purge"]);
    let offered = offered_by_bash(&["gentoo-updater-builder", "--bu"]);
    assert_eq!(offered, ["--builder"]);
    let offered = offered_by_bash(&["gentoo-updater", "--log-format", ""]);
    assert_eq!(offered, ["text", "json"]);
}

/// fish tells itself what it would offer.
#[test]
fn fish_offers_subcommands_with_what_they_are_for() {
    let folder = written("fish");
    let text = "for script in $argv[2]/*.fish; source $script; end; \
                complete -C 'gentoo-updater queue p'; complete -C 'gentoo-updater-builder --bu'";
    let offered = asked("fish", &["--no-config", "-c"], text, folder.path());
    let offered: Vec<_> = offered
        .lines()
        .map(|line| line.split_once('\t').unwrap())
        .collect();
    let names: Vec<_> = offered.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["peek", "purge", "--builder"]);
    assert!(
        offered.iter().all(|(_, about)| !about.is_empty()),
        "{offered:?}"
    );
}

/// zsh offers something to a line editor alone, so there is one here, on a terminal of zsh's own.
#[test]
fn zsh_completes_what_is_typed() {
    let folder = written("zsh");
    let text = r#"zmodload zsh/zpty
        zpty -b line zsh -f -i
        zpty -w line "PS1=; fpath=($1 \$fpath); autoload -Uz compinit; compinit -D -u; setopt no_list_beep"
        # What is completed runs a function of that name, which tells its arguments.
        zpty -w line "gentoo-updater() { print -r -- \"<\$*>\" }"
        zpty -n -w line $'gentoo-updater que\t pee\t\n'
        zpty -r -m line answer $'*<queue*>*'
        print -r -- "${answer##*<}"
        zpty -d line"#;
    let completed = asked("zsh", &["-f", "-c"], text, folder.path());
    assert!(completed.starts_with("queue peek>"), "{completed:?}");
}

/// Without a folder all of it is one script, which a shell reads as it comes.
#[test]
fn the_scripts_are_printed_where_no_folder_is_named() {
    let output = program().arg("bash").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for name in ["gentoo-updater", "gentoo-updater-janitor"] {
        let ending = format!(" {name}");
        let registered = text
            .lines()
            .any(|line| line.trim_start().starts_with("complete ") && line.ends_with(&ending));
        assert!(registered, "{name}");
    }
    let output = program().args(["bash", "/nowhere"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("/nowhere"), "{text}");
}
