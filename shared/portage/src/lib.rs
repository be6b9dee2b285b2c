//! Portage's world, read strictly: names, versions, atoms, dependency strings, command lines, and
//! the texts that emerge prints.
//!
//! The crate does no I/O and knows no clock; it turns text into values and values into text.
//!
//! **Invariants.** What cannot be understood is an error that carries the offending text: no
//! parser here skips what it does not know and returns a shorter list. A value of one of these
//! types holds only what the Package Manager Specification (PMS) permits, so it can be put on a
//! command line; nothing else can.

pub mod atom;
pub mod build_key;
pub mod command;
pub mod cpv;
pub mod depclean;
pub mod dependency;
pub mod envvar;
pub mod md5_cache;
pub mod name;
pub mod outcome;
pub mod packages_index;
pub mod plan;
pub mod text;
pub mod version;
