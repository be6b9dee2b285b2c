//! Questions to whoever sits at the terminal.

use std::io::{BufRead, IsTerminal, Write};

use crate::WrongUsage;

/// Whether the operator agrees. `yes` is the answer that was given beforehand, by `--yes`.
///
/// # Errors
/// Wrong usage where there is no terminal to ask on; `remedy` says what to do then.
pub(crate) async fn agreed(question: &str, yes: bool, remedy: &str) -> anyhow::Result<bool> {
    if yes {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        let message = format!("there is no terminal to ask on: {question} To agree, {remedy}");
        return Err(WrongUsage(message).into());
    }
    eprint!("{question} [yes/no] ");
    std::io::stderr().flush()?;
    // Somebody may think for long, and a connection to the broker has to be kept alive meanwhile.
    let read = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer)?;
        Ok::<_, std::io::Error>(answer)
    });
    let answer = read.await??;
    Ok(answer.trim().eq_ignore_ascii_case("yes"))
}
