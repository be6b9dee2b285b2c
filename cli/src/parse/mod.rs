//! `parse`: what the readers of Portage's texts make of a text, for the day when a guest's output
//! is not understood.
//!
//! It needs no configuration and touches no machine.

mod arguments;
mod depend;
mod index;
mod input;
mod plan;
mod version;

pub(crate) use arguments::ParseCommand;

/// Exit code of a text that was understood.
const EXIT_UNDERSTOOD: u8 = 0;
/// Exit code of a text that was not.
const EXIT_NOT_UNDERSTOOD: u8 = 1;

/// A text is not understood: the words say which one, where and why.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct NotUnderstood(String);

/// Reads one text and prints what it means. What is not understood goes to standard error.
pub(crate) fn parse(command: &ParseCommand) -> anyhow::Result<u8> {
    let result = match command {
        ParseCommand::Plan(options) => plan::plan(options),
        ParseCommand::Index(options) => index::index(options),
        ParseCommand::Depend(options) => depend::depend(options),
        ParseCommand::Version(options) => version::version(options),
    };
    match result {
        Ok(()) => Ok(EXIT_UNDERSTOOD),
        Err(error) => match error.downcast_ref::<NotUnderstood>() {
            Some(reason) => {
                eprintln!("{}", crate::output::harmless(&reason.0));
                Ok(EXIT_NOT_UNDERSTOOD)
            }
            None => Err(error),
        },
    }
}
