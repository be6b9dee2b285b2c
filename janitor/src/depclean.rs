//! Removing what builds have put on the machine itself, and naming what stays.

use std::time::Duration;

use gentoo_updater_fleet::message::{
    CleanBuilder, Failure, FailureClass, Finding, FindingKind, PackageChange,
};
use gentoo_updater_fleet::name::BuilderName;
use gentoo_updater_hosts::job::JobOutcome;
use gentoo_updater_hosts::{Command, ExitStatus, Host};
use gentoo_updater_portage::command;
use gentoo_updater_portage::cpv::Cpv;
use gentoo_updater_portage::depclean::{self, Depclean, DepcleanError, Kept, Verbosity};
use gentoo_updater_portage::outcome;
use gentoo_updater_runtime::vdb::{self, Installed};
use gentoo_updater_runtime::{ask, emerge, jobs};

/// How many of those that need a package a finding names.
const NAMED: usize = 3;

/// Runs `$2` …, and notes in the file `$1` when that began and ended: by that it is known which files came
/// of it (`cruft/machine/windows.py`). Whoever is killed has noted no end.
///
/// Exit code 90: that could not be noted.
const TIMED: &str = r#"
notes=$1
shift
note() { printf '%s %s\n' "$1" "$(date +%s.%N)" >> "$notes" || exit 90; }
note begin
"$@"
status=$?
note end
exit "$status"
"#;

/// Removes those of these packages that nothing needs, in the order that Portage finds right.
///
/// # Errors
/// When the machine cannot be asked, or emerge does not end well.
pub(crate) async fn remove(
    host: &dyn Host,
    order: &CleanBuilder,
    packages: &[Cpv],
    limit: Duration,
) -> Result<(), Failure> {
    let description = jobs::Description::new(
        format!("clean-{}-{}", order.run, order.attempt),
        "clean.log".to_owned(),
        order.run,
    );
    let line = command::depclean(packages);
    let line = emerge::in_own_environment(line, &[]);
    let program = timed(&format!("{}/{}/cleaning", vdb::RUNS, order.run), line).timeout(limit);
    let ended = jobs::run(host, &description, program).await?;
    // Exit code 1 also means that all of it is needed by now: what counts is what is there.
    if matches!(ended.outcome, JobOutcome::Exited(0 | 1)) {
        return Ok(());
    }
    let message = format!("emerge --depclean on {} did not end well", order.builder);
    let log_path = format!("{}:{}", order.builder, ended.log_path);
    let failure = Failure::new(FailureClass::Transient, "DepcleanFailed", message);
    Err(failure.with_log(outcome::last_lines(&ended.log, 25), log_path))
}

/// A program with notes of its time. It is begun when the machine's lock is held: what is waited for
/// before is somebody else's time.
fn timed(notes: &str, program: Command) -> Command {
    let words = std::iter::once(notes.to_owned()).chain(program.argv);
    Command::shell("depclean", TIMED, words)
}

/// Says of each of these packages, which stay, what needs it.
///
/// # Errors
/// When the machine cannot be asked, emerge refuses to say what is needed, or nothing needs one of them.
pub(crate) async fn why_kept(
    host: &dyn Host,
    order: &CleanBuilder,
    packages: &[Cpv],
    limit: Duration,
) -> Result<Vec<Finding>, Failure> {
    if packages.is_empty() {
        return Ok(Vec::new());
    }
    let line = command::plan_depclean(packages);
    let question = emerge::in_own_environment(line, &[]).timeout(limit);
    let output = ask(host, &question).await?;
    let status = match output.status {
        ExitStatus::Code(status) => status,
        _ => -1,
    };
    let (stdout, stderr) = (output.stdout_text(), output.stderr_text());
    let plan = depclean::parse(&stdout, &stderr, status, Verbosity::Normal);
    reasons(&order.builder, packages, plan)
}

fn reasons(
    builder: &BuilderName,
    packages: &[Cpv],
    plan: Result<Depclean, DepcleanError>,
) -> Result<Vec<Finding>, Failure> {
    let names: Vec<String> = packages.iter().map(ToString::to_string).collect();
    let names = names.join(", ");
    let plan = plan.map_err(|error| match &error {
        DepcleanError::Unresolved(_) | DepcleanError::Failed { .. } => {
            let message = format!(
                "what builds have put on {builder} stays: {names}; {error}; when that is mended, the \
                 next run removes it"
            );
            Failure::new(FailureClass::Permanent, "DepcleanRefused", message)
        }
        _ => {
            let message = format!("what needs {names} on {builder} is not known: {error}");
            Failure::new(FailureClass::Permanent, "DepcleanNotUnderstood", message)
        }
    })?;
    let unneeded = packages.iter().filter(|cpv| plan.removed.contains(*cpv));
    let unneeded: Vec<String> = unneeded.map(ToString::to_string).collect();
    if !unneeded.is_empty() {
        let message = format!(
            "emerge --depclean left {} on {builder}, which nothing needs; clean.log beside the logs \
             of the run says why",
            unneeded.join(", ")
        );
        let class = FailureClass::Transient;
        return Err(Failure::new(class, "DepcleanIncomplete", message));
    }
    let findings = packages.iter().map(|cpv| finding(cpv, &plan.kept));
    Ok(findings.collect())
}

fn finding(cpv: &Cpv, kept: &[Kept]) -> Finding {
    let reasons = kept.iter().filter(|kept| kept.cpv == *cpv);
    let parents: Vec<String> = reasons
        .flat_map(|kept| &kept.reasons)
        .map(|reason| reason.parent.to_string())
        .collect();
    let text = match parents.as_slice() {
        [] => format!("{cpv} stays: emerge does not remove it, and does not say what needs it"),
        some => {
            let named = some.iter().take(NAMED).map(String::as_str);
            let named = named.collect::<Vec<_>>().join(", ");
            let more = match some.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!("{cpv} stays: it is needed by {named}{more}")
        }
    };
    Finding::new(FindingKind::Other, &text)
}

/// What was there before and has another version, or another binary of the same version, now.
pub(crate) fn updated(before: &Installed, now: &Installed) -> Vec<PackageChange> {
    vdb::changes(before, now)
        .into_iter()
        .filter(|change| change.before.is_some() && change.after.is_some())
        .collect()
}

/// What was removed of what was to be removed.
pub(crate) fn removed(to_remove: &[Cpv], now: &Installed) -> Vec<PackageChange> {
    let gone = to_remove.iter().filter(|cpv| !now.contains_key(*cpv));
    gone.map(|cpv| PackageChange {
        before: Some(cpv.clone()),
        after: None,
    })
    .collect()
}

/// What is still there of what was to be removed.
pub(crate) fn left(to_remove: &[Cpv], now: &Installed) -> Vec<Cpv> {
    let left = to_remove.iter().filter(|cpv| now.contains_key(*cpv));
    left.cloned().collect()
}

#[cfg(test)]
mod tests {
    use gentoo_updater_portage::depclean::{Parent, Reason};

    use super::*;

    fn installed(names: &[&str]) -> Installed {
        names
            .iter()
            .map(|name| (name.parse().unwrap(), Default::default()))
            .collect()
    }

    #[test]
    fn what_has_another_version_now_is_named_and_what_came_new_is_not() {
        let before = installed(&["a/library-1", "a/slotted-1"]);
        let now = installed(&["a/library-2", "a/slotted-1", "a/slotted-2"]);
        assert_eq!(updated(&before, &now).len(), 1);
    }

    #[test]
    fn what_is_still_needed_is_not_called_removed() {
        let to_remove = ["a/dep-1".parse().unwrap(), "a/dep-2".parse().unwrap()];
        let now = installed(&["a/dep-2"]);
        assert_eq!(removed(&to_remove, &now).len(), 1);
        assert_eq!(left(&to_remove, &now), to_remove[1..]);
    }

    #[test]
    fn a_package_that_stays_is_named_with_what_needs_it() {
        let cpv: Cpv = "a/dep-1".parse().unwrap();
        let reason = |parent: Parent| Reason {
            parent,
            needs: Vec::new(),
        };
        let set = Parent::Set("selected".to_owned());
        let package = |name: &str| Parent::Package(name.parse().unwrap());
        let mut kept = Kept {
            cpv: cpv.clone(),
            reasons: vec![reason(set), reason(package("b/user-1"))],
        };
        let other = Kept {
            cpv: "a/other-1".parse().unwrap(),
            reasons: vec![reason(package("b/nobody-1"))],
        };
        let text = |kept: &[Kept]| finding(&cpv, kept).text;
        assert_eq!(
            text(&[other.clone(), kept.clone()]),
            "a/dep-1 stays: it is needed by @selected, b/user-1"
        );
        kept.reasons
            .extend(["b/user-2", "b/user-3"].map(|name| reason(package(name))));
        assert!(text(&[kept]).ends_with("b/user-1, b/user-2 and 1 more"));
        assert_eq!(
            text(&[other]),
            "a/dep-1 stays: emerge does not remove it, and does not say what needs it"
        );
    }

    #[test]
    fn where_emerge_refuses_to_remove_anything_the_cleaning_has_failed() {
        let builder = "b1".parse().unwrap();
        let packages = ["dev-libs/libalpha-1.0".parse().unwrap()];
        let read = |stdout: &str, stderr: &str| {
            let plan = depclean::parse(stdout, stderr, 1, Verbosity::Normal);
            reasons(&builder, &packages, plan)
        };
        let folder = "../shared/portage/tests/fixtures/depclean/missing-dependency";
        let text = |kind: &str| std::fs::read_to_string(format!("{folder}.{kind}")).unwrap();
        let failure = read(&text("out"), &text("err")).unwrap_err();
        assert_eq!(failure.cause, "DepcleanRefused");
        for words in [
            "dev-libs/libalpha-1.0;",
            "dev-libs/libgamma of www-servers/tinyd-2.0",
            "next run",
        ] {
            assert!(failure.message.contains(words), "{}", failure.message);
        }
        let odd = read("no list at all", "").unwrap_err();
        assert!(odd.cause.starts_with("Depclean"), "{}", odd.cause);
    }

    #[test]
    fn what_nothing_needs_and_is_there_was_not_removed() {
        let cpv: Cpv = "a/dep-1".parse().unwrap();
        let plan = Depclean {
            removed: vec![cpv.clone()],
            ..Depclean::default()
        };
        let failure = reasons(&"b1".parse().unwrap(), &[cpv], Ok(plan)).unwrap_err();
        assert_eq!(failure.cause, "DepcleanIncomplete");
    }

    #[test]
    fn the_time_of_a_removal_is_noted_around_it_and_its_exit_code_is_kept() {
        let folder = tempfile::TempDir::new().unwrap();
        let notes = folder.path().join("cleaning").display().to_string();
        let run = |notes: &str, script: &str| {
            let command = timed(notes, Command::shell("x", script, [notes]));
            let mut program = std::process::Command::new(&command.argv[0]);
            program.args(&command.argv[1..]).status().unwrap().code()
        };
        assert_eq!(run(&notes, r#"grep -q "^begin " "$1" && exit 7"#), Some(7));
        assert_eq!(run(&notes, "kill -9 $PPID"), None);
        let text = std::fs::read_to_string(&notes).unwrap();
        let words: Vec<&str> = text
            .lines()
            .filter_map(|line| line.split(' ').next())
            .collect();
        assert_eq!(words, ["begin", "end", "begin"], "{text}");
        assert_eq!(run("/nowhere/notes", "exit 0"), Some(90));
    }
}
