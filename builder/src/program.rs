//! The shell programs that run on a builder machine, with the job's values in them.
//!
//! The programs themselves are files of this crate. Values reach them as positional parameters,
//! and the command lines of emerge as lines whose every word is quoted.

use std::path::{Path, PathBuf};

use gentoo_updater_fleet::message::{BuildPackage, Job};
use gentoo_updater_fleet::name::{RunId, StorePath};
use gentoo_updater_hosts::{Command, quote};
use gentoo_updater_portage::build_key::BuildKey;
use gentoo_updater_portage::command::{self, CommandLine};
use gentoo_updater_portage::cpv::ExactPackage;
use gentoo_updater_runtime::emerge::in_own_environment;

const BUILD: &str = include_str!("build.sh");
const PUBLISH: &str = concat!(include_str!("lock.sh"), include_str!("publish.sh"));

/// Where a builder works. The janitor removes the folder of a run as a whole.
pub(crate) const WORK: &str = "/var/tmp/gentoo-updater";

/// Exit codes of the build program.
pub(crate) mod status {
    /// The machine is unfit.
    pub(crate) const UNFIT: i32 = 20;
    /// The dependencies from the store could not be installed.
    pub(crate) const DEPENDENCIES: i32 = 21;
    /// Other dependencies could not be installed.
    pub(crate) const OTHER_DEPENDENCIES: i32 = 22;
    /// The package itself could not be built.
    pub(crate) const BUILD: i32 = 23;
    /// The lock of the store could not be had.
    pub(crate) const STORE_LOCKED: i32 = 31;
    /// The index of the store could not be brought up to date.
    pub(crate) const INDEX: i32 = 32;
}

/// The working folder of one job of one run.
pub(crate) fn work_folder(run: RunId, job: &Job) -> PathBuf {
    Path::new(WORK).join(run.to_string()).join(job.id.short())
}

/// Builds a job into its private folder. `missing` are the dependencies that the machine does
/// not have yet, each behind those that it needs.
pub(crate) fn build(command: &BuildPackage, missing: &[ExactPackage], store: &Path) -> Command {
    let key = &command.job.key;
    let work = work_folder(command.run, &command.job);
    let configuration = work.join("config");
    let packages = work.join("packages");
    let in_store = [("PKGDIR", store)];
    let own = [
        ("PKGDIR", packages.as_path()),
        ("PORTAGE_CONFIGROOT", configuration.as_path()),
    ];
    let mut text = BUILD.to_owned();
    let mut step = |words: &str, line: CommandLine, variables: &[(&str, &Path)], code: i32| {
        let line = quote::line(&in_own_environment(line, variables));
        text.push_str(&format!(
            "step {}\n{line} || exit {code}\n",
            quote::word(words)
        ));
    };
    if !missing.is_empty() {
        let line = command::merge_without_dependencies(missing);
        step(
            "install the dependencies from the store",
            line,
            &in_store,
            status::DEPENDENCIES,
        );
    }
    let line = command::only_dependencies(&key.cpv, &key.repository);
    step(
        "install other dependencies",
        line,
        &own,
        status::OTHER_DEPENDENCIES,
    );
    let line = command::build_binary(&key.cpv, &key.repository);
    step("build", line, &own, status::BUILD);
    text.push_str("step 'built'\n");
    let parameters = [
        work.display().to_string(),
        store.display().to_string(),
        key.cpv.category_package.to_string(),
        key.cpv.pf(),
        use_line(key),
        accepted(&command.job, " **"),
        accepted(&command.job, " *"),
        accepted(&command.job, ""),
    ];
    Command::shell("build.sh", &text, parameters)
}

/// Moves a checked binary into the store. The limits are those of its lock, in seconds: how long it
/// is waited for, and how long it may be silent before it is taken for left.
pub(crate) fn publish(
    work: &Path,
    store: &Path,
    path: &StorePath,
    key: &BuildKey,
    record: &str,
    [patience, silence]: [u64; 2],
) -> Command {
    let fix = in_own_environment(command::fix_index(), &[("PKGDIR", store)]);
    let parameters = [
        work.display().to_string(),
        store.display().to_string(),
        path.to_string(),
        key.digest().to_string(),
        record.to_owned(),
        patience.to_string(),
        silence.to_string(),
    ];
    Command::shell(
        "publish.sh",
        PUBLISH,
        parameters.into_iter().chain(fix.argv),
    )
}

/// A line with these words for the package and for each that is accepted for its build.
fn accepted(job: &Job, words: &str) -> String {
    let all = std::iter::once(&job.key.cpv).chain(&job.accepts);
    let lines: Vec<String> = all.map(|cpv| format!("={cpv}{words}")).collect();
    lines.join("\n")
}

/// What package.use must say so that exactly the flags of the key are on.
fn use_line(key: &BuildKey) -> String {
    let mut line = format!("={}", key.cpv);
    for (flag, is_on) in &key.use_flags {
        line.push_str(if *is_on { " " } else { " -" });
        line.push_str(flag.as_str());
    }
    line
}
