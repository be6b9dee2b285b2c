//! `store`: what lies in the stores, and what is done with them. A folder for each subject.

mod arguments;
mod keys;
mod places;
mod quiet;
mod retention;
mod serve;
mod verify;

use std::sync::Arc;

use gentoo_updater_fleet::config::Settings;

pub(crate) use arguments::StoreCommand;

/// Carries out a command about the stores.
pub(crate) async fn store(settings: Arc<Settings>, command: StoreCommand) -> anyhow::Result<u8> {
    match command {
        StoreCommand::Status(options) => retention::status(settings, options).await,
        StoreCommand::Gc(options) => retention::gc(settings, options).await,
        StoreCommand::Verify(options) => verify::verify(settings, options).await,
        StoreCommand::Repair(options) => verify::repair(settings, options).await,
        StoreCommand::Keys { command } => keys::keys(settings, command).await,
        StoreCommand::Serve(options) => serve::serve(&settings, options).await,
    }
}
