//! The logs of builds, which builders keep in the store of their platform.

use std::path::Path;

use gentoo_updater_fleet::message::Failure;
use gentoo_updater_fleet::name::RunId;
use gentoo_updater_hosts::{Command, ExitStatus, Host};
use gentoo_updater_runtime::{ask, jobs};

const PROGRAM: &str = include_str!("logs.sh");

/// For how long logs are kept, and how many.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept {
    /// Those of older runs go.
    pub(crate) days: u32,
    /// Those of the oldest runs go while there are more (10^6 bytes, by blocks of the disk).
    pub(crate) megabytes: u32,
}

/// Removes what need not be kept any more. That something could not be removed is said in the log
/// and makes no cleaning fail.
///
/// # Errors
/// When the machine cannot be asked.
pub(crate) async fn sweep(
    host: &dyn Host,
    store: &Path,
    run: RunId,
    kept: Kept,
) -> Result<(), Failure> {
    let output = ask(
        host,
        &program(&store.join(jobs::STORED_LOGS), jobs::LOGS, run, kept),
    )
    .await?;
    if output.status != ExitStatus::Code(0) {
        let said = output.stderr_text();
        tracing::warn!(said = said.trim(), "old logs could not be removed");
    }
    Ok(())
}

fn program(stored: &Path, own: &str, run: RunId, kept: Kept) -> Command {
    let parameters = [
        stored.display().to_string(),
        own.to_owned(),
        run.to_string(),
        kept.days.to_string(),
        kept.megabytes.to_string(),
    ];
    Command::shell("logs", PROGRAM, parameters)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::{Duration, SystemTime};

    use gentoo_updater_hosts::{HostAddress, SshSettings, connect};
    use tempfile::TempDir;

    use super::*;

    /// Logs of runs below a folder: a megabyte each, this many days old.
    struct Logs(TempDir);

    impl Logs {
        fn of(runs: &[(RunId, u64)]) -> Self {
            let folder = TempDir::new().unwrap();
            fs::create_dir_all(folder.path().join("own")).unwrap();
            for (run, days) in runs {
                let place = folder.path().join("stored").join(run.to_string());
                fs::create_dir_all(&place).unwrap();
                let log = place.join("app-misc-a-1-0123456789ab.1.log.gz");
                fs::write(log, vec![7; 1_000_000]).unwrap();
                let age = SystemTime::now() - Duration::from_secs(days * 24 * 3600 + 60);
                fs::File::open(&place).unwrap().set_modified(age).unwrap();
            }
            Self(folder)
        }

        async fn sweep(&self, run: RunId, days: u32, megabytes: u32) -> Vec<String> {
            let host = connect(&HostAddress::Local, &SshSettings::default())
                .await
                .unwrap();
            let (stored, own) = (self.0.path().join("stored"), self.0.path().join("own"));
            let kept = Kept { days, megabytes };
            let command = program(&stored, own.to_str().unwrap(), run, kept);
            let output = host.run(&command).await.unwrap();
            assert_eq!(
                output.status,
                ExitStatus::Code(0),
                "{}",
                output.stderr_text()
            );
            let left = fs::read_dir(stored).into_iter().flatten();
            let mut left: Vec<String> = left
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            left.sort();
            left
        }
    }

    fn runs<const N: usize>() -> [RunId; N] {
        let mut runs = [(); N].map(|()| RunId::generate());
        runs.sort();
        runs
    }

    fn names(runs: &[RunId]) -> Vec<String> {
        runs.iter().map(ToString::to_string).collect()
    }

    #[tokio::test]
    async fn logs_of_old_runs_go_and_those_of_the_oldest_while_there_are_too_many() {
        let [a, b, c, d] = runs();
        let logs = Logs::of(&[(a, 40), (b, 20), (c, 10), (d, 0)]);
        assert_eq!(logs.sweep(d, 90, 100).await, names(&[a, b, c, d]));
        assert_eq!(logs.sweep(d, 30, 100).await, names(&[b, c, d]));
        assert_eq!(logs.sweep(d, 30, 2).await, names(&[c, d]));
        assert_eq!(logs.sweep(d, 30, 0).await, names(&[d]), "the newest stays");
    }

    #[tokio::test]
    async fn a_log_that_the_store_has_does_not_lie_on_the_builder_twice() {
        let [run] = runs();
        let logs = Logs::of(&[(run, 0)]);
        let own = logs.0.path().join("own").join(run.to_string());
        fs::create_dir(&own).unwrap();
        for name in ["a-1-0123456789ab.log", "b-1-0123456789ab.log", "clean.log"] {
            fs::write(own.join(name), "").unwrap();
        }
        logs.sweep(run, 30, 100).await;
        let left = fs::read_dir(&own)
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        let mut left: Vec<_> = left.collect();
        left.sort();
        assert_eq!(left, ["b-1-0123456789ab.log", "clean.log"]);
    }

    #[tokio::test]
    async fn a_store_without_logs_is_no_trouble() {
        let [run] = runs();
        let logs = Logs::of(&[]);
        assert_eq!(logs.sweep(run, 30, 100).await, names(&[]));
    }
}
