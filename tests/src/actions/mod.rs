//! What an operator or an accident does.

mod dead_letters;
mod ebuilds;
mod gate;
mod guests;
mod history;
mod kinds;
mod run;
mod workers;

pub use dead_letters::{DeadLetter, dead_letters, publish_raw};
pub use ebuilds::publish_only;
pub use gate::Gate;
pub use guests::{
    make_chatty, prefer_other_flags, prepare_for_v2, shadow_store, slow_down, spoil,
    take_locks_of_store_away, truncate_in, want_only,
};
pub use history::History;
pub use kinds::{KINDS, make_kinds, want_what_guests_want};
pub use run::{Run, Running, run, run_guests, run_synced, scan, scan_anew, start_run};
pub use workers::{Worker, Workers};
