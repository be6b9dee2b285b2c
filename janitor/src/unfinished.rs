//! What builders that died in the middle have left in a store beside its binaries.

use std::path::Path;

use gentoo_updater_fleet::message::Failure;
use gentoo_updater_hosts::{Command, ExitStatus, Host};
use gentoo_updater_runtime::ask;

/// `ready.…` is the trial whether the store can be written, `lock.d.left.…` a lock that is being
/// removed, and below `incoming` is what is not whole yet. Each of them is there for moments.
const REMOVE: &str = r#"
cd "$1/.gentoo-updater" 2> /dev/null || exit 0
find . -ignore_readdir_race -mindepth 1 -maxdepth 1 \( -name 'ready.*' -o -name 'lock.d.left.*' \) \
    -mtime +0 -exec rm -rf {} + || exit 1
if [ -d incoming ]; then find incoming -ignore_readdir_race -type f -mtime +0 -delete; fi
"#;

/// Removes what is a day old. That something could not be removed is said in the log and makes no
/// cleaning fail.
///
/// # Errors
/// When the machine cannot be asked.
pub(crate) async fn remove(host: &dyn Host, store: &Path) -> Result<(), Failure> {
    let command = Command::shell("unfinished", REMOVE, [store.display().to_string()]);
    let output = ask(host, &command).await?;
    if output.status != ExitStatus::Code(0) {
        let said = output.stderr_text();
        tracing::warn!(
            said = said.trim(),
            "what is unfinished could not be removed"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::time::{Duration, SystemTime};

    use gentoo_updater_hosts::{HostAddress, SshSettings, connect};
    use tempfile::TempDir;

    use super::*;

    #[tokio::test]
    async fn what_is_unfinished_for_a_day_goes_and_the_rest_of_the_store_stays() {
        let store = TempDir::new().unwrap();
        let goes = [
            "ready.x7Fz2a",
            "lock.d.left.4711/owner",
            "incoming/0123",
            "incoming/0123.json",
        ];
        let stays = [
            "keys/0123.json",
            "lock",
            "lock.d/owner",
            "logs/run/a.log.gz",
        ];
        let control = store.path().join(".gentoo-updater");
        let leave = |path: &str, hours: u64| {
            let path = control.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "").unwrap();
            let time = SystemTime::now() - Duration::from_secs(hours * 3600);
            for path in path.ancestors().take_while(|path| *path != control) {
                File::open(path).unwrap().set_modified(time).unwrap();
            }
        };
        goes.iter().chain(&stays).for_each(|path| leave(path, 49));
        leave("incoming/4567", 23);
        leave("ready.aB3d9k", 23);
        let settings = SshSettings::default();
        let host = connect(&HostAddress::Local, &settings).await.unwrap();
        remove(host.as_ref(), store.path()).await.unwrap();
        let is_there = |path: &&str| control.join(path).exists();
        assert!(!goes.iter().any(is_there));
        assert!(stays.iter().all(is_there));
        assert!(is_there(&"incoming/4567") && is_there(&"ready.aB3d9k"));
        remove(host.as_ref(), &store.path().join("none"))
            .await
            .unwrap();
    }
}
