//! The store as the guest sees it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gentoo_updater_fleet::message::{Failure, FailureClass, InstallPackages};
use gentoo_updater_hosts::{Command, ExitStatus, Host};
use gentoo_updater_portage::packages_index::PackagesIndex;
use gentoo_updater_runtime::ask;
use tokio::time::{Instant, sleep};

use crate::remote::Remote;

/// Prints size, SHA-256 and path of each file that is there.
const MEASURE: &str = r#"
cd "$1" || exit 40
shift
for path; do
    if [ -e "$path" ]; then
        size=$(stat -c %s "$path") && sum=$(sha256sum < "$path") || exit 41
        printf '%s %s %s\n' "$size" "${sum%% *}" "$path"
    fi
done
"#;

/// The pause between two looks at a store that does not show everything yet. Shares such as NFS
/// show new files only after a while.
const PAUSE: Duration = Duration::from_secs(1);

/// The cause of a failure for a binary whose file has other content than it was stored with.
const CORRUPT: &str = "BinaryCorrupt";

/// From where a guest has its binaries.
#[derive(Debug)]
pub(crate) enum Source {
    /// The store is mounted here.
    Mounted(PathBuf),
    /// They are fetched.
    Remote(Remote),
}

impl Source {
    /// The guest's folder in which they lie when they are installed.
    pub(crate) fn folder(&self) -> &Path {
        match self {
            Self::Mounted(store) => store,
            Self::Remote(_) => Remote::folder(),
        }
    }

    /// The store, where it is not mounted.
    pub(crate) fn remote(&self) -> Option<&Remote> {
        match self {
            Self::Mounted(_) => None,
            Self::Remote(remote) => Some(remote),
        }
    }
}

/// Waits, within bounds, until the guest's view of the store shows every expected binary with
/// the expected content, and an index that names them all. Gives the index.
///
/// # Errors
/// What is missing or wrong when the time is over. Portage itself would say nothing: with a
/// broken index its plan is empty and its exit code 0.
pub(crate) async fn wait_until_complete(
    host: &dyn Host,
    source: &Source,
    order: &InstallPackages,
    patience: Duration,
) -> Result<PackagesIndex, Failure> {
    let deadline = Instant::now() + patience;
    loop {
        let mut failure = match look(host, source, order).await {
            Ok(index) => return Ok(index),
            Err(failure) => failure,
        };
        if failure.class == FailureClass::Permanent {
            return Err(failure);
        }
        if Instant::now() >= deadline {
            // What is missing may come yet. What is there with other content stays so, and another
            // attempt would only put off the further round in which it is built again.
            if failure.cause == CORRUPT {
                failure.class = FailureClass::Permanent;
            }
            return Err(failure);
        }
        sleep(PAUSE).await;
    }
}

async fn look(
    host: &dyn Host,
    source: &Source,
    order: &InstallPackages,
) -> Result<PackagesIndex, Failure> {
    if let Source::Remote(remote) = source {
        remote.fetch(host, order).await?;
    }
    let store = source.folder();
    let found = measure(host, store, order).await?;
    for package in &order.packages {
        let binary = &package.binary;
        let Some((size, sha256)) = found.get(binary.path.as_str()) else {
            return Err(incomplete(
                "StoreLacksBinary",
                format!(
                    "the guest does not see {} in {} (PKGDIR); is the store mounted there?",
                    binary.path,
                    store.display()
                ),
            ));
        };
        if *size != binary.size || sha256 != binary.sha256.as_str() {
            return Err(incomplete(
                CORRUPT,
                format!(
                    "{} in {} has {size} bytes and SHA-256 {sha256}; it was stored with {} bytes \
                     and {}. A further round, or the next run, builds it again",
                    binary.path,
                    store.display(),
                    binary.size,
                    binary.sha256
                ),
            ));
        }
    }
    let index = read_index(host, store).await?;
    for package in &order.packages {
        let binary = &package.binary;
        let is_named = index
            .entries
            .iter()
            .any(|entry| entry.cpv == binary.cpv && entry.build_id == Some(binary.build_id));
        if !is_named {
            return Err(incomplete(
                "StoreIndexIncomplete",
                format!(
                    "the index {}/Packages does not name {}-{}, whose file is there; \
                     `emaint binhost --fix` on a builder heals it",
                    store.display(),
                    binary.cpv,
                    binary.build_id
                ),
            ));
        }
    }
    Ok(index)
}

/// Something that may still come while one waits.
fn incomplete(cause: &str, message: String) -> Failure {
    Failure::new(FailureClass::Machine, cause, message)
}

async fn measure(
    host: &dyn Host,
    store: &Path,
    order: &InstallPackages,
) -> Result<BTreeMap<String, (u64, String)>, Failure> {
    let paths = order
        .packages
        .iter()
        .map(|package| package.binary.path.to_string());
    let parameters = std::iter::once(store.display().to_string()).chain(paths);
    let command = Command::shell("measure", MEASURE, parameters).timeout(Duration::from_secs(1800));
    let output = ask(host, &command).await?;
    if output.status != ExitStatus::Code(0) {
        let said = String::from_utf8_lossy(&output.stderr);
        let message = format!(
            "the store {} cannot be read on the guest: {}; is it mounted?",
            store.display(),
            said.trim()
        );
        return Err(incomplete("StoreUnreachable", message));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let measured = text.lines().filter_map(|line| {
        let mut words = line.splitn(3, ' ');
        let size = words.next()?.parse().ok()?;
        let sha256 = words.next()?.to_owned();
        Some((words.next()?.to_owned(), (size, sha256)))
    });
    Ok(measured.collect())
}

async fn read_index(host: &dyn Host, store: &Path) -> Result<PackagesIndex, Failure> {
    let file = store.join("Packages").display().to_string();
    let command = Command::new("cat").arg(file.as_str());
    let output = ask(host, &command).await?;
    if output.status != ExitStatus::Code(0) {
        let message = format!(
            "the index {file} cannot be read on the guest: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        return Err(incomplete("StoreIndexBroken", message));
    }
    PackagesIndex::parse(&output.stdout).map_err(|error| {
        let message = format!(
            "the index {file} is broken as the guest sees it: {error}; with it Portage would find \
             nothing to install and call that success. `emaint binhost --fix` on a builder heals it"
        );
        incomplete("StoreIndexBroken", message)
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use gentoo_updater_hosts::{HostAddress, SshSettings, connect};
    use tempfile::TempDir;

    use super::*;
    use crate::proof::tests::{order, package};

    #[tokio::test]
    async fn other_content_is_final_when_the_time_is_over_and_a_missing_file_may_come_yet() {
        let folder = TempDir::new().unwrap();
        let address = HostAddress::Local;
        let host = connect(&address, &SshSettings::default()).await.unwrap();
        let order = order(vec![package("app-misc/hello-2.0", 3, &[])]);
        let path = order.packages[0].binary.path.below(folder.path());
        let store = Source::Mounted(folder.path().to_owned());
        let look = || wait_until_complete(host.as_ref(), &store, &order, Duration::ZERO);

        let failure = look().await.unwrap_err();
        assert_eq!(failure.cause, "StoreLacksBinary");
        assert_eq!(failure.class, FailureClass::Machine);

        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "spoiled").unwrap();
        let failure = look().await.unwrap_err();
        assert_eq!(failure.cause, CORRUPT);
        assert_eq!(failure.class, FailureClass::Permanent);
        assert!(failure.is_of_stored_binary(), "{failure:?}");
    }
}
