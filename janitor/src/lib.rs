//! The janitor: removes what a run put on a builder, and nothing else.

mod handler;
mod plan;
mod serve;

pub use serve::serve;
