//! What a machine has installed, read from its VDB (`/var/db/pkg`), and what it had before a run.

use std::collections::BTreeMap;

use gentoo_updater_fleet::message::{Failure, FailureClass, PackageChange};
use gentoo_updater_fleet::name::RunId;
use gentoo_updater_hosts::{Command, ExitStatus, Host};
use gentoo_updater_portage::cpv::Cpv;

use crate::machines::ask;

/// Where a machine keeps what belongs to a run. The janitor removes it.
pub const RUNS: &str = "/var/lib/gentoo-updater/runs";

/// Every installed package with the number of its binary, if it came as one.
pub type Installed = BTreeMap<Cpv, Option<u32>>;

/// Prints one line a package: category/name-version, a blank, and the BUILD_ID if there is one.
const LIST: &str = r#"
cd /var/db/pkg
for package in */*/; do
    case $package in */-MERGING-*|'*/*/') continue ;; esac
    id=
    if [ -r "$package/BUILD_ID" ]; then read -r id < "$package/BUILD_ID" || :; fi
    printf '%s %s\n' "${package%/}" "$id"
done
"#;

/// Prints the list of `LIST` as it was when this was first asked for this run.
const LIST_BEFORE: &str = r#"
set -eu
file=$1/installed-before
if ! [ -e "$file" ]; then
    mkdir -p "$1"
    ( eval "$2" ) > "$file.$$"
    # Of two that ask at once, the first one's list stands.
    ln "$file.$$" "$file" 2>/dev/null || [ -e "$file" ]
    rm -f "$file.$$"
fi
cat "$file"
"#;

/// What the machine has installed now.
///
/// # Errors
/// When the machine cannot be asked, or its VDB holds what is no package.
pub async fn installed(host: &dyn Host) -> Result<Installed, Failure> {
    read(
        host,
        &Command::shell("installed", LIST, Vec::<String>::new()),
    )
    .await
}

/// What the machine had installed when it was first asked for this run. The list is kept on the
/// machine itself, so that it survives whoever asks.
///
/// # Errors
/// As [`installed`].
pub async fn installed_before(host: &dyn Host, run: RunId) -> Result<Installed, Failure> {
    let folder = format!("{RUNS}/{run}");
    read(
        host,
        &Command::shell("installed-before", LIST_BEFORE, [folder, LIST.to_owned()]),
    )
    .await
}

async fn read(host: &dyn Host, command: &Command) -> Result<Installed, Failure> {
    let output = ask(host, command).await?;
    if output.status != ExitStatus::Code(0) {
        let said = String::from_utf8_lossy(&output.stderr);
        let message = format!("the installed packages cannot be listed: {}", said.trim());
        return Err(Failure::new(
            FailureClass::Machine,
            "VdbUnreadable",
            message,
        ));
    }
    parse(&String::from_utf8_lossy(&output.stdout))
}

fn parse(text: &str) -> Result<Installed, Failure> {
    let mut installed = Installed::new();
    for line in text.lines() {
        let (name, id) = line.split_once(' ').unwrap_or((line, ""));
        let cpv = name.parse().map_err(|error| {
            let message = format!("/var/db/pkg/{name} is no package: {error}");
            Failure::new(FailureClass::Machine, "VdbUnreadable", message)
        })?;
        installed.insert(cpv, id.trim().parse().ok());
    }
    if installed.is_empty() {
        let message = "/var/db/pkg is empty: is this a Gentoo machine?".to_owned();
        return Err(Failure::new(
            FailureClass::Machine,
            "VdbUnreadable",
            message,
        ));
    }
    Ok(installed)
}

/// What changed between two lists.
///
/// A version that came while another of the same package went is one change from the old to the
/// new; the same version with another BUILD_ID is a change from itself to itself.
pub fn changes(before: &Installed, after: &Installed) -> Vec<PackageChange> {
    let mut gone: Vec<&Cpv> = before
        .keys()
        .filter(|cpv| !after.contains_key(*cpv))
        .collect();
    let mut changes = Vec::new();
    for (cpv, build_id) in after {
        if let Some(old_id) = before.get(cpv) {
            if old_id != build_id {
                changes.push(PackageChange {
                    before: Some(cpv.clone()),
                    after: Some(cpv.clone()),
                });
            }
            continue;
        }
        let same = |old: &&Cpv| old.category_package == cpv.category_package;
        let replaced = gone
            .iter()
            .position(same)
            .map(|index| gone.remove(index).clone());
        changes.push(PackageChange {
            before: replaced,
            after: Some(cpv.clone()),
        });
    }
    changes.extend(gone.into_iter().map(|cpv| PackageChange {
        before: Some(cpv.clone()),
        after: None,
    }));
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_and_what_is_no_package_is_refused() {
        let installed = parse("dev-libs/a-1.0 3\ndev-libs/b-2.0-r1 \n").unwrap();
        assert_eq!(installed[&"dev-libs/a-1.0".parse().unwrap()], Some(3));
        assert_eq!(installed[&"dev-libs/b-2.0-r1".parse().unwrap()], None);
        assert!(parse("").is_err());
        assert!(parse("dev-libs/;reboot \n").is_err());
    }

    #[test]
    fn upgrades_new_slots_rebuilds_and_removals_are_told_apart() {
        let before = parse("a/up-1 1\na/slotted-1 1\na/same-1 1\na/rebuilt-1 1\na/gone-1 1\n");
        let after = parse("a/up-2 1\na/slotted-1 1\na/slotted-2 1\na/same-1 1\na/rebuilt-1 2\n");
        let changes = changes(&before.unwrap(), &after.unwrap());
        let text: Vec<String> = changes
            .iter()
            .map(|change| {
                let name = |cpv: &Option<Cpv>| {
                    cpv.as_ref()
                        .map_or_else(|| "-".to_owned(), ToString::to_string)
                };
                format!("{} {}", name(&change.before), name(&change.after))
            })
            .collect();
        let expected = [
            "a/rebuilt-1 a/rebuilt-1",
            "- a/slotted-2",
            "a/up-1 a/up-2",
            "a/gone-1 -",
        ];
        assert_eq!(text, expected);
    }
}
