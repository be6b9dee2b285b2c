//! What builders and janitors have to agree on about a store.

mod record;

use std::time::Duration;

pub use record::Record;

/// The lock that holds on every share, as functions of a shell; the file says more.
pub const LOCK: &str = include_str!("lock.sh");

/// The index of a store, as functions of a Python program; the file says more.
pub const INDEX: &str = include_str!("index.py");

/// How long the lock may be held by somebody else.
pub const LOCK_PATIENCE: Duration = Duration::from_secs(600);

/// After how long a lock without a sign of life is taken for left. A share may show changes a minute
/// late (acregmax of nfs(5)), and signs come every 5 seconds.
pub const LOCK_SILENCE: Duration = Duration::from_secs(150);
