//! The scheduler: asks for runs by calendar.
//!
//! It keeps no state of its own. What was decided it reads from the history; what is due is
//! [`gentoo_updater_fleet::schedule::decide`], which is pure; this crate says it.

mod arguments;
mod serve;

pub use arguments::Arguments;
pub use serve::serve;
