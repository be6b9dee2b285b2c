//! The log of a build: kept beside the store, where whoever sees the store finds it, whichever
//! builder it was.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gentoo_updater_fleet::message::{BuildPackage, Failure};
use gentoo_updater_fleet::name::BuilderName;
use gentoo_updater_hosts::{Command, ExitStatus, Host};
use gentoo_updater_runtime::{ask, jobs};

const KEEP: &str = include_str!("log.sh");

/// How long it may take to compress the largest of logs.
const LIMIT: Duration = Duration::from_secs(900);

/// Where the log of a build is.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    /// As `machine:path`.
    pub(crate) place: String,
    /// Whether it is in the store, and not where it was written alone.
    is_stored: bool,
}

/// Keeps the log at `path` on the builder's machine as a compressed file in the store. Where that
/// cannot be done it stays where it was; no build fails for it.
pub(crate) async fn keep(
    host: &dyn Host,
    store: &Path,
    builder: &BuilderName,
    command: &BuildPackage,
    path: &str,
) -> Kept {
    let kept = place(store, command).display().to_string();
    let program = Command::shell("log", KEEP, [path, &kept]).timeout(LIMIT);
    let why = match ask(host, &program).await {
        Ok(output) if output.status == ExitStatus::Code(0) => {
            return Kept {
                place: format!("{builder}:{kept}"),
                is_stored: true,
            };
        }
        Ok(output) => output.stderr_text().trim().to_owned(),
        Err(failure) => failure.message,
    };
    tracing::warn!(package = %command.job.key.cpv, why, "the log of a build stays where it was");
    Kept {
        place: format!("{builder}:{path}"),
        is_stored: false,
    }
}

/// Takes away the log at `path` of a build that failed, when it is kept in the store: that of the next
/// attempt would go on behind it, and be explained by it.
///
/// # Errors
/// When the machine cannot be asked.
pub(crate) async fn clear(host: &dyn Host, kept: &Kept, path: &str) -> Result<(), Failure> {
    if kept.is_stored {
        ask(host, &Command::new("rm").args(["-f", "--", path])).await?;
    }
    Ok(())
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
