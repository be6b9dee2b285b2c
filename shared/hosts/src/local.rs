//! Commands on this machine: a child process in a process group of its own.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin};

use crate::address::HostAddress;
use crate::command::{Command, ExitStatus, OUTPUT_LIMIT, Output, signal_name};
use crate::error::HostError;
use crate::host::Host;

/// How long a process group has between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(5);

/// This machine.
pub(crate) struct LocalHost {
    address: HostAddress,
    output_limit: usize,
    grace: Duration,
}

impl LocalHost {
    pub(crate) fn new() -> Self {
        Self {
            address: HostAddress::Local,
            output_limit: OUTPUT_LIMIT,
            grace: GRACE,
        }
    }
}

/// Kills the process group when it is dropped, so that a caller who stops waiting leaves nothing
/// behind. It must go before the child is reaped: from then on the number may be another's.
struct Group(Option<Pid>);

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.0 {
            // ESRCH, the only error possible here, means that the group is gone already.
            let _ = kill_process_group(pid, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

#[async_trait]
impl Host for LocalHost {
    async fn run(&self, command: &Command) -> Result<Output, HostError> {
        command
            .validate()
            .map_err(|cause| HostError::InvalidCommand {
                command: command.to_string(),
                cause,
            })?;
        let mut child = match spawn(command) {
            Ok(child) => child,
            Err(error) => return self.not_started(command, error),
        };
        let mut group = Group(
            child
                .id()
                .and_then(|id| i32::try_from(id).ok())
                .and_then(Pid::from_raw),
        );
        let ended = tokio::select! {
            ended = collect(&mut child, command.stdin.as_deref(), self.output_limit) => Some(ended),
            () = tokio::time::sleep(command.timeout) => None,
        };
        match ended {
            Some(Ok(output)) => {
                // The child is reaped, so its number may be another's by now.
                group.0 = None;
                Ok(output)
            }
            Some(Err(error)) => {
                self.end(&group, &mut child).await;
                if error.kind() != io::ErrorKind::FileTooLarge {
                    return Err(self.io("read the output of a command", error));
                }
                Err(HostError::OutputTooLarge {
                    address: self.address.clone(),
                    command: command.to_string(),
                    limit: self.output_limit,
                })
            }
            None => {
                self.end(&group, &mut child).await;
                Err(HostError::TimedOut {
                    address: self.address.clone(),
                    command: command.to_string(),
                    after: command.timeout,
                })
            }
        }
    }

    fn address(&self) -> &HostAddress {
        &self.address
    }
}

impl LocalHost {
    /// Ends what is left of a command: SIGTERM, a grace time, SIGKILL to its process group.
    async fn end(&self, group: &Group, child: &mut Child) {
        group.signal(Signal::TERM);
        // Not `child.wait()`: it would reap the leader, and members that ignore SIGTERM could then
        // not be signalled safely. The group is asked instead; the leader stays in it, a zombie,
        // until it is reaped, so an empty group is recognised by "nobody but the leader".
        let deadline = tokio::time::Instant::now() + self.grace;
        while tokio::time::Instant::now() < deadline && !only_zombies(group) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        group.signal(Signal::KILL);
        if let Err(error) = child.wait().await {
            tracing::warn!(%error, "a killed command could not be waited for");
        }
    }

    /// A program that cannot be started ends as it would in a shell (POSIX.1-2017, Shell Command
    /// Language, section 2.8.2), so that callers see the same on every machine.
    fn not_started(&self, command: &Command, error: io::Error) -> Result<Output, HostError> {
        let code = match error.kind() {
            io::ErrorKind::NotFound => 127,
            io::ErrorKind::PermissionDenied => 126,
            _ => return Err(self.io("start a command", error)),
        };
        Ok(Output {
            status: ExitStatus::Code(code),
            stdout: Vec::new(),
            stderr: format!("{}: {error}\n", command.argv[0]).into_bytes(),
        })
    }

    fn io(&self, what: &'static str, cause: io::Error) -> HostError {
        HostError::Io {
            address: self.address.clone(),
            what,
            cause,
        }
    }
}

fn spawn(command: &Command) -> io::Result<Child> {
    let stdin = match command.stdin {
        Some(_) => Stdio::piped(),
        None => Stdio::null(),
    };
    tokio::process::Command::new(&command.argv[0])
        .args(&command.argv[1..])
        .envs(
            command
                .environment
                .iter()
                .map(|(name, value)| (name, value)),
        )
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

/// Feeds the child, drains both its streams and then waits for it.
///
/// In this order: until the child is reaped its number cannot become another's, so whoever gives
/// up on this future may still signal the group. A descendant that keeps a stream open keeps the
/// command running, as an ssh server does it.
async fn collect(child: &mut Child, input: Option<&[u8]>, limit: usize) -> io::Result<Output> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let ((), stdout, stderr) = tokio::try_join!(
        feed(stdin, input.unwrap_or_default()),
        drain(stdout, limit),
        drain(stderr, limit),
    )?;
    let status = child.wait().await?;
    Ok(Output {
        status: match status.signal() {
            Some(number) => ExitStatus::Signal(signal_name(number)),
            None => ExitStatus::Code(status.code().unwrap_or(-1)),
        },
        stdout,
        stderr,
    })
}

async fn feed(stdin: Option<ChildStdin>, input: &[u8]) -> io::Result<()> {
    let Some(mut stdin) = stdin else {
        return Ok(());
    };
    match stdin.write_all(input).await {
        // A command may end without having read all of it (`head -1`).
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

async fn drain(stream: Option<impl AsyncRead + Unpin>, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        stream
            .take(limit.saturating_add(1))
            .read_to_end(&mut bytes)
            .await?;
    }
    if bytes.len() > limit {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

/// Whether no member of the group runs any more (proc_pid_stat(5): state 3, process group 5).
fn only_zombies(group: &Group) -> bool {
    let Some(pid) = group.0 else { return true };
    let wanted = pid.as_raw_nonzero().to_string();
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return false;
    };
    !entries.flatten().any(|entry| {
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else {
            return false;
        };
        // The name of the program, in parentheses, may hold anything.
        let Some((_, fields)) = stat.rsplit_once(") ") else {
            return false;
        };
        let mut fields = fields.split(' ');
        let state = fields.next();
        fields.nth(1) == Some(wanted.as_str()) && !matches!(state, Some("Z" | "X"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        Command::shell("test", script, [""; 0])
    }

    async fn run(command: &Command) -> Result<Output, HostError> {
        LocalHost::new().run(command).await
    }

    #[tokio::test]
    async fn both_streams_and_the_status_arrive() {
        let output = run(&shell("echo out; echo err >&2; exit 3")).await.unwrap();
        assert_eq!(output.status, ExitStatus::Code(3));
        assert_eq!(output.stdout_text(), "out\n");
        assert_eq!(output.stderr_text(), "err\n");
    }

    #[tokio::test]
    async fn a_signal_is_told_from_a_code() {
        let output = run(&shell("kill -TERM $$")).await.unwrap();
        assert_eq!(output.status, ExitStatus::Signal("TERM".to_owned()));
    }

    #[tokio::test]
    async fn input_and_environment_reach_the_command() {
        let command = shell("printf %s \"$GREETING \"; cat")
            .env("GREETING", "a 'b'")
            .stdin("in");
        assert_eq!(run(&command).await.unwrap().stdout_text(), "a 'b' in");
    }

    #[tokio::test]
    async fn input_that_nobody_reads_is_no_error() {
        let output = run(&Command::new("true").stdin(vec![b'x'; 1 << 20]))
            .await
            .unwrap();
        assert!(output.status.success());
    }

    #[tokio::test]
    async fn large_output_on_both_streams_at_once_does_not_block() {
        let script = "head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2";
        let output = run(&shell(script)).await.unwrap();
        assert_eq!(
            (output.stdout.len(), output.stderr.len()),
            (3_000_000, 3_000_000)
        );
    }

    #[tokio::test]
    async fn a_missing_program_ends_with_127_as_in_a_shell() {
        let output = run(&Command::new("no-such-program-anywhere"))
            .await
            .unwrap();
        assert_eq!(output.status, ExitStatus::Code(127));
    }

    #[tokio::test]
    async fn too_much_output_is_an_error_and_ends_the_command() {
        let host = LocalHost {
            output_limit: 1000,
            ..LocalHost::new()
        };
        let error = host.run(&Command::new("yes")).await.unwrap_err();
        assert!(
            matches!(error, HostError::OutputTooLarge { limit: 1000, .. }),
            "{error}"
        );
    }

    /// Scripts report their process numbers in a file, since a killed command has no output.
    fn is_running(pid_file: &std::path::Path) -> bool {
        let pid = std::fs::read_to_string(pid_file).unwrap();
        std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()))
            .is_ok_and(|stat| !stat.contains(") Z "))
    }

    #[tokio::test]
    async fn a_timeout_ends_grandchildren_and_those_that_ignore_sigterm() {
        let folder = tempfile::tempdir().unwrap();
        let pid_file = folder.path().join("pid");
        let script =
            "(trap '' TERM; sh -c 'echo $$ >\"$0\"; while :; do sleep 1; done' \"$1\") & wait";
        let command = Command::shell("test", script, [pid_file.to_str().unwrap()])
            .timeout(Duration::from_millis(500));
        let host = LocalHost {
            grace: Duration::from_millis(200),
            ..LocalHost::new()
        };
        let error = host.run(&command).await.unwrap_err();
        assert!(matches!(error, HostError::TimedOut { .. }), "{error}");
        assert!(error.is_transient());
        while is_running(&pid_file) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn a_caller_that_stops_waiting_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let pid_file = folder.path().join("pid");
        let script =
            "sh -c 'echo $$ >\"$0.new\"; mv \"$0.new\" \"$0\"; exec sleep 1000' \"$1\"; true";
        let command = Command::shell("test", script, [pid_file.to_str().unwrap()]);
        let task = tokio::spawn(async move { run(&command).await });
        while !pid_file.exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        task.abort();
        while is_running(&pid_file) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
