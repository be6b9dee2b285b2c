//! The words that the workers exchange: events (what happened) and commands (what to do).
//!
//! On the wire a message is JSON with a version tag:
//! `{"v":1,"id":"…","at":"2026-01-05T12:00:00Z","sender":"builder@b1","type":"PackageBuilt","body":{…}}`.
//! Unknown fields are tolerated, unknown versions and types are not: they end as dead letters.

mod command;
mod cruft;
mod envelope;
mod event;
mod failure;
mod hold;
mod machine;
mod package;
mod result;
mod schedule;

pub use command::{
    BuildPackage, CleanBuilder, CollectStore, Command, InstallPackage, InstallPackages, ScanGuest,
    SearchStore, SyncBuilder, Wanted,
};
pub use cruft::{ChangedFile, Cruft, CruftArchive, Listed, Staying};
pub use envelope::{DecodeError, Envelope, WIRE_VERSION};
pub use event::{
    ApprovalGiven, BatchPlanned, CommandIssued, DurationsLearned, Event, GuestRolledBack,
    GuestsLeftOut, HoldRequested, Ongoing, PauseRequested, PlannerAlive, ResumeRequested,
    RetryRequested, RunFinished, RunKind, RunOutcome, RunRequested, TaskAbandoned, ToSync,
    WaveEnded, WorkStarted, WorkerAlive, WorkerPaused, WorkerRegistered,
};
pub use failure::{Failure, FailureClass, Finding, FindingKind};
pub use hold::{HeldBack, HoldReason, HoldTarget};
pub use machine::{BuilderMachine, Durations};
pub use package::{
    Batch, Binary, Change, Contents, GuestPlan, Identity, InstalledPackage, Job, PackageChange,
    PauseTarget, Purpose, RepositoryRevision, Role, SubslotBinding, Task, Update, WorkKey,
};
pub use result::{
    BuildFailed, BuilderCleaned, BuilderSynced, CleanFailed, CollectFailed, Deleted, GuestScanned,
    GuestUpdated, InstallFailed, PackageBuilt, RolledBack, ScanFailed, SearchFailed,
    StoreCollected, StoreSearched, SyncFailed,
};
pub use schedule::{MissedCause, OccurrencesMissed, ScheduleAdopted};
