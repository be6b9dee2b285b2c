//! The notifier: tells operators what they want to be told, by mail, webhook or a program.
//!
//! What is to be told is [`gentoo_updater_fleet::notice`], which is pure; this crate says it, tries again, and
//! keeps what was told and what could not be.
//!
//! **Invariant:** a secret is read when it is used, and is in no error, log or document.

mod arguments;
mod causes;
mod check;
mod command;
mod deliver;
mod document;
mod kept;
mod letters;
mod mail;
pub mod meters;
mod recipient;
mod render;
mod secret;
mod serve;
mod webhook;

pub use arguments::Arguments;
pub use check::{check, check_files, files};
pub use deliver::{Answer, Failed, deliver};
pub use document::{Document, RunSummary};
pub use kept::{AllUndelivered, Undelivered, Unreadable, undelivered};
pub use render::{Message, Rendering, TemplateError};
pub use serve::{Telling, serve};
