//! What is right and may still be a mistake, or is missing on this machine.

use gentoo_updater_fleet::config::Settings;
use gentoo_updater_notifier::check_files;
use jiff::Timestamp;

use super::rollout::of_windows;

/// A line for each.
pub(super) fn lines(settings: &Settings, now: Timestamp) -> Vec<String> {
    let missing = settings.notifications.iter().filter_map(|(name, it)| {
        let error = check_files(it).err()?;
        Some(format!(
            "  ! notification {name}: {error:#}; nobody is told by it from where that is so"
        ))
    });
    let never = settings.schedules.iter().filter(|(name, schedule)| {
        // Nothing but the windows can keep all of its runs from beginning.
        !schedule.meets_windows(name, now)
    });
    let never = never.map(|(name, schedule)| {
        format!(
            "  ! schedule {name}: no run of it will ever begin, since none of its times meets its windows \
             ({}); let calendar or windows meet, or raise late_minutes",
            of_windows(&schedule.windows)
        )
    });
    missing.chain(never).collect()
}
