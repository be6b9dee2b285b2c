//! One worker of a fleet, as a process.

use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use gentoo_updater_test_broker::owner::{OWNER_VARIABLE, PLACE_VARIABLE, mark};

const PROGRAM: &str = env!("CARGO_BIN_EXE_gentoo-updater-chaos-worker");
/// How long a worker may take to stop: its grace and the farewells of its connections.
const STOP_SECONDS: u64 = 30;

/// A process that is killed when it is dropped.
pub(crate) struct Process {
    name: String,
    child: Child,
}

impl Process {
    /// Where its threads are, for whoever wants to know why nothing happens any more.
    pub(crate) fn threads(&self) -> String {
        let tasks = format!("/proc/{}/task", self.child.id());
        let Ok(threads) = fs::read_dir(tasks) else {
            return format!("--- {} has ended\n", self.name);
        };
        let read = |thread: &Path, file: &str| {
            let text = fs::read_to_string(thread.join(file)).unwrap_or_default();
            text.trim().to_owned()
        };
        let mut text = format!("--- {}: what its threads wait for\n", self.name);
        for thread in threads.flatten() {
            let path = thread.path();
            let (name, wait, call) = (
                read(&path, "comm"),
                read(&path, "wchan"),
                read(&path, "syscall"),
            );
            text.push_str(&format!("{name}: {wait} ({call})\n"));
        }
        text
    }

    /// Starts a worker, in a network namespace or in this one. Several lives of one worker share
    /// one log.
    pub(crate) fn start(
        name: &str,
        arguments: &[String],
        namespace: Option<&str>,
        place: &Path,
        log: &Path,
    ) -> Self {
        let log = File::options().create(true).append(true).open(log);
        let log = log.expect("a log can be written");
        let mut command = match namespace {
            Some(namespace) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", namespace, PROGRAM]);
                command
            }
            None => Command::new(PROGRAM),
        };
        let child = command
            .args(arguments)
            .env_clear()
            .env(
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            )
            .env("HOME", place)
            .env("RUST_BACKTRACE", "1")
            .env("RUST_LOG", "info,lapin=off")
            .env(OWNER_VARIABLE, mark())
            .env(PLACE_VARIABLE, place)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file can be shared"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        Self {
            name: name.to_owned(),
            child,
        }
    }

    fn try_wait(&mut self) -> Option<ExitStatus> {
        let waited = self.child.try_wait();
        waited.unwrap_or_else(|error| panic!("{} cannot be waited for: {error}", self.name))
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        loop {
            if let Some(status) = self.try_wait() {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Kills it with SIGKILL, as an out-of-memory killer would.
    pub(crate) async fn kill(mut self) {
        assert!(
            self.try_wait().is_none(),
            "{} ended before it could be killed",
            self.name
        );
        self.child.kill().expect("a child can be killed");
        assert!(
            was_killed(self.ended().await),
            "{} was to be killed",
            self.name
        );
    }

    /// Sends SIGTERM, unless it has ended, and waits for the end.
    pub(crate) async fn stop(mut self) -> ExitStatus {
        if self.try_wait().is_none() {
            let pid = i32::try_from(self.child.id()).expect("a process number");
            let pid = rustix::process::Pid::from_raw(pid).expect("a process number");
            rustix::process::kill_process(pid, rustix::process::Signal::TERM)
                .expect("a child can be told to stop");
        }
        let what = format!("the stop of {}", self.name);
        super::within(&what, STOP_SECONDS, self.ended()).await
    }
}

/// Whether SIGKILL ended it.
pub(crate) fn was_killed(status: ExitStatus) -> bool {
    status.signal() == Some(9)
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended and been collected; both calls then do nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
