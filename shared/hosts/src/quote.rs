//! Quoting for a POSIX shell: the one place where data becomes shell text.
//!
//! An ssh server hands the text of an exec request to the login shell of the user (RFC 4254,
//! section 6.5), so an argument list has to be quoted once, here. The login shell must follow the
//! POSIX rules for single quotes (sh, bash, dash, ksh, zsh, busybox); fish and csh do not.

use crate::command::Command;

/// One word, quoted so that a POSIX shell reads exactly these characters
/// (POSIX.1-2017, Shell Command Language, section 2.2.2).
#[must_use]
pub fn word(text: &str) -> String {
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:@%+,".contains(&byte);
    if !text.is_empty() && text.bytes().all(harmless) {
        return text.to_owned();
    }
    // A single quote cannot stand inside single quotes: close, escape it, open again.
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The shell text that becomes this command: `exec env NAME=VALUE … PROGRAM ARGUMENT …`.
///
/// `exec`, so that no shell stays between the server and the command, and signals and the exit
/// status are those of the command. The caller has validated the command
/// ([`Command::validate`]); standard input and timeout are not part of the text.
#[must_use]
pub fn exec_line(command: &Command) -> String {
    format!("exec {}", line(command))
}

/// A command as one simple command of a shell program.
#[must_use]
pub fn line(command: &Command) -> String {
    let mut words = Vec::new();
    if !command.environment.is_empty() {
        words.push("env".to_owned());
        for (name, value) in &command.environment {
            words.push(word(&format!("{name}={value}")));
        }
    }
    words.extend(command.argv.iter().map(|argument| word(argument)));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_harmless_word_stays_readable_and_the_rest_is_quoted() {
        assert_eq!(word("dev-libs/libalpha-2.0"), "dev-libs/libalpha-2.0");
        assert_eq!(word(""), "''");
        assert_eq!(word("a b"), "'a b'");
        assert_eq!(word("it's"), r"'it'\''s'");
        assert_eq!(word("~root"), "'~root'");
        assert_eq!(word("=cat/pkg-1"), "'=cat/pkg-1'");
    }

    #[test]
    fn the_environment_goes_through_env() {
        let command = Command::new("emerge").arg("-p").env("USE", "a -b");
        assert_eq!(exec_line(&command), "exec env 'USE=a -b' emerge -p");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_shell_reads_back_every_word_as_it_was(words in prop::collection::vec("[^\0]{0,20}", 1..6)) {
            let command = Command::new("printf").arg("%s\\0").args(words.clone());
            let output = std::process::Command::new("sh")
                .arg("-c")
                .arg(exec_line(&command))
                .output()
                .unwrap();
            let expected: String = words.iter().map(|word| format!("{word}\0")).collect();
            prop_assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
        }
    }
}
