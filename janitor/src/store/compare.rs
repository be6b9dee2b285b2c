//! Whether binaries are still what they were when they were put into a store.
//!
//! What is to go is read before that, and without the lock, which nobody is to wait for so long: whoever
//! deletes looks under the lock whether it has been changed since.

use std::path::Path;

use gentoo_updater_fleet::message::Failure;
use gentoo_updater_fleet::name::StorePath;
use gentoo_updater_hosts::Host;

use super::catalog::Stored;
use super::verify::inventory::FileState;
use super::verify::measure::{Measured, Reading, SHA256};
use super::verify::read_all;

/// What was found in the files of binaries.
#[derive(Debug, Default)]
pub(super) struct Compared<'a> {
    /// Those that are what they were, with the state in which they are so.
    pub(super) same: Vec<(&'a Stored, FileState)>,
    /// The others, with what is the matter. What is gone is not among them.
    pub(super) other: Vec<(StorePath, String)>,
}

/// Reads these, and compares each with what its record or its note says.
///
/// # Errors
/// When the machine cannot be asked.
pub(super) async fn compare<'a>(
    host: &dyn Host,
    store: &Path,
    binaries: &[&'a Stored],
) -> Result<Compared<'a>, Failure> {
    let readings = binaries
        .iter()
        .map(|stored| Reading::of(stored.path.as_str(), stored.size));
    let mut measures = read_all(host, store, readings.collect()).await?;
    let mut compared = Compared::default();
    for stored in binaries {
        match measures.remove(stored.path.as_str()) {
            Some(Measured::Read { state, digests, .. }) => {
                let sha256 = digests.get(SHA256).map(String::as_str);
                if sha256 == Some(stored.sha256.as_str()) {
                    compared.same.push((stored, state));
                } else {
                    compared.tell(stored, "it has other content than when it was stored");
                }
            }
            Some(Measured::Unreadable(cause)) => {
                compared.tell(stored, &format!("it cannot be read: {cause}"));
            }
            // Somebody else has deleted it, or writes it.
            Some(Measured::Changing) | None => {}
        }
    }
    Ok(compared)
}

impl Compared<'_> {
    fn tell(&mut self, stored: &Stored, words: &str) {
        self.other.push((stored.path.clone(), words.to_owned()));
    }
}
