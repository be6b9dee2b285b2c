//! The scanner: asks a guest what it needs.
//!
//! One pass is one round trip ([`gentoo_updater_runtime::portage_api`]): one `emerge --pretend`
//! and what Portage's own API knows, in one JSON document.
//! What the document means is decided here, in the pure [`interpret`].

mod arguments;
mod document;
mod handler;
pub mod interpret;
mod needs;
mod serve;

pub use arguments::Arguments;
pub use document::Document;
pub use serve::serve;
