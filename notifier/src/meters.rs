//! What the notifier counts.

use gentoo_updater_telemetry::{Label, Metric};

/// The metrics of every notifier.
pub const METRICS: &[&Metric] = &[&TRIES, &GIVEN_UP];

const WAY: Label = Label::new("way", &["mail", "webhook", "command"]);
const OUTCOME: Label = Label::new("outcome", &["delivered", "failed"]);

/// Tries at telling something.
pub(crate) const TRIES: Metric = Metric::counter(
    "gentoo_updater_notifier_tries_total",
    &[WAY, OUTCOME],
    "Tries at telling one recipient something",
);
/// What could not be told.
pub(crate) const GIVEN_UP: Metric = Metric::counter(
    "gentoo_updater_notifier_given_up_total",
    &[WAY],
    "Notices that could not be delivered: `gentoo-updater notify list` shows them",
);
