//! What builders and janitors have to agree on about a store.

mod record;

use std::path::Path;
use std::time::Duration;

use gentoo_updater_hosts::Command;

pub use record::Record;

/// The lock that holds on every share, as functions of a shell; the file says more.
pub const LOCK: &str = include_str!("lock.sh");

/// The index of a store, as functions of a Python program; the file says more.
pub const INDEX: &str = include_str!("index.py");

const UNDER_LOCK: &str = include_str!("under_lock.sh");

/// How long a program may take beside waiting for the lock.
const LIMIT: Duration = Duration::from_secs(900);

/// The cause of a failure when the lock could not be had.
pub const LOCKED: &str = "StoreLocked";

/// How long the lock may be held by somebody else.
pub const LOCK_PATIENCE: Duration = Duration::from_secs(600);

/// After how long a lock without a sign of life is taken for left. A share may show changes a minute
/// late (acregmax of nfs(5)), and signs come every 5 seconds.
pub const LOCK_SILENCE: Duration = Duration::from_secs(150);

/// A program in Python that is given a store, and these arguments behind it, while the lock is held. Exit
/// codes: 30 the store cannot be written, 31 the lock could not be had within `patience`, else its own.
pub fn under_lock<'a>(
    name: &str,
    store: &Path,
    program: &str,
    patience: Duration,
    arguments: impl IntoIterator<Item = &'a str>,
) -> Command {
    let parameters = [
        store.display().to_string(),
        patience.as_secs().to_string(),
        LOCK_SILENCE.as_secs().to_string(),
        program.to_owned(),
    ];
    let arguments = arguments.into_iter().map(str::to_owned);
    let parameters = parameters.into_iter().chain(arguments);
    // There are two locks, and each is waited for.
    Command::shell(name, &format!("{LOCK}{UNDER_LOCK}"), parameters).timeout(2 * patience + LIMIT)
}
