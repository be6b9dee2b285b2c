//! The shell programs that run on a builder machine, with the job's values in them.
//!
//! The programs themselves are files of this crate. Values reach them as positional parameters,
//! and the command lines of emerge as lines whose every word is quoted.

use std::path::{Path, PathBuf};

use gentoo_updater_fleet::config::{BuildEnvironment, BuildLimits};
use gentoo_updater_fleet::message::{BuildPackage, Job};
use gentoo_updater_fleet::name::{RunId, StorePath};
use gentoo_updater_hosts::{Command, quote};
use gentoo_updater_portage::build_key::BuildKey;
use gentoo_updater_portage::command::{self, CommandLine};
use gentoo_updater_portage::cpv::ExactPackage;
use gentoo_updater_runtime::emerge::in_own_environment;
use gentoo_updater_runtime::jobs::WORK;
use gentoo_updater_runtime::{brought, jobs, store};

use crate::room::{INSIDE, Way};
use crate::store::Former;

const BUILD: &str = concat!(include_str!("limits.sh"), include_str!("build.sh"));
const PUBLISH: &str = include_str!("publish.sh");

/// What the steps of a build begin with.
const STEP: &str = "step() { printf '\n@@ gentoo-updater: %s\n' \"$1\"; }\n";

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
    /// No clean room can be had.
    pub(crate) const NO_ROOM: i32 = 24;
    /// The build took more memory than it may.
    pub(crate) const MEMORY_LIMIT: i32 = 25;
    /// The build wrote more into its log than it may.
    pub(crate) const LOG_LIMIT: i32 = 26;
    /// The lock of the store could not be had.
    pub(crate) const STORE_LOCKED: i32 = 31;
    /// The index of the store could not be brought up to date.
    pub(crate) const INDEX: i32 = 32;
}

/// The working folder of one job of one run.
pub(crate) fn work_folder(run: RunId, job: &Job) -> PathBuf {
    Path::new(WORK).join(run.to_string()).join(job.id.short())
}

/// What a build is made with.
pub(crate) struct Means<'a> {
    /// The store, where dependencies come from.
    pub(crate) store: &'a Path,
    /// Where it is made.
    pub(crate) way: &'a Way,
    /// What Portage gets for it.
    pub(crate) environment: &'a BuildEnvironment,
    /// Where the machine's emerge writes its log, where that is known.
    pub(crate) logs: Option<&'a Path>,
    /// What it may take.
    pub(crate) limits: BuildLimits,
    /// Whether its result is to be signed.
    pub(crate) sign: bool,
}

/// Builds a job into its private folder, as the program `description` of its machine. `missing` are the dependencies that the machine does
/// not have yet, each behind those that it needs.
pub(crate) fn build(
    command: &BuildPackage,
    description: &jobs::Description,
    missing: &[ExactPackage],
    means: &Means<'_>,
) -> Command {
    let key = &command.job.key;
    let work = work_folder(command.run, &command.job);
    // What a room installs goes with it.
    let told = match means.way {
        Way::Rooms { .. } => None,
        Way::Machine => {
            let job = command.job.id.short();
            Some(brought::folder_of_build(command.run, job, command.attempt))
        }
    };
    let steps = steps(key, missing, means, &work, told.as_deref());
    let limits = means.limits;
    let (inside, shared) = match means.way {
        Way::Rooms { shared } => (INSIDE, shared.as_slice()),
        Way::Machine => ("", [].as_slice()),
    };
    let parameters = [
        work.display().to_string(),
        means.store.display().to_string(),
        key.cpv.category_package.to_string(),
        key.cpv.pf(),
        use_line(key),
        accepted(&command.job, " **"),
        accepted(&command.job, " *"),
        accepted(&command.job, ""),
        steps,
        description.id.clone(),
        description.log_path(),
        limits
            .memory_megabytes
            .map_or_else(String::new, |it| it.to_string()),
        limits.log_megabytes.to_string(),
        inside.to_owned(),
        told.map_or_else(String::new, |folder| folder.display().to_string()),
        means
            .logs
            .map_or_else(String::new, |logs| logs.display().to_string()),
    ];
    let shared = shared.iter().map(|folder| folder.display().to_string());
    Command::shell("build.sh", BUILD, parameters.into_iter().chain(shared)).timeout(limits.timeout)
}

/// The calls of emerge that make up a build, as a shell program. `log` is where they log what they do,
/// where that is not the machine's own log.
fn steps(
    key: &BuildKey,
    missing: &[ExactPackage],
    means: &Means<'_>,
    work: &Path,
    log: Option<&Path>,
) -> String {
    let (packages, configuration) = (work.join("packages"), work.join("config"));
    let own_configuration = [("PORTAGE_CONFIGROOT", configuration.as_path())];
    let is_room = matches!(means.way, Way::Rooms { .. });
    // The room has a view of its own of where Portage builds by default, and perhaps of no other
    // place that the machine has set for that.
    let temporary = [("PORTAGE_TMPDIR", Path::new("/var/tmp"))];
    let temporary = if is_room { temporary.as_slice() } else { &[] };
    let log: Vec<_> = log.map(|log| ("EMERGE_LOG_DIR", log)).into_iter().collect();
    let in_store = [&[("PKGDIR", means.store)], temporary, &log].concat();
    let given = means.environment.variables.iter();
    let given = given.map(|(name, value)| (*name, Path::new(value)));
    let own: Vec<_> = [("PKGDIR", packages.as_path())]
        .into_iter()
        .chain(own_configuration)
        .chain(temporary.iter().copied())
        .chain(log.iter().copied())
        .chain(given)
        .collect();
    let features = || means.environment.features.iter().map(|one| one.as_str());
    // Only the newer one of Portage's forms can be signed, and that is done when the build is over: by
    // then nothing of the package runs any more.
    let form = [("BINPKG_FORMAT", Path::new("gpkg"))];
    let form = if means.sign { form.as_slice() } else { &[] };
    let unsigned = means.sign.then_some("-binpkg-signing");

    let mut text = STEP.to_owned();
    if is_room {
        // On the machine itself that is done once a run; its own names stay as they are here.
        let line = in_own_environment(command::apply_package_moves(), &own_configuration);
        let (line, code) = (quote::line(&line), status::UNFIT);
        text.push_str(&format!("{line} >/dev/null || exit {code}\n"));
    }
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
    let line = command::only_dependencies(&key.cpv, &key.repository).with_features(features());
    step(
        "install other dependencies",
        line,
        &own,
        status::OTHER_DEPENDENCIES,
    );
    let line = command::build_binary(&key.cpv, &key.repository);
    let line = line.with_features(features().chain(unsigned));
    step("build", line, &[&own, form].concat(), status::BUILD);
    text.push_str("step 'built'\n");
    text
}

/// Moves a checked binary into the store, in the place of a former one of its key. The limits are those of its lock, in seconds: how long it
/// is waited for, and how long it may be silent before it is taken for left.
pub(crate) fn publish(
    work: &Path,
    store: &Path,
    path: &StorePath,
    key: &BuildKey,
    record: &str,
    former: Option<&Former>,
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
        former.map_or_else(String::new, |it| it.sha256.to_string()),
        former
            .and_then(|it| it.path.as_ref())
            .map_or_else(String::new, ToString::to_string),
    ];
    Command::shell(
        "publish.sh",
        &format!("{}{PUBLISH}", store::LOCK),
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use gentoo_updater_fleet::config::BuildFeature;

    use super::*;
    use crate::testing::key;

    fn steps_of(way: &Way, missing: &[ExactPackage], environment: &BuildEnvironment) -> String {
        let key = key("app-misc/hello-2.0");
        let means = Means {
            store: Path::new("/store"),
            way,
            environment,
            logs: None,
            limits: BuildLimits {
                timeout: Duration::from_secs(60),
                memory_megabytes: None,
                log_megabytes: 1,
            },
            sign: false,
        };
        let log = (*way == Way::Machine).then_some(Path::new("/log"));
        steps(&key, missing, &means, Path::new("/work"), log)
    }

    fn line_with<'a>(steps: &'a str, word: &str) -> &'a str {
        let mut lines = steps.lines().filter(|line| line.contains(word));
        let line = lines.next().unwrap_or_else(|| panic!("{word}: {steps}"));
        assert!(lines.next().is_none(), "{word} twice: {steps}");
        line
    }

    #[test]
    fn only_a_room_is_built_in_at_a_place_of_its_own_and_gets_the_new_names_of_packages() {
        let environment = BuildEnvironment::default();
        let rooms = Way::Rooms { shared: Vec::new() };
        let missing = ["dev-libs/a-1".parse().unwrap()].map(|cpv| ExactPackage {
            cpv,
            build_id: Some(3),
        });
        let (room, machine) = (
            steps_of(&rooms, &missing, &environment),
            steps_of(&Way::Machine, &missing, &environment),
        );
        for word in ["--nodeps --oneshot", "--onlydeps", "--buildpkgonly"] {
            assert!(line_with(&room, word).contains("PORTAGE_TMPDIR=/var/tmp"));
            assert!(!line_with(&machine, word).contains("PORTAGE_TMPDIR"));
            assert!(line_with(&machine, word).contains("EMERGE_LOG_DIR=/log"));
            assert!(!line_with(&room, word).contains("EMERGE_LOG_DIR"));
        }
        let moves = line_with(&room, "--list-sets");
        assert!(moves.contains("PKGDIR=/dev/null"), "{moves}");
        assert!(!machine.contains("--list-sets"));
        let merge = line_with(&room, "--nodeps --oneshot");
        assert!(merge.contains("PKGDIR=/store"), "{merge}");
        assert!(merge.ends_with("'=dev-libs/a-1-3' || exit 21"), "{merge}");
        assert!(!steps_of(&rooms, &[], &environment).contains("PKGDIR=/store"));
    }

    #[test]
    fn what_makes_builds_faster_reaches_what_is_compiled_and_nothing_else() {
        let environment = BuildEnvironment {
            variables: [("MAKEOPTS", "-j8 -l8".to_owned())].into(),
            features: [BuildFeature::Distcc].into(),
        };
        let missing = ["dev-libs/a-1".parse().unwrap()].map(|cpv| ExactPackage {
            cpv,
            build_id: Some(3),
        });
        let steps = steps_of(&Way::Machine, &missing, &environment);
        for word in ["--onlydeps", "--buildpkgonly"] {
            let line = line_with(&steps, word);
            assert!(line.contains("'MAKEOPTS=-j8 -l8'"), "{line}");
            assert!(line.contains(" distcc' "), "{line}");
        }
        let merge = line_with(&steps, "--nodeps --oneshot");
        assert!(!merge.contains("MAKEOPTS") && !merge.contains("distcc"));
    }
}
