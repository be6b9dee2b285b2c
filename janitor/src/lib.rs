//! The janitor: removes what a run put on a builder, and nothing else.

mod arguments;
pub mod cruft;
mod depclean;
pub mod distfiles;
mod handler;
mod logs;
mod serve;
pub mod store;
mod unfinished;

pub use arguments::Arguments;
pub use serve::serve;
