//! A machine for the tests of jobs, and what they look at on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gentoo_updater_hosts::job::{JobHandle, JobOutcome, JobSpec, start_or_attach};
use gentoo_updater_hosts::{Command, Host, HostAddress, SshSettings, connect};
use tempfile::TempDir;

use crate::server::Server;

/// A machine with a spool of its own. Whatever runs in it is killed at the end.
pub(crate) struct Machine {
    pub(crate) host: Arc<dyn Host>,
    pub(crate) server: Option<Server>,
    folder: TempDir,
}

impl Machine {
    pub(crate) async fn local() -> Self {
        let host = connect(&HostAddress::Local, &SshSettings::default())
            .await
            .unwrap();
        Self {
            host,
            server: None,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) async fn ssh() -> Self {
        let server = Server::start();
        // Every answer has to survive what a shell's start file prints.
        fs::write(server.path("home/.bashrc"), "echo noise; echo noise >&2\n").unwrap();
        let host = server.connect().await.unwrap();
        Self {
            host,
            server: Some(server),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) async fn both() -> [Self; 2] {
        [Self::local().await, Self::ssh().await]
    }

    pub(crate) fn spool(&self) -> PathBuf {
        self.folder.path().join("var/jobs")
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// A job that runs a shell script with the folder of the test as `$1`.
    pub(crate) fn spec(&self, id: &str, script: &str) -> JobSpec {
        let command = Command::shell("job", script, [self.folder.path().to_str().unwrap()]);
        JobSpec::new(id.parse().unwrap(), command).spool(self.spool())
    }

    pub(crate) async fn start(&self, spec: &JobSpec) -> JobHandle<'_> {
        start_or_attach(&*self.host, spec).await.unwrap()
    }

    pub(crate) async fn run(&self, spec: &JobSpec) -> (JobOutcome, String) {
        finish(self.start(spec).await).await
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // A test that failed may leave a job; its runner's session is killed by its number.
        let Ok(entries) = fs::read_dir(self.spool()) else {
            return;
        };
        for entry in entries.flatten() {
            if entry.path().join("status").exists() {
                continue;
            }
            let text = fs::read_to_string(entry.path().join("pid")).unwrap_or_default();
            // The number alone may be another's by now.
            let Some((pid, rest)) = text.split_once(' ') else {
                continue;
            };
            if rest.split_once(' ').map(|(started, _)| started) == start_time(pid).as_deref() {
                let group = format!("-{pid}");
                let kill = ["-KILL", "--", group.as_str()];
                let _ = std::process::Command::new("kill").args(kill).output();
            }
        }
    }
}

pub(crate) async fn finish(mut job: JobHandle<'_>) -> (JobOutcome, String) {
    let mut log = Vec::new();
    let outcome = job
        .wait(|bytes| log.extend_from_slice(bytes))
        .await
        .unwrap();
    (outcome, String::from_utf8(log).unwrap())
}

pub(crate) async fn exists(path: &str) {
    while !Path::new(path).exists() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) fn lives(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{}/stat", pid.trim()))
        .is_ok_and(|stat| !stat.contains(") Z "))
}

pub(crate) fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .unwrap()
        .trim()
        .to_owned()
}

pub(crate) fn start_time(pid: &str) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(stat.rsplit_once(") ")?.1.split(' ').nth(19)?.to_owned())
}
