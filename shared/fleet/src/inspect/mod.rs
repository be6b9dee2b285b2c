//! What an operator is shown of the fleet at work: waiting work, workers, events. Data only; the
//! command line makes tables and JSON of it.

mod attempts;
mod census;
mod filter;
mod hold;
mod holds;
mod jobs;
mod near;
mod pause;
mod plan;
mod queue;
mod retry;
mod run_index;
mod run_name;
mod status;
mod task;
mod trace;
mod why;
mod workers;

pub use census::{Census, Count, REPEATEDLY};
pub use filter::EventFilter;
pub use hold::{HoldKind, UnknownHold, hold_target, waits_for_approval};
pub use holds::{HeldView, HoldsView, PutBackView, UnapprovedView, WaitingWaveView};
pub use jobs::{KnownJob, KnownJobs};
pub use near::nearest;
pub use pause::{UnknownTarget, target_named};
pub use plan::{
    PlanJob, PlanProgress, PlanRing, PlanTotals, PlanView, critical_path, expected, job_progress,
};
pub use queue::{Claimed, QueueWork, Waiting, work_of_queues};
pub use retry::{KnownAs, Nothing, Retry, UnknownRetry, retry};
pub use run_index::{IndexError, IndexedRun, RunIndex};
pub use run_name::{InvalidRunName, RunName};
pub use status::{
    BusStatus, EarlierStatus, GuestsStatus, RunStatus, StatusView, WaitingView, WorkStatus,
};
pub use task::TaskView;
pub use trace::{RunTrace, SpanStatus, TraceSpan, TraceView};
pub use why::{
    Answer, Had, JobDifference, UnknownPackage, WhyAttempt, WhyBinary, WhyGuest, WhyJob, WhyUpdate,
    WhyView, never_seen, package_asked,
};
pub use workers::{PauseCause, Sign, Signs, WorkerState, WorkerView, WorkerWork, workers};
