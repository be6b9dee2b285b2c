//! What the dashboard shows of the fleet, as documents. Pure.
//!
//! Keys are in snake case. Whatever is the command line's as well (a failure, a finding, the progress of a
//! job) has the same form here as in its `--json`.

mod attempts;
mod builds;
mod graph;
mod guest;
mod job;
mod overview;
mod package;
mod past;
mod run;

pub use attempts::AttemptView;
pub use builds::{Build, BuildsDocument};
pub use graph::{GraphDocument, GraphJob};
pub use guest::{GuestDocument, GuestRun};
pub(crate) use job::find as job_of;
pub use job::{JobDocument, JobLink};
pub use overview::{Change, GuestCell, Overview, RunHeader};
pub use package::{InstalledOn, PackageDocument, PackageJob};
pub use past::{KEPT_BUILDS, KEPT_PAST_RUNS, Past, PastBuild, PastRun};
pub use run::{GuestRow, RunDocument, ToldFailure};
