//! Packages that nothing on a guest needs any more: named, or removed where the policy says so.

use std::time::Duration;

use gentoo_updater_fleet::message::{Failure, FailureClass, Finding, FindingKind, InstallPackages};
use gentoo_updater_fleet::name::RunId;
use gentoo_updater_hosts::job::JobOutcome;
use gentoo_updater_hosts::{ExitStatus, Host};
use gentoo_updater_portage::command;
use gentoo_updater_portage::cpv::Cpv;
use gentoo_updater_portage::depclean::{self, Verbosity};
use gentoo_updater_portage::outcome;
use gentoo_updater_runtime::emerge::in_own_environment;
use gentoo_updater_runtime::{ask, brought, jobs};

/// How many packages a finding names in its one line.
const NAMED: usize = 8;

/// How long the question, and how long the removal may take.
pub(crate) struct Limits {
    pub(crate) question: Duration,
    pub(crate) removal: Duration,
}

/// The packages that nothing on the guest needs, by its own Portage, but for those that a build on
/// this machine needs: where the guest is a builder too, the janitor removes them in the end.
///
/// # Errors
/// When the guest cannot be asked, or its answer is not understood.
pub(crate) async fn packages(
    host: &dyn Host,
    run: RunId,
    limits: &Limits,
) -> Result<Vec<Cpv>, Failure> {
    let question = in_own_environment(command::plan_unneeded(), &[]).timeout(limits.question);
    let output = ask(host, &question).await?;
    let status = match output.status {
        ExitStatus::Code(status) => status,
        _ => -1,
    };
    let (stdout, stderr) = (output.stdout_text(), output.stderr_text());
    let plan = depclean::parse(&stdout, &stderr, status, Verbosity::Normal);
    let plan = plan.map_err(|error| {
        let message = format!("which packages nothing needs any more is not known: {error}");
        Failure::new(FailureClass::Permanent, "DepcleanNotUnderstood", message)
    })?;
    let of_builds = brought::by_builds(host, run).await?;
    let of_builds = of_builds.map_or_else(Vec::new, |brought| brought.packages);
    let unneeded = plan.removed.into_iter();
    Ok(unneeded.filter(|cpv| !of_builds.contains(cpv)).collect())
}

/// Removes what may be removed of these, detached. What is removed shows in what is installed.
///
/// # Errors
/// When the guest cannot be asked, or emerge does not end well.
pub(crate) async fn remove(
    host: &dyn Host,
    order: &InstallPackages,
    packages: &[Cpv],
    limits: &Limits,
) -> Result<(), Failure> {
    let removable: Vec<Cpv> = packages
        .iter()
        .filter(|c| is_removable(c))
        .cloned()
        .collect();
    let description = jobs::Description::new(
        format!("unneeded-{}", order.run),
        format!("depclean-{}.log", order.guest),
        order.run,
    );
    // Without a package emerge would take all that nothing needs.
    if removable.is_empty() {
        return Ok(());
    }
    let line = command::remove_unneeded(&removable);
    let program = in_own_environment(line, &[]).timeout(limits.removal);
    let ended = jobs::run(host, &description, program).await?;
    // Exit code 1 also means that all of it is needed by now.
    if matches!(ended.outcome, JobOutcome::Exited(0 | 1)) {
        return Ok(());
    }
    let message = format!("emerge --depclean on {} did not end well", order.guest);
    let failure = Failure::new(FailureClass::Permanent, "DepcleanFailed", message);
    let log_path = format!("{}:{}", order.guest, ended.log_path);
    Err(failure.with_log(outcome::last_lines(&ended.log, 25), log_path))
}

/// Whether it may go unasked. A kernel may be the one that runs, and a compiler the one that is
/// chosen: whether they are is not known to Portage.
fn is_removable(cpv: &Cpv) -> bool {
    let name = cpv.category_package.to_string();
    !name.starts_with("sys-kernel/")
        && !matches!(name.as_str(), "sys-devel/gcc" | "llvm-core/clang")
}

/// What was removed, in one finding: of what nothing needed before, what is no longer there.
pub(crate) fn removed(before: &[Cpv], left: &[Cpv]) -> Option<Finding> {
    let gone = before.iter().filter(|cpv| !left.contains(cpv));
    let names: Vec<String> = gone.map(Cpv::to_string).collect();
    let text = format!("removed, for nothing needed them: {}", some_of(&names));
    let finding = || Finding::new(FindingKind::Unneeded, &text);
    (!names.is_empty()).then(|| finding().with_details(names.clone()))
}

/// The first names of a list, and how many more there are.
fn some_of(names: &[String]) -> String {
    let (named, others) = names.split_at(names.len().min(NAMED));
    let more = match others.len() {
        0 => String::new(),
        number => format!(" and {number} more"),
    };
    format!("{}{more}", named.join(" "))
}

/// These packages in one finding, if there are any.
pub(crate) fn finding(packages: &[Cpv]) -> Option<Finding> {
    let names: Vec<String> = packages.iter().map(Cpv::to_string).collect();
    let text = format!(
        "needed by nothing any more: {}; emerge --depclean removes, emerge --noreplace keeps",
        some_of(&names)
    );
    let finding = || Finding::new(FindingKind::Unneeded, &text).about("depclean");
    (!names.is_empty()).then(|| finding().with_details(names.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_and_compilers_are_named_and_never_removed() {
        let is = |name: &str| is_removable(&name.parse().unwrap());
        assert!(is("dev-libs/libalpha-1.0") && is("sys-apps/kernel-1"));
        for name in ["sys-kernel/gentoo-kernel-6.6.1", "sys-devel/gcc-13.2.0"] {
            assert!(!is(name), "{name}");
        }
    }

    #[test]
    fn what_was_removed_is_what_is_no_longer_left() {
        let cpvs = |names: &[&str]| -> Vec<Cpv> {
            names.iter().map(|name| name.parse().unwrap()).collect()
        };
        let before = cpvs(&["a/a-1", "a/b-1", "sys-kernel/k-1"]);
        let told = removed(&before, &cpvs(&["sys-kernel/k-1"])).unwrap();
        assert_eq!(told.text, "removed, for nothing needed them: a/a-1 a/b-1");
        assert_eq!(told.details, ["a/a-1", "a/b-1"]);
        assert_eq!(told.subject, None, "there is nothing to be done");
        assert_eq!(removed(&before, &before), None);
    }

    #[test]
    fn many_packages_are_one_finding_with_all_of_them_in_its_details() {
        assert_eq!(finding(&[]), None);
        let names = (0..10).map(|number| format!("a/a-{number}").parse().unwrap());
        let packages: Vec<Cpv> = names.collect();
        let told = finding(&packages).unwrap();
        assert!(
            told.text.contains("a/a-7 and 2 more; emerge"),
            "{}",
            told.text
        );
        assert_eq!(told.details.len(), 10);
        assert_eq!(told.subject.as_deref(), Some("depclean"));
    }
}
