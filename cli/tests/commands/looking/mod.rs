//! The commands that look into a fleet at work, with the real program on a journal.

mod glance;
mod queues;
mod scene;

pub(crate) const WRONG_USAGE: i32 = 64;
pub(crate) const COULD_NOT: i32 = 2;
pub(crate) const NOT_THERE: i32 = 1;
