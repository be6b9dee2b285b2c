//! How far the reading of a store is, on a terminal.

use std::io::IsTerminal as _;
use std::time::Duration;

use gentoo_updater_fleet::name::PlatformName;
use gentoo_updater_janitor::store::verify::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar on standard error, where that is a terminal.
pub(super) struct Reading(Option<ProgressBar>);

impl Reading {
    pub(super) fn of(platform: &PlatformName) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
            let template = "{spinner} [{elapsed}] {msg} {bar:30} {bytes}/{total_bytes}";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.set_message(platform.to_string());
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self(bar)
    }

    pub(super) fn show(&mut self, progress: Progress) {
        if let Some(bar) = &self.0 {
            bar.set_length(progress.of);
            bar.set_position(progress.read);
        }
    }

    pub(super) fn end(&mut self) {
        if let Some(bar) = self.0.take() {
            bar.finish_and_clear();
        }
    }
}
