//! The programs of gentoo-updater, by their command lines: manual pages and completions are made
//! from these.

use clap::{Command, CommandFactory as _};

use crate::arguments::Arguments;

/// The command line of each program.
pub(crate) fn programs() -> [Command; 8] {
    [
        Arguments::command(),
        gentoo_updater_planner::Arguments::command(),
        gentoo_updater_scanner::Arguments::command(),
        gentoo_updater_builder::Arguments::command(),
        gentoo_updater_installer::Arguments::command(),
        gentoo_updater_janitor::Arguments::command(),
        gentoo_updater_scheduler::Arguments::command(),
        gentoo_updater_notifier::Arguments::command(),
    ]
}
