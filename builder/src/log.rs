//! The log of a build: kept beside the store, where whoever sees the store finds it, whichever
//! builder it was.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gentoo_updater_fleet::message::BuildPackage;
use gentoo_updater_fleet::name::BuilderName;
use gentoo_updater_hosts::{Command, ExitStatus, Host};
use gentoo_updater_runtime::{ask, jobs};

const KEEP: &str = include_str!("log.sh");

/// How long it may take to compress the largest of logs.
const LIMIT: Duration = Duration::from_secs(900);

/// Keeps the log at `path` on the builder's machine as a compressed file in the store. Gives the
/// place of the log as `machine:path`: of the log itself where it could not be kept, for which no
/// build fails.
pub(crate) async fn keep(
    host: &dyn Host,
    store: &Path,
    builder: &BuilderName,
    command: &BuildPackage,
    path: &str,
) -> String {
    let kept = place(store, command).display().to_string();
    let program = Command::shell("log", KEEP, [path, &kept]).timeout(LIMIT);
    let why = match ask(host, &program).await {
        Ok(output) if output.status == ExitStatus::Code(0) => return format!("{builder}:{kept}"),
        Ok(output) => output.stderr_text().trim().to_owned(),
        Err(failure) => failure.message,
    };
    tracing::warn!(package = %command.job.key.cpv, why, "the log of a build stays where it was");
    format!("{builder}:{path}")
}

/// By run, package, job and attempt. Ids of runs sort by their time.
fn place(store: &Path, command: &BuildPackage) -> PathBuf {
    let (cpv, job) = (&command.job.key.cpv, &command.job.id);
    let name = format!(
        "{}-{}-{}.{}.log.gz",
        cpv.category(),
        cpv.pf(),
        job.short(),
        command.attempt
    );
    let run = command.run.to_string();
    store.join(jobs::STORED_LOGS).join(run).join(name)
}
