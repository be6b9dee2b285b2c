//! The sources that a builder's Portage has fetched, and those of them that nothing uses any more.
//!
//! Their age alone decides, but for what an ebuild names of packages that are installed there or were
//! built of late, and for what only a person can bring again. See `distfiles.py`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_fleet::message::{CleanBuilder, Failure, FailureClass};
use gentoo_updater_fleet::state::Fleet;
use gentoo_updater_hosts::Host;
use gentoo_updater_portage::command::{CommandLine, neutral_environment};
use gentoo_updater_portage::name::CategoryPackage;
use gentoo_updater_runtime::emerge::in_own_environment;
use gentoo_updater_runtime::{Context, ask};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::store::catalog::Total;

const PROGRAM: &str = include_str!("distfiles.py");

/// How long that may take: all Manifests of a machine are read when something is old.
const LIMIT: Duration = Duration::from_secs(900);

/// What is to be looked for, and whether it goes.
#[derive(Debug, Clone)]
pub struct Retention {
    /// For how many days sources are kept that nothing uses.
    pub days: u32,
    /// The packages whose sources are kept, beside those of what the machine has installed.
    pub packages: BTreeSet<CategoryPackage>,
    /// Whether what nothing uses is deleted, and not only named.
    pub delete: bool,
}

/// The sources of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sources {
    /// Where they lie (DISTDIR).
    pub place: PathBuf,
    /// How many.
    pub files: u64,
    /// Bytes of all.
    pub bytes: u64,
    /// Those that nothing has used for so long, the oldest first.
    pub unused: Vec<Unused>,
    /// Why none of them is deleted, if that is so.
    pub why: Option<String>,
    /// What was deleted.
    pub deleted: Total,
}

/// A source that nothing uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unused {
    /// Its name.
    pub name: String,
    /// Bytes.
    pub bytes: u64,
    /// When it was used last as far as that is known, in seconds since 1970.
    pub used: u64,
}

/// The packages of the runs that the state knows: what was built of late.
pub fn built_of_late(fleet: &Fleet) -> BTreeSet<CategoryPackage> {
    let runs = fleet.runs.values();
    let jobs = runs.flat_map(|run| run.jobs.iter().flat_map(|jobs| jobs.values()));
    jobs.map(|job| job.key.cpv.category_package.clone())
        .collect()
}

/// Deletes what nothing uses of the sources of a builder that a run has used. That it could not be done
/// makes no cleaning fail: it is said in the log.
pub(crate) async fn sweep(context: &Context, host: &dyn Host, order: &CleanBuilder) {
    let view = FleetView::follow(context.bus.clone(), context.stop.clone());
    let done = match view.await {
        Ok(view) => {
            let retention = Retention {
                days: context.settings.policy.keep_distfiles_days,
                packages: view.read(built_of_late),
                delete: true,
            };
            look_through(host, &retention).await
        }
        Err(error) => {
            let message = format!("the history cannot be read: {error}");
            let class = FailureClass::Transient;
            Err(Failure::new(class, "HistoryUnreadable", message))
        }
    };
    let builder = &order.builder;
    match done {
        Ok(sources) => tracing::info!(
            builder.name = %builder, files = sources.deleted.files,
            bytes = sources.deleted.bytes, why = sources.why, "unused sources were deleted"
        ),
        Err(failure) => tracing::warn!(
            builder.name = %builder, %failure,
            "unused sources could not be deleted"
        ),
    }
}

/// Looks through the sources of a machine, and deletes what nothing uses where that is wanted.
///
/// # Errors
/// When the machine cannot be asked, or its Portage does not answer.
pub async fn look_through(host: &dyn Host, retention: &Retention) -> Result<Sources, Failure> {
    let marker = format!("gentoo-updater-{}", Uuid::now_v7().simple());
    let request = json!({
        "marker": marker,
        "days": retention.days,
        "delete": retention.delete,
        "packages": retention.packages,
    });
    let argv = ["python3", "-I", "-c", PROGRAM, &request.to_string()].map(str::to_owned);
    let environment = neutral_environment();
    let line = CommandLine {
        environment,
        argv: argv.into(),
    };
    let output = ask(host, &in_own_environment(line, &[]).timeout(LIMIT)).await?;
    let text = output.stdout_text();
    let document = text.split(&marker).nth(1).unwrap_or_default();
    serde_json::from_str(document).map_err(|_| {
        let said = output.stderr_text();
        let said = said.trim().lines().last().unwrap_or("nothing");
        let message = format!("the machine's Portage does not tell of its sources: {said}");
        Failure::new(FailureClass::Machine, "SourcesUnreadable", message)
    })
}

#[cfg(test)]
#[path = "distfiles_tests.rs"]
mod tests;
