//! `cruft`: files that builds left on builders, and that the janitor has archived.

mod arguments;
mod builders;
mod list;
mod purge;
mod restore;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use gentoo_updater_fleet::config::Settings;

pub(crate) use arguments::CruftCommand;

/// Carries out a command about archived files.
pub(crate) async fn cruft(settings: Arc<Settings>, command: CruftCommand) -> anyhow::Result<u8> {
    match command {
        CruftCommand::List(options) => list::list(settings, &options).await,
        CruftCommand::Restore(options) => restore::restore(settings, options).await,
        CruftCommand::Purge(options) => purge::purge(settings, &options).await,
    }
}
