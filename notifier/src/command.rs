//! Telling by a program.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, sink};
use tokio::process::Command;
use tokio::time::timeout;

use crate::deliver::{Answer, Failed};
use crate::render::Message;

/// How much of what it says is read.
const MOST: u64 = 64 * 1024;
/// How long is read on when it has ended: who still holds its standard error is left alone.
const REST: Duration = Duration::from_secs(1);
/// What it gets of the environment. The rest may hold secrets: those of the broker, and of other ways.
const PASSED: [&str; 6] = ["PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ"];

/// Ends a program with all that it has started, unless it has ended.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // It may have ended in this moment.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

/// Runs it with the document on its standard input.
pub(crate) async fn run(command: &[String], message: &Message) -> Result<Answer, Failed> {
    let [program, arguments @ ..] = command else {
        return Err(Failed::for_good("it names no program"));
    };
    let document = serde_json::to_vec(&message.document).map_err(Failed::for_good)?;
    let passed = PASSED.map(|name| Some((name, std::env::var_os(name)?)));
    let child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(passed.into_iter().flatten())
        .env(
            "GENTOO_UPDATER_NOTIFICATION_ID",
            message.document.id.to_string(),
        )
        .env(
            "GENTOO_UPDATER_NOTIFICATION_OCCASION",
            message.document.occasion.to_string(),
        )
        .env("GENTOO_UPDATER_NOTIFICATION_SUBJECT", &message.subject)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    let mut child =
        child.map_err(|error| Failed::for_good(format!("{program} cannot be started: {error}")))?;
    let pid = child.id().and_then(|id| i32::try_from(id).ok());
    let mut group = Group(pid.and_then(Pid::from_raw));
    let (mut input, mut errors) = (child.stdin.take(), child.stderr.take());
    let write = async {
        if let Some(input) = &mut input {
            // Who has read enough closes it.
            let _ = input.write_all(&document).await;
        }
        drop(input.take());
    };
    let mut said = Vec::new();
    let read = async {
        if let Some(errors) = &mut errors {
            // What was read by then is said.
            let _ = errors.take(MOST).read_to_end(&mut said).await;
            // It is not to wait for somebody who reads what it says.
            let _ = copy(errors, &mut sink()).await;
        }
    };
    let status = {
        let talk = async { tokio::join!(write, read) };
        tokio::pin!(talk);
        tokio::select! {
            status = child.wait() => {
                // What it has said by then is enough.
                let _ = timeout(REST, &mut talk).await;
                status
            }
            _ = &mut talk => child.wait().await,
        }
    };
    group.0 = None;
    let said = String::from_utf8_lossy(&said);
    match status {
        Ok(status) if status.success() => Ok(Answer(format!("{program} ended with 0"))),
        Ok(status) => Err(Failed::passing(format!(
            "{program} ended with {status}: {said}"
        ))),
        Err(error) => Err(Failed::passing(error)),
    }
}
