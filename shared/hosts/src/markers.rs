//! Telling a command's output from what else is printed.
//!
//! bash reads `.bashrc` when an ssh server starts it, and what that prints stands before the output
//! of every command. So the output is put between two random marks, and what is outside of them is
//! cut off.

use crate::command::{Command, Output};
use crate::error::HostError;
use crate::host::Host;

/// `$1` and `$2` are the marks, the rest is the command. The shell cannot tell a command that a
/// signal ended from one that exited with 128 + its number.
const SCRIPT: &str =
    r#"printf %s "$1"; end=$2; shift 2; "$@"; status=$?; printf %s "$end"; exit "$status""#;

/// How much of an output without marks is kept for the message.
const KEPT: usize = 1000;

/// Runs a command as [`Host::run`] does; its standard output is exactly what the command printed.
///
/// The exit status is the command's. A command that a signal ended has the code 128 + its number,
/// as in every shell. Standard error is not cut.
///
/// # Errors
/// As [`Host::run`], and [`HostError::MarkMissing`] when a mark did not arrive, for instance because
/// `.bashrc` ends the shell.
pub async fn run_between_markers(host: &dyn Host, command: &Command) -> Result<Output, HostError> {
    command
        .validate()
        .map_err(|cause| HostError::InvalidCommand {
            command: command.to_string(),
            cause,
        })?;
    let random = uuid::Uuid::new_v4().simple();
    let (start, end) = (format!("<{random} start>"), format!("<{random} end>"));
    let wrapped = Command {
        argv: Command::shell("run-between-markers", SCRIPT, [start.clone(), end.clone()])
            .args(command.argv.iter().cloned())
            .argv,
        ..command.clone()
    };
    let mut output = host.run(&wrapped).await?;
    match between(&output.stdout, start.as_bytes(), end.as_bytes()) {
        Ok(stdout) => {
            output.stdout = stdout.to_vec();
            Ok(output)
        }
        Err(place) => {
            let mut text = output.stdout;
            text.extend(output.stderr);
            let text = &text[text.len().saturating_sub(KEPT)..];
            Err(HostError::MarkMissing {
                address: host.address().clone(),
                command: command.to_string(),
                place,
                text: String::from_utf8_lossy(text).into_owned(),
            })
        }
    }
}

fn between<'a>(text: &'a [u8], start: &[u8], end: &[u8]) -> Result<&'a [u8], &'static str> {
    let from = text
        .windows(start.len())
        .position(|window| window == start)
        .ok_or("start")?;
    let text = &text[from + start.len()..];
    let to = text
        .windows(end.len())
        .rposition(|window| window == end)
        .ok_or("end")?;
    Ok(&text[..to])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::ExitStatus;
    use crate::local::LocalHost;

    #[test]
    fn only_what_stands_between_the_marks_is_kept() {
        assert_eq!(
            between(b"noise<a>out\n<b>more", b"<a>", b"<b>"),
            Ok(&b"out\n"[..])
        );
        assert_eq!(between(b"<a><b>", b"<a>", b"<b>"), Ok(&b""[..]));
        assert_eq!(between(b"out<b>", b"<a>", b"<b>"), Err("start"));
        assert_eq!(between(b"<b><a>out", b"<a>", b"<b>"), Err("end"));
    }

    #[tokio::test]
    async fn the_status_the_input_and_every_byte_are_those_of_the_command() {
        let command = Command::shell(
            "x",
            r#"cat; printf 'a\000b '; echo err >&2; exit 7"#,
            [""; 0],
        )
        .stdin("in ");
        let output = run_between_markers(&LocalHost::new(), &command)
            .await
            .unwrap();
        assert_eq!(output.status, ExitStatus::Code(7));
        assert_eq!(output.stdout, b"in a\0b ");
        assert_eq!(output.stderr, b"err\n");
    }

    #[tokio::test]
    async fn an_output_without_marks_is_an_error_that_shows_it() {
        let command = Command::shell("x", r#"echo why >&2; kill -KILL "$PPID""#, [""; 0]);
        let error = run_between_markers(&LocalHost::new(), &command)
            .await
            .unwrap_err();
        let HostError::MarkMissing {
            place: "end", text, ..
        } = error
        else {
            panic!("{error}")
        };
        assert!(text.contains("why"), "{text}");
    }
}
