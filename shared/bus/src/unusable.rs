//! Why a reader makes nothing of a message.

use gentoo_updater_fleet::authority::Overstep;
use gentoo_updater_fleet::message::DecodeError;

/// Why a reader makes nothing of a message. All readers of the history come to the same verdict,
/// so that they make the same state out of it.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It cannot be understood.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Whoever sent it may not say this.
    #[error("refused: {0}")]
    Refused(#[from] Refused),
}

/// Why a message is refused, where each role and each guest has a user of its own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It names no user, so the broker has checked none.
    #[error("a {kind} that no user stands for")]
    Anonymous {
        /// The type of the message.
        kind: &'static str,
    },
    /// Its user has no part in this fleet.
    #[error("user {user} is none of this fleet")]
    Stranger {
        /// The user.
        user: String,
    },
    /// Its user may not say it.
    #[error("user {user} {overstep}")]
    Overstepped {
        /// The user.
        user: String,
        /// What it may not do.
        overstep: Overstep,
    },
    /// Its user says that it serves a queue that is none of its business.
    #[error("user {user} may not serve the queue {queue}")]
    Queue {
        /// The user.
        user: String,
        /// The queue.
        queue: String,
    },
    /// It came under the routing key of something else, and so not to everybody who reads such.
    #[error("user {user} may not say {kind} under the routing key {key}")]
    Misrouted {
        /// The user.
        user: String,
        /// The type of the message.
        kind: &'static str,
        /// The key.
        key: String,
    },
}
