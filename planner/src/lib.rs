//! The planner: merges what all guests need into one batch and issues every command.
//!
//! It keeps no state of its own. What happened it reads from the history; what to do next is
//! [`gentoo_updater_fleet::decide::decide`], which is pure; this crate carries it out.

mod again;
mod arguments;
mod beats;
pub mod meters;
mod serve;
mod snapshots;

pub use again::issued_again_after;
pub use arguments::Arguments;
pub use serve::{BEAT, serve};
