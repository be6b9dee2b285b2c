//! Serves HTTP: connections with their limits, and TLS with a certificate that can be renewed. By it the
//! stores of this machine are given to guests: the indexes and the binaries, and nothing else.
//!
//! **Invariant:** of stores it writes nothing, and opens no file that is not below one.
//! **Invariant:** it knows nothing of bus, fleet and Portage's programs.

mod answer;
mod certificate;
mod conditions;
mod connections;
mod idle;
pub mod meters;
mod path;
mod serve;
mod shelf;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

pub use certificate::CertificateFiles;
pub use connections::Limits;
pub use serve::{Options, Server};

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// A folder cannot be opened.
    #[error(
        "the store of {platform}, {path}, cannot be opened: {source}; serve on a machine that has it, \
         as a user who may read it"
    )]
    Store {
        /// The platform.
        platform: String,
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The address cannot be listened on.
    #[error("{address} cannot be listened on; choose another one with --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Certificate or key cannot be used.
    #[error("{path} cannot be used: {cause}")]
    FileUnusable {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// Certificate and key are no pair.
    #[error("{key} is not the key of {certificate}; name the two files that were made together")]
    KeyDoesNotFit {
        /// The file of the key.
        key: PathBuf,
        /// The file of the certificate.
        certificate: PathBuf,
    },
    /// TLS cannot be had.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}
