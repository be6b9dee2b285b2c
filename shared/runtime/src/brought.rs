//! What the builds of a run have put on the machine itself, and nobody else has.
//!
//! That a package is there now and was not before the run does not say who has installed it: an
//! administrator may have done so meanwhile. So a build on the machine itself leaves in a folder of
//! its own ([`folder_of_build`])
//!
//! - `emerge.log`, in which emerge says what it installs before it does, so that a build that was
//!   killed is told of, too;
//! - `before` and `after`, what was installed when it began and when it ended, with the COUNTER of
//!   each package, by which Portage numbers all that is ever installed on a machine.
//!
//! The builds' is what one of them has installed that nobody else had installed by then, and that
//! nobody has installed again.

mod told;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use gentoo_updater_fleet::message::{Failure, FailureClass};
use gentoo_updater_fleet::name::RunId;
use gentoo_updater_hosts::{Command, ExitStatus, Host};
use gentoo_updater_portage::cpv::Cpv;

use crate::machines::ask;
use crate::vdb::{self, Installed, RUNS};
use told::Told;

/// Prints the logs of all builds: `FOLDER/emerge.log:LINE`.
const LOGS: &str = r#"
cd "$1/builds" 2> /dev/null || exit 0
for log in */emerge.log; do
    [ ! -e "$log" ] || grep -H '' -- "$log"
    [ "$?" -le 1 ] || exit 2
done
"#;

/// Prints what builds found and left of packages whose names begin as one of these lines, and what of
/// them is there now: `FOLDER/before:CPV/COUNTER:NUMBER`, and the same with `after` or with `now`
/// alone.
const COUNTERS: &str = r#"
cd "$1/builds" || exit 2
for list in */before */after; do
    [ ! -e "$list" ] || grep -H -F -e "$2" -- "$list"
    [ "$?" -le 1 ] || exit 2
done
cd /var/db/pkg || exit 2
grep -H '' -- */*/COUNTER | sed 's/^/now:/' | grep -F -e "$2"
[ "$?" -le 1 ] || exit 2
"#;

/// Where a build on the machine itself leaves what it did. The folder of the run holds it.
pub fn folder_of_build(run: RunId, job: &str, attempt: u32) -> PathBuf {
    Path::new(RUNS)
        .join(run.to_string())
        .join(format!("builds/{job}.{attempt}"))
}

/// What builds have put on a machine.
#[derive(Debug)]
pub struct Brought {
    /// What was installed before the first build.
    pub before: Installed,
    /// What builds have put there, and is there. Not among it are a new version of what was there
    /// before, what the machine ordered as a guest, and what is somebody else's.
    pub packages: Vec<Cpv>,
}

/// What the builds of this run have put on the machine itself. `None`: it has built nothing for the
/// run, or in clean rooms alone, which leave nothing.
///
/// # Errors
/// When the machine cannot be asked, or its VDB holds what is no package.
pub async fn by_builds(host: &dyn Host, run: RunId) -> Result<Option<Brought>, Failure> {
    let Some(before) = vdb::before_builds(host, run).await? else {
        return Ok(None);
    };
    let folder = format!("{RUNS}/{run}");
    let logs = Command::shell("logs-of-builds", LOGS, [folder.clone()]);
    let mut told = Told::by_logs(&read(host, &logs).await?);
    let ordered = vdb::ordered(host, run).await?;
    let now = vdb::installed(host).await?;
    let mut packages = new(&before, &now, &ordered);
    packages.retain(|cpv| told.has_merged(cpv));
    if !packages.is_empty() {
        let names = packages
            .iter()
            .map(|cpv| format!("{}-", cpv.category_package));
        let names = names.collect::<Vec<_>>().join("\n");
        let counters = Command::shell("counters", COUNTERS, [folder, names]);
        told.add_counters(&read(host, &counters).await?);
        let of_builds = told.of_builds();
        packages.retain(|cpv| of_builds.contains(cpv));
    }
    Ok(Some(Brought { before, packages }))
}

async fn read(host: &dyn Host, command: &Command) -> Result<String, Failure> {
    let output = ask(host, command).await?;
    if output.status == ExitStatus::Code(0) {
        return Ok(output.stdout_text());
    }
    let said = output.stderr_text();
    let message = format!("what builds have installed is not known: {}", said.trim());
    let class = FailureClass::Machine;
    Err(Failure::new(class, "BuildsUnknown", message))
}

/// The packages that are there now and were not there before in any version, and were not ordered.
fn new(before: &Installed, now: &Installed, ordered: &BTreeSet<Cpv>) -> Vec<Cpv> {
    vdb::changes(before, now)
        .into_iter()
        .filter(|change| change.before.is_none())
        .filter_map(|change| change.after)
        .filter(|cpv| !ordered.contains(cpv))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_was_not_there_before_in_any_version_and_was_not_ordered() {
        let cpvs = |names: &[&str]| -> Vec<Cpv> {
            names.iter().map(|name| name.parse().unwrap()).collect()
        };
        let installed = |names: &[&str]| -> Installed {
            let packages = cpvs(names).into_iter();
            packages.map(|cpv| (cpv, vdb::Build::default())).collect()
        };
        let before = installed(&["a/library-1", "a/slotted-1", "a/admins-1"]);
        let now = installed(&[
            "a/library-2",
            "a/slotted-1",
            "a/slotted-2",
            "a/admins-1",
            "a/dep-1",
        ]);
        let new = |ordered: &[&str]| new(&before, &now, &cpvs(ordered).into_iter().collect());
        assert_eq!(new(&[]), cpvs(&["a/dep-1", "a/slotted-2"]));
        assert_eq!(new(&["a/slotted-2"]), cpvs(&["a/dep-1"]));
    }
}
