//! The scanner: asks a guest what it needs.
//!
//! One pass is one round trip ([`gentoo_updater_runtime::portage_api`]): one `emerge --pretend`
//! and what Portage's own API knows, in one JSON document. Where nothing has changed on the guest
//! since its last good answer, that answer counts and neither is called.
//! What the document means is decided here, in the pure [`interpret`].

mod arguments;
mod document;
mod former;
mod handler;
pub mod interpret;
mod needs;
mod serve;

pub use arguments::Arguments;
pub use document::Document;
pub use serve::serve;
