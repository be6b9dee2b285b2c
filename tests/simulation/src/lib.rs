//! A simulation of a fleet in trouble: the real planner, fold and worker loops on the embedded
//! bus, under a clock that runs only when nobody has anything to do, with faults drawn from a seed.
//!
//! | room | what is in it |
//! |---|---|
//! | [`random`] | what is drawn from a seed |
//! | [`clock`] | the time of a process, which may be wrong |
//! | [`faults`] | what goes wrong, and how often it did |
//! | [`bus`] | a bus that doubles, delays, loses and reorders |
//! | [`records`] | what was seen of workers |
//! | [`launch`] | the planners and workers of a fleet |
//! | [`observer`] | a reader of the history without trouble |
//! | [`operator`] | an operator who purges queues, and pauses and resumes workers |
//! | [`orders`] | what an operator wants of one process |
//! | [`process`] | processes that are killed and started again |
//! | [`world`] | guests, builders, packages, and the handlers that work on them |
//! | [`invariants`] | what must hold in the end |
//! | [`settings`] | their configuration |
//! | [`many`] | many seeds on all cores |
//! | [`schedule`] | one seed from its begin to its verdict |
//!
//! The same seed gives the same history, byte for byte: nothing here depends on real time, on a
//! thread pool, or on the order of a hash map.

pub mod bus;
pub mod clock;
pub mod faults;
pub mod invariants;
pub mod launch;
pub mod many;
pub mod observer;
pub mod operator;
pub mod orders;
pub mod process;
pub mod random;
pub mod records;
pub mod schedule;
pub mod settings;
pub mod world;
