//! Signatures of binaries: the keys of a builder, and what is done with them on its machine.
//!
//! Each builder has keys of its own, which gpg makes on it, in a home that nobody else uses. Secret
//! keys never leave it: what others get are public keys. Of several keys of a builder one is in use;
//! the others made signatures that are still about.

mod announced;
mod guest;
mod key;
mod machine;
mod swap;

pub use announced::{Announcement, announce, announced, withdraw};
pub use guest::{Demands, VERIFY_HOME, teach};
pub use key::{Key, State};
pub use machine::{Keys, NO_KEY, NO_SIGNING, Signed, SignedFile, ToSign};
pub use swap::{Swap, copy_of, settle, swap, swap_within};

/// Where the keys of a builder are. Short: the names of sockets are at most 107 bytes long.
pub const HOME: &str = "/var/lib/gentoo-updater/signing";
