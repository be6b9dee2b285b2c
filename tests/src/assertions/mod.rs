//! What must hold afterwards, read from the machines themselves.

mod binaries;
mod builder;
mod emerge_log;
mod guest;
mod installed;
pub mod metrics;
mod owned;
mod reports;
mod root;

pub use binaries::{Binaries, Indexed, every_file_is_indexed, lock_of_store_is_free};
pub use builder::{
    BuilderBefore, builder_is_clean, compilations, compilations_in_rooms, compilations_without,
};
pub use emerge_log::{Transaction, transactions};
pub use guest::{has_no_compiler, planned, plans_nothing, was_never_logged_in_to};
pub use installed::{Installed, installed};
pub use owned::Owned;
pub use reports::{
    exit_code_is, failure_of, finding_texts, job, jobs_in_state, outcome_is, outcome_of,
};
pub use root::{RootBefore, no_room_is_open};
