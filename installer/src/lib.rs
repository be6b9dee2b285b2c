//! The installer: puts finished binaries on a guest, in one transaction, after a proof and
//! before a look at what came of it.

mod aftermath;
mod arguments;
mod before;
mod by_hand;
mod explain;
mod handler;
mod health;
mod installation;
mod prepare;
mod proof;
mod remote;
mod rollback;
mod serve;
mod settle;
mod stop_watch;
mod store;
mod unneeded;
mod verify;
mod wanted;

pub use arguments::{Arguments, Served};
pub use by_hand::{ByHand, Found, Step};
pub use serve::{serve, serve_agent};
