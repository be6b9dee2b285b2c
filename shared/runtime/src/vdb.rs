//! What a machine has installed, read from its VDB (`/var/db/pkg`), and what it had before a run.

use std::collections::{BTreeMap, BTreeSet};

use gentoo_updater_fleet::message::{Binary, Failure, FailureClass, PackageChange, Role};
use gentoo_updater_fleet::name::RunId;
use gentoo_updater_hosts::{Command, ExitStatus, Host, quote};
use gentoo_updater_portage::command;
use gentoo_updater_portage::cpv::Cpv;

use crate::emerge::in_own_environment;
use crate::machines::ask;

/// Where a machine keeps what belongs to a run. The janitor removes it.
pub const RUNS: &str = "/var/lib/gentoo-updater/runs";

/// Which build of a package is installed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Build {
    /// The number of its binary, if it came as one.
    pub id: Option<u32>,
    /// When it was built, in seconds since 1970.
    pub time: Option<u64>,
}

impl Build {
    /// Whether it is this very binary. The number alone does not say so: another store may have
    /// given it as well.
    pub fn is(&self, binary: &Binary) -> bool {
        self.id == Some(binary.build_id) && self.time == Some(binary.build_time)
    }
}

/// Every installed package.
pub type Installed = BTreeMap<Cpv, Build>;

/// Prints one line a package: category/name-version, BUILD_ID or `-`, BUILD_TIME or `-`.
const LIST: &str = r#"
cd /var/db/pkg
for package in */*/; do
    case $package in */-MERGING-*|'*/*/') continue ;; esac
    id=- time=-
    if [ -s "$package/BUILD_ID" ]; then read -r id < "$package/BUILD_ID" || :; fi
    if [ -s "$package/BUILD_TIME" ]; then read -r time < "$package/BUILD_TIME" || :; fi
    printf '%s %s %s\n' "${package%/}" "$id" "$time"
done
"#;

/// Prints the list of `LIST` as it was when this was first asked for this run and role.
const LIST_BEFORE: &str = r#"
set -eu
file=$1/before-$2
if ! [ -e "$file" ]; then
    mkdir -p "$1"
    ( eval "$3" ) > "$file.$$"
    # Of two that ask at once, the first one's list stands.
    ln "$file.$$" "$file" 2>/dev/null || [ -e "$file" ]
    rm -f "$file.$$"
fi
cat "$file"
"#;

/// Writes one name a line, whole or not at all.
const NOTE_ORDERED: &str = r#"
set -eu
folder=$1
shift
mkdir -p "$folder"
printf '%s\n' "$@" > "$folder/ordered.$$"
mv "$folder/ordered.$$" "$folder/ordered"
"#;

/// Prints a file, if it is there: what `NOTE_ORDERED` or `LIST_BEFORE` wrote.
const IF_WRITTEN: &str = r#"if [ -e "$1" ]; then cat "$1"; fi"#;

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

/// What the machine had installed when it was first asked for this run and role. The list is kept
/// on the machine itself, so that it survives whoever asks. A machine may be guest and builder.
///
/// A builder gets the new names of what it has installed first, if there are any: a package that
/// a build renamed would look like one that the build left behind. A guest got them when it was
/// scanned, and its binaries are ordered by those names.
///
/// # Errors
/// As [`installed`].
pub async fn installed_before(
    host: &dyn Host,
    run: RunId,
    role: Role,
) -> Result<Installed, Failure> {
    let list = match role {
        Role::Builder => {
            let rename = in_own_environment(command::apply_package_moves(), &[]);
            format!("{} >/dev/null\n{LIST}", quote::line(&rename))
        }
        _ => LIST.to_owned(),
    };
    let parameters = [format!("{RUNS}/{run}"), role.to_string(), list];
    read(
        host,
        &Command::shell("installed-before", LIST_BEFORE, parameters),
    )
    .await
}

/// Writes down what the run installs on the machine as a guest, before it does: where the guest
/// is a builder too, the janitor leaves that alone.
///
/// # Errors
/// When the machine cannot be written to.
pub async fn note_ordered(host: &dyn Host, run: RunId, packages: &[Cpv]) -> Result<(), Failure> {
    let parameters =
        std::iter::once(format!("{RUNS}/{run}")).chain(packages.iter().map(ToString::to_string));
    let output = ask(
        host,
        &Command::shell("note-ordered", NOTE_ORDERED, parameters),
    )
    .await?;
    if output.status == ExitStatus::Code(0) {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let message = format!("the machine cannot be written to: {}", said.trim());
    Err(Failure::new(
        FailureClass::Machine,
        "MachineUnwritable",
        message,
    ))
}

/// What [`note_ordered`] wrote down for this run; nothing on a machine that is no guest.
///
/// # Errors
/// When the machine cannot be asked.
pub async fn ordered(host: &dyn Host, run: RunId) -> Result<BTreeSet<Cpv>, Failure> {
    let command = Command::shell("ordered", IF_WRITTEN, [format!("{RUNS}/{run}/ordered")]);
    let output = ask(host, &command).await?;
    let text = String::from_utf8_lossy(&output.stdout);
    let read = |line: &str| {
        line.parse().map_err(|error| {
            let message = format!("the list of what was ordered holds {line:?}: {error}");
            Failure::new(FailureClass::Machine, "VdbUnreadable", message)
        })
    };
    text.lines().map(read).collect()
}

/// What the machine had installed before the builds of this run, where they were made on the machine
/// itself. `None`: it has built nothing for the run, or in clean rooms alone, which leave nothing.
///
/// # Errors
/// As [`installed`].
pub async fn before_builds(host: &dyn Host, run: RunId) -> Result<Option<Installed>, Failure> {
    let list = format!("{RUNS}/{run}/before-{}", Role::Builder);
    let output = ask(host, &Command::shell("before-builds", IF_WRITTEN, [list])).await?;
    if output.stdout.is_empty() {
        return Ok(None);
    }
    parse(&output.stdout_text()).map(Some)
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
        let mut words = line.split(' ');
        let name = words.next().unwrap_or_default();
        let id = words.next().and_then(|id| id.parse().ok());
        let time = words.next().and_then(|time| time.parse().ok());
        let cpv = name.parse().map_err(|error| {
            let message = format!("/var/db/pkg/{name} is no package: {error}");
            Failure::new(FailureClass::Machine, "VdbUnreadable", message)
        })?;
        installed.insert(cpv, Build { id, time });
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
/// new; the same version from another build is a change from itself to itself.
pub fn changes(before: &Installed, after: &Installed) -> Vec<PackageChange> {
    let mut gone: Vec<&Cpv> = before
        .keys()
        .filter(|cpv| !after.contains_key(*cpv))
        .collect();
    let mut changes = Vec::new();
    for (cpv, build) in after {
        if let Some(old) = before.get(cpv) {
            if old != build {
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
        let installed = parse("dev-libs/a-1.0 3 17\ndev-libs/b-2.0-r1 - -\n").unwrap();
        let a = installed[&"dev-libs/a-1.0".parse().unwrap()];
        assert_eq!(
            a,
            Build {
                id: Some(3),
                time: Some(17)
            }
        );
        assert_eq!(
            installed[&"dev-libs/b-2.0-r1".parse().unwrap()],
            Build::default()
        );
        assert!(parse("").is_err());
        assert!(parse("dev-libs/;reboot - -\n").is_err());
    }

    #[test]
    fn a_rebuild_that_got_the_same_number_in_another_store_is_a_change() {
        let before = parse("a/rebuilt-1 1 17\n").unwrap();
        let after = parse("a/rebuilt-1 1 18\n").unwrap();
        assert_eq!(changes(&before, &after).len(), 1);
        assert!(changes(&before, &before).is_empty());
    }

    #[test]
    fn upgrades_new_slots_rebuilds_and_removals_are_told_apart() {
        let before =
            parse("a/up-1 1 1\na/slotted-1 1 1\na/same-1 1 1\na/rebuilt-1 1 1\na/gone-1 1 1\n");
        let after =
            parse("a/up-2 1 2\na/slotted-1 1 1\na/slotted-2 1 2\na/same-1 1 1\na/rebuilt-1 2 2\n");
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
