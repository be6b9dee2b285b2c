//! Why a build failed, and what that means for the next attempt.

use gentoo_updater_fleet::config::BuildLimits;
use gentoo_updater_fleet::message::{Failure, FailureClass};
use gentoo_updater_fleet::name::BuilderName;
use gentoo_updater_hosts::job::JobOutcome;
use gentoo_updater_portage::cpv::Cpv;
use gentoo_updater_portage::outcome::{self, FailureKind};
use gentoo_updater_runtime::jobs;

use crate::program::status;

/// What it means that the program which builds a package did not end well. Its log is kept at `log`.
pub(crate) fn explain(
    builder: &BuilderName,
    cpv: &Cpv,
    ended: &jobs::Ended,
    limits: BuildLimits,
    log: String,
) -> Failure {
    let (class, cause, message) = match ended.outcome {
        JobOutcome::Exited(status::UNFIT) => (
            FailureClass::Machine,
            "BuilderUnfit".to_owned(),
            format!("builder {builder} could not prepare the build of {cpv}"),
        ),
        JobOutcome::Exited(status::NO_ROOM) => (
            FailureClass::Machine,
            "NoCleanRoom".to_owned(),
            format!("builder {builder} had clean rooms and could make none for {cpv}"),
        ),
        JobOutcome::Exited(status::DEPENDENCIES) => (
            FailureClass::Transient,
            "DependenciesNotInstalled".to_owned(),
            format!("the dependencies of {cpv} could not be installed from the store"),
        ),
        JobOutcome::Exited(status::MEMORY_LIMIT) => (
            FailureClass::Permanent,
            "MemoryLimit".to_owned(),
            format!(
                "the build of {cpv} on {builder} needed more memory than the {} MB that it may use, and was \
                 ended; raise build_memory_megabytes in [policy], or in [[packages]] for it alone",
                limits.memory_megabytes.unwrap_or_default()
            ),
        ),
        JobOutcome::Exited(status::LOG_LIMIT) => (
            FailureClass::Permanent,
            "LogTooLarge".to_owned(),
            format!(
                "the build of {cpv} on {builder} wrote more than {} MB into its log, and was ended; look at \
                 what it repeats, or raise build_log_megabytes in [policy], or in [[packages]] for it \
                 alone",
                limits.log_megabytes
            ),
        ),
        JobOutcome::Exited(code) => {
            let found = outcome::parse(&ended.log, code);
            let whose = match code {
                status::OTHER_DEPENDENCIES => format!("a dependency of {cpv}"),
                _ => cpv.to_string(),
            };
            explain_emerge(&found, &ended.log, &whose, builder)
        }
        JobOutcome::Killed(_) | JobOutcome::Vanished => (
            FailureClass::Transient,
            "BuildVanished".to_owned(),
            format!(
                "the build of {cpv} on {builder} ended without an exit code: it was killed, or the machine restarted"
            ),
        ),
    };
    let lines = outcome::decisive_lines(&ended.log, 25);
    Failure::new(class, cause, message).with_log(lines, log)
}

/// What emerge's own words mean for the next attempt.
fn explain_emerge(
    found: &outcome::Outcome,
    log: &str,
    whose: &str,
    builder: &BuilderName,
) -> (FailureClass, String, String) {
    let phase = found
        .failures
        .last()
        .and_then(|failure| failure.phase.as_ref())
        .map(|phase| format!(" in its {phase} phase"))
        .unwrap_or_default();
    match found.kind {
        FailureKind::DiskFull => (
            FailureClass::Machine,
            "DiskFull".to_owned(),
            format!("builder {builder} ran out of disk space while it built {whose}"),
        ),
        FailureKind::FetchFailure => (
            FailureClass::Transient,
            "FetchFailure".to_owned(),
            format!("the sources of {whose} could not be fetched on {builder}"),
        ),
        FailureKind::Killed => (
            FailureClass::Transient,
            "BuildKilled".to_owned(),
            format!(
                "the build of {whose} on {builder} was killed{phase}; is there too little memory?"
            ),
        ),
        kind => (
            FailureClass::Permanent,
            format!("{kind:?}"),
            match outcome::decisive_line(log) {
                Some(line) => format!("{whose} could not be built on {builder}{phase}: {line}"),
                None => format!("{whose} could not be built on {builder}{phase}"),
            },
        ),
    }
}
