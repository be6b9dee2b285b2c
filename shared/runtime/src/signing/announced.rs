//! Which keys a store is signed with, told in the store itself: whether a binary there counts as
//! signed builders find there. Guests do not trust it, and whom they are taught to trust is asked of the
//! builders themselves.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use gentoo_updater_fleet::fingerprint::Fingerprint;
use gentoo_updater_fleet::message::{Failure, FailureClass};
use gentoo_updater_fleet::name::BuilderName;
use gentoo_updater_hosts::{Command, ExitStatus, Host, Output};
use serde::{Deserialize, Serialize};

use crate::machines::ask;

const FOLDER: &str = ".gentoo-updater/signing-keys";

/// Writes files into a folder. $1 the folder, then the name and the content of each.
const WRITE: &str = r#"
folder=$1
shift
mkdir -p -- "$folder" || exit 1
while [ "$#" -gt 1 ]; do
    printf '%s\n' "$2" > "$folder/$1.new" && sync "$folder/$1.new" &&
        mv -- "$folder/$1.new" "$folder/$1.json" || exit 1
    shift 2
done
"#;

/// Prints all of them, a line each.
const PRINT: &str = r#"
for file in "$1"/*.json; do
    [ ! -e "$file" ] || cat -- "$file" || exit 1
done
"#;

const LIMIT: Duration = Duration::from_secs(60);

/// That a builder of the store signs with a key, or did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// The key.
    pub fingerprint: Fingerprint,
    /// Whose it is.
    pub builder: BuilderName,
    /// When its time is over, in seconds since 1970.
    #[serde(default)]
    pub expires: Option<u64>,
}

/// Tells of these keys, whatever was told of them before.
///
/// # Errors
/// When the store cannot be written.
pub async fn announce(host: &dyn Host, store: &Path, keys: &[Announcement]) -> Result<(), Failure> {
    let mut parameters = vec![folder(store)];
    for key in keys {
        let text = serde_json::to_string(key).map_err(|error| {
            Failure::new(
                FailureClass::Permanent,
                "StoreUnwritable",
                error.to_string(),
            )
        })?;
        parameters.extend([key.fingerprint.to_string(), text]);
    }
    let command = Command::shell("announce", WRITE, parameters).timeout(LIMIT);
    run(host, &command, "StoreUnwritable").await.map(drop)
}

/// The keys whose signatures count at this time, in seconds since 1970. What cannot be read tells of
/// none.
///
/// # Errors
/// When the store cannot be read.
pub async fn announced(
    host: &dyn Host,
    store: &Path,
    now: u64,
) -> Result<BTreeSet<Fingerprint>, Failure> {
    let command = Command::shell("announced", PRINT, [folder(store)]).timeout(LIMIT);
    let output = run(host, &command, "StoreUnreadable").await?;
    let text = output.stdout_text();
    let told = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let counting = told.filter(|told: &Announcement| told.expires.is_none_or(|end| end > now));
    Ok(counting.map(|told| told.fingerprint).collect())
}

/// Tells of a key no more: what it signed does not count from now on.
///
/// # Errors
/// When the store cannot be written.
pub async fn withdraw(host: &dyn Host, store: &Path, key: &Fingerprint) -> Result<(), Failure> {
    let file = format!("{}/{key}.json", folder(store));
    let command = Command::new("rm").args(["-f", "--", &file]).timeout(LIMIT);
    run(host, &command, "StoreUnwritable").await.map(drop)
}

fn folder(store: &Path) -> String {
    store.join(FOLDER).display().to_string()
}

async fn run(host: &dyn Host, command: &Command, cause: &str) -> Result<Output, Failure> {
    let output = ask(host, command).await?;
    if output.status == ExitStatus::Code(0) {
        return Ok(output);
    }
    let message = format!("the keys of the store: {}", output.stderr_text().trim());
    Err(Failure::new(FailureClass::Machine, cause, message))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use gentoo_updater_hosts::{HostAddress, SshSettings, connect};
    use tempfile::TempDir;

    use super::*;

    #[tokio::test]
    async fn what_is_announced_counts_until_its_time_is_over_or_it_is_withdrawn() {
        let folder = TempDir::new().unwrap();
        let store = folder.path();
        let settings = SshSettings::default();
        let host = connect(&HostAddress::Local, &settings).await.unwrap();
        let host = host.as_ref();
        let key = |digit: &str, expires| Announcement {
            fingerprint: digit.repeat(40).parse().unwrap(),
            builder: "b1".parse().unwrap(),
            expires,
        };
        let known = async |now| announced(host, store, now).await.unwrap();
        assert_eq!(known(0).await, BTreeSet::new());
        let keys = [key("1", Some(100)), key("2", None), key("3", Some(200))];
        announce(host, store, &keys).await.unwrap();
        // One by which somebody said otherwise before, and one that cannot be read.
        announce(host, store, &[key("3", Some(300))]).await.unwrap();
        fs::write(store.join(FOLDER).join("4.json"), "cut o\n").unwrap();
        let all = keys.map(|key| key.fingerprint);
        assert_eq!(known(99).await, all.clone().into());
        assert_eq!(known(100).await, all[1..].iter().cloned().collect());
        withdraw(host, store, &all[1]).await.unwrap();
        assert_eq!(known(299).await, [all[2].clone()].into());
        assert_eq!(known(300).await, BTreeSet::new());
    }
}
