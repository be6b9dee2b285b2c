//! What lies in the store of a platform, and what of it may go.
//!
//! [`catalog`] is what is there, [`needed`] is what the fleet cannot do without, and [`collect`]
//! decides between the two, with what the history has [`told`]; none of them reads anything. [`past`]
//! reads the history, [`fleet`] asks the guests, and [`machine`] looks into a store and takes out of
//! it what was decided. [`collection`] is all of it at the end of a run. [`verify`] asks whether a store
//! is what it says, and mends it.

pub mod catalog;
pub mod collect;
pub(crate) mod collection;
mod compare;
pub mod fleet;
pub mod machine;
pub mod needed;
pub mod orphans;
pub mod past;
mod permitted;
pub mod signing;
pub mod told;
pub mod updates;
pub mod verify;

#[cfg(test)]
mod changing_tests;
#[cfg(test)]
mod histories;
#[cfg(test)]
mod killing;
#[cfg(test)]
mod testing;
