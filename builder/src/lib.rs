//! The builder: builds each package once.
//!
//! One job is one shell program on the builder machine, detached from whoever started it: it
//! brings the job's dependencies in, compiles, and leaves the binary in a private folder. What
//! came out is checked against the job's key before anybody else can see it; then it moves into
//! the store. The two programs are `build.sh` and `publish.sh`. Where the machine can have one,
//! what `build.sh` installs and compiles it does in a clean room (`room`).

mod arguments;
mod capacity;
mod check;
mod contents;
mod dependencies;
#[cfg(test)]
mod discard_tests;
mod durations;
mod ebuild;
mod examine;
mod explain;
pub mod fitness;
mod handler;
#[cfg(test)]
mod limits_tests;
mod log;
mod platform;
mod program;
#[cfg(test)]
mod publish_tests;
mod ready;
mod room;
mod search;
mod serve;
mod share;
mod signing;
mod store;
#[cfg(test)]
mod testing;

pub use arguments::Arguments;
pub use serve::serve;
