//! What an operator is shown of the fleet at work: waiting work, workers, events. Data only; the
//! command line makes tables and JSON of it.

mod attempts;
mod filter;
mod jobs;
mod near;
mod pause;
mod queue;
mod run_name;
mod task;
mod workers;

pub use filter::EventFilter;
pub use jobs::{KnownJob, KnownJobs};
pub use near::nearest;
pub use pause::{UnknownTarget, target_named};
pub use queue::{Claimed, QueueWork, Waiting, work_of_queues};
pub use run_name::{InvalidRunName, RunName};
pub use task::TaskView;
pub use workers::{PauseCause, Sign, Signs, WorkerState, WorkerView, WorkerWork, workers};
