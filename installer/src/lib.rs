//! The installer: puts finished binaries on a guest, in one transaction, after a proof and
//! before a look at what came of it.

mod aftermath;
mod arguments;
mod before;
mod explain;
mod handler;
mod proof;
mod remote;
mod serve;
mod stop_watch;
mod store;
mod unneeded;
mod verify;
mod wanted;

pub use arguments::{Arguments, Served};
pub use serve::{serve, serve_agent};
