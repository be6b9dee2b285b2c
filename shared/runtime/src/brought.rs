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
//!
//! Of a run whose cleaning failed for good all that stays, and what it has brought goes with what the
//! next one brings that is cleaned up after.

mod told;
mod uncleaned;

pub(crate) use uncleaned::CLEANED;
pub use uncleaned::note_cleaned;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use gentoo_updater_fleet::message::{Failure, FailureClass, PackageChange};
use gentoo_updater_fleet::name::RunId;
use gentoo_updater_hosts::{Command, ExitStatus, Host};
use gentoo_updater_portage::cpv::Cpv;

use crate::machines::ask;
use crate::vdb::{self, Installed, RUNS};
use told::Told;

/// Prints the logs of all builds of runs: `RUN/builds/NAME/emerge.log:LINE`.
const LOGS: &str = r#"
cd "$1" || exit 2
shift
for run; do
    for log in "$run"/builds/*/emerge.log; do
        [ ! -e "$log" ] || grep -H '' -- "$log"
        [ "$?" -le 1 ] || exit 2
    done
done
"#;

/// Prints what builds found and left of packages whose names begin as one of the lines of `$2`, which
/// builds came to their end, and what of these packages is there now:
///
/// - `RUN/builds/NAME/before:CPV/COUNTER:NUMBER`, and the same with `after`;
/// - `ended:RUN/builds/NAME`;
/// - `now:CPV/COUNTER:NUMBER`, and `merged:CPV/COUNTER:SECONDS`, when it was installed.
const COUNTERS: &str = r#"
names=$2
cd "$1" || exit 2
shift 2
for run; do
    for list in "$run"/builds/*/before "$run"/builds/*/after; do
        [ -e "$list" ] || continue
        case $list in */after) printf 'ended:%s\n' "${list%/after}" ;; esac
        grep -H -F -e "$names" -- "$list"
        [ "$?" -le 1 ] || exit 2
    done
done
cd /var/db/pkg || exit 2
grep -H '' -- */*/COUNTER | sed 's/^/now:/' | grep -F -e "$names"
[ "$?" -le 1 ] || exit 2
stat -c 'merged:%n:%Y' -- */*/COUNTER | grep -F -e "$names"
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
    /// The runs whose builds these are, the oldest first: the one that is asked for, and those before it
    /// after which the machine was not cleaned.
    pub runs: Vec<RunId>,
    /// What was installed before the first build of the newest of them.
    pub before: Installed,
    /// What builds have put there, and is there. Not among it are a new version of what was there
    /// before, what the machine ordered as a guest, and what is somebody else's.
    pub packages: Vec<Cpv>,
    /// What was there before and a build has removed, since it was in the way of something else.
    pub gone: Vec<PackageChange>,
}

/// What the builds of this run have put on the machine itself, and those of runs before it after which
/// the machine was not cleaned. `None`: they have built nothing, or in clean rooms alone, which leave
/// nothing.
///
/// # Errors
/// When the machine cannot be asked, its VDB holds what is no package, or a list from before the builds
/// is gone.
pub async fn by_builds(host: &dyn Host, run: RunId) -> Result<Option<Brought>, Failure> {
    let runs = uncleaned::runs(host, run).await?;
    let (Some(oldest), Some(newest)) = (runs.first(), runs.last()) else {
        return Ok(None);
    };
    let first = before(host, *oldest).await?;
    let newest = before(host, *newest).await?;
    let words: Vec<String> = runs.iter().map(ToString::to_string).collect();
    let folders = [RUNS.to_owned()].into_iter().chain(words.iter().cloned());
    let logs = Command::shell("logs-of-builds", LOGS, folders);
    let mut told = Told::by_logs(&read(host, &logs).await?);
    let mut ordered = BTreeSet::new();
    for run in &runs {
        ordered.extend(vdb::ordered(host, *run).await?);
    }
    let now = vdb::installed(host).await?;
    let mut packages = new(&first, &now, &ordered);
    packages.retain(|cpv| told.has_merged(cpv));
    if !packages.is_empty() {
        let names = packages
            .iter()
            .map(|cpv| format!("{}-", cpv.category_package));
        let names = names.collect::<Vec<_>>().join("\n");
        let parameters = [RUNS.to_owned(), names].into_iter().chain(words);
        let counters = Command::shell("counters", COUNTERS, parameters);
        told.add_counters(&read(host, &counters).await?);
        let of_builds = told.of_builds();
        packages.retain(|cpv| of_builds.contains(cpv));
    }
    let gone = gone(&first, &now, &told);
    Ok(Some(Brought {
        runs,
        before: newest,
        packages,
        gone,
    }))
}

/// The list from before the builds of a run, which was there a moment ago.
async fn before(host: &dyn Host, run: RunId) -> Result<Installed, Failure> {
    let list = vdb::before_builds(host, run).await?;
    list.ok_or_else(|| {
        let message = format!("the list of what was installed before the builds of {run} is gone");
        Failure::new(FailureClass::Machine, "BuildsUnknown", message)
    })
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

/// What was there before in a version that a build has removed, and is not there in any now.
fn gone(before: &Installed, now: &Installed, told: &Told) -> Vec<PackageChange> {
    let mut gone = vdb::changes(before, now);
    gone.retain(|change| match (&change.before, &change.after) {
        (Some(before), None) => told.has_removed(before),
        _ => false,
    });
    gone
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installed(names: &[&str]) -> Installed {
        let packages = names.iter().map(|name| name.parse().unwrap());
        packages.map(|cpv| (cpv, vdb::Build::default())).collect()
    }

    #[test]
    fn what_is_new_was_not_there_before_in_any_version_and_was_not_ordered() {
        let cpvs = |names: &[&str]| -> Vec<Cpv> {
            names.iter().map(|name| name.parse().unwrap()).collect()
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
    #[test]
    fn a_package_that_a_build_removed_is_named_and_one_that_somebody_removed_is_not() {
        let before = installed(&["a/blocked-1", "a/admins-1", "a/replaced-1"]);
        let now = installed(&["a/replaced-2", "a/new-1"]);
        let told = Told::by_logs(
            "r/builds/x.1/emerge.log:10: === Unmerging... (a/blocked-1)\n\
             r/builds/x.1/emerge.log:11:  >>> unmerge success: a/blocked-1\n\
             r/builds/x.1/emerge.log:12:  >>> unmerge success: a/replaced-1\n",
        );
        let gone = gone(&before, &now, &told);
        let names: Vec<String> = gone
            .iter()
            .filter_map(|change| change.before.as_ref().map(Cpv::to_string))
            .collect();
        assert_eq!(names, ["a/blocked-1"]);
    }
}
