//! Whether the machine can take a job at all.

use std::path::Path;
use std::time::Duration;

use gentoo_updater_fleet::message::{Failure, FailureClass};
use gentoo_updater_fleet::name::BuilderName;
use gentoo_updater_hosts::{Command, ExitStatus, Host};
use gentoo_updater_runtime::ask;

/// How long the check may take; a network file system that hangs does not answer at all.
const LIMIT: Duration = Duration::from_secs(60);

/// Leaves nothing behind. Two builders may have one store, so the name is one's own.
const CHECK: &str = r#"
control=$1/.gentoo-updater
mkdir -p "$control" && file=$(mktemp "$control/ready.XXXXXX") || exit 1
printf 'ready\n' > "$file"
written=$?
rm -f -- "$file" && exit "$written"
"#;

/// Checks that the store can be written.
///
/// # Errors
/// A failure of the machine, with the remedy.
pub(crate) async fn check(
    host: &dyn Host,
    builder: &BuilderName,
    store: &Path,
) -> Result<(), Failure> {
    let command = Command::shell("ready", CHECK, [store.display().to_string()]).timeout(LIMIT);
    let output = ask(host, &command).await?;
    if output.status == ExitStatus::Code(0) {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let message = format!(
        "builder {builder} cannot write to the store {}: {}; mount it there, and give it space \
         and permissions",
        store.display(),
        said.trim()
    );
    Err(Failure::new(
        FailureClass::Machine,
        "StoreUnwritable",
        message,
    ))
}

#[cfg(test)]
mod tests {
    use gentoo_updater_hosts::{HostAddress, SshSettings, connect};
    use tempfile::TempDir;

    use super::*;

    async fn checked(store: &Path) -> Result<(), Failure> {
        let local: HostAddress = "local".parse().unwrap();
        let host = connect(&local, &SshSettings::default()).await.unwrap();
        check(host.as_ref(), &"fast".parse().unwrap(), store).await
    }

    #[tokio::test]
    async fn a_store_that_can_be_written_is_ready_and_nothing_is_left_in_it() {
        let folder = TempDir::new().unwrap();
        let store = folder.path().join("a store");
        checked(&store).await.unwrap();
        checked(&store).await.unwrap();
        let control = store.join(".gentoo-updater");
        assert_eq!(std::fs::read_dir(control).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_store_that_cannot_be_written_is_the_machines_failure_and_names_the_remedy() {
        let folder = TempDir::new().unwrap();
        // Not a matter of permissions: root may do everything.
        let store = folder.path().join("store");
        std::fs::write(&store, "").unwrap();
        let failure = checked(&store).await.unwrap_err();
        assert_eq!(failure.class, FailureClass::Machine);
        assert_eq!(failure.cause, "StoreUnwritable");
        assert!(failure.message.contains("fast"), "{failure}");
        assert!(failure.message.contains("mount it"), "{failure}");
    }
}
