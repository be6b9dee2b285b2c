//! The scanner: asks a guest what it needs.
//!
//! One pass is one round trip: a Python program that uses Portage's own API and runs one
//! `emerge --pretend` goes to the guest on standard input, and one JSON document comes back.
//! What the document means is decided here, in the pure [`interpret`].

mod document;
mod handler;
pub mod interpret;
mod needs;
mod serve;

pub use document::Document;
pub use serve::serve;
