//! How long a job is taken to last.

use std::time::Duration;

/// What a job is taken to last when nothing is known of it.
pub const UNKNOWN_DURATION: Duration = Duration::from_secs(60);
