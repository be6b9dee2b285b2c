//! `schedule`: runs by calendar.

mod arguments;
mod list;
mod served;

use std::sync::Arc;

use gentoo_updater_fleet::config::Settings;

use crate::WrongUsage;

pub(crate) use arguments::ScheduleCommand;
pub(crate) use served::is_served;

/// Carries one of its commands out.
pub(crate) async fn schedule(
    settings: Arc<Settings>,
    command: ScheduleCommand,
) -> anyhow::Result<u8> {
    if settings.schedules.is_empty() {
        let words = "the configuration has no schedule; add a table such as [schedules.nightly] with \
                     calendar = \"30 3 * * *\"";
        return Err(WrongUsage(words.to_owned()).into());
    }
    match command {
        ScheduleCommand::List(options) => list::list(&settings, options.json).await,
        ScheduleCommand::Serve(options) => served::serve(settings, options).await,
    }
}
