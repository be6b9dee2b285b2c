//! Files that builds leave on a builder beside packages, where they built on the machine itself.
//!
//! [`sweep`] archives and removes them after a run; [`archives`] shows, restores and deletes what was
//! archived. What runs on the machine is in `machine/`: `judge.py` says what goes, and `archive.py` how
//! nothing is lost, whenever it is killed.

pub mod archives;
mod sweep;

pub(crate) use sweep::{Cruft, purge_old};

use gentoo_updater_runtime::manifest;

/// What all programs on a machine begin with.
fn library() -> String {
    [
        manifest::FILES,
        include_str!("machine/owned.py"),
        include_str!("machine/windows.py"),
        include_str!("machine/judge.py"),
        include_str!("machine/archive.py"),
    ]
    .concat()
}

#[cfg(test)]
mod judge_tests;
#[cfg(test)]
mod testing;
