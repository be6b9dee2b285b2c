//! `notify`: what operators are told without asking.

mod arguments;
mod list;
mod service;
mod trial;
mod words;

use std::sync::Arc;

use gentoo_updater_fleet::config::Settings;

pub(crate) use arguments::NotifyCommand;
pub(crate) use words::{occasions, of_notification};

/// Carries one of its commands out.
pub(crate) async fn notify(settings: Arc<Settings>, command: NotifyCommand) -> anyhow::Result<u8> {
    match command {
        NotifyCommand::List(options) => list::list(&settings, options.json),
        NotifyCommand::Test(options) => {
            trial::test(&settings, options.name.as_ref(), options.json).await
        }
    }
}
