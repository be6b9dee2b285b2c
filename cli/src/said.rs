//! What an operator has said, told to programs or to people.

use gentoo_updater_fleet::config::Settings;
use serde::Serialize;

use crate::open::Opened;
use crate::output;

/// Tells it. `is_event`: whether something had to be said at all.
pub(crate) fn tell(
    settings: &Settings,
    opened: &Opened,
    json: bool,
    (document, words): (&impl Serialize, &str),
    is_event: bool,
) -> anyhow::Result<u8> {
    if json {
        output::print_json(document)?;
    } else {
        println!("{words}");
    }
    let is_kept = settings.broker.is_none() && !opened.is_beside;
    if is_kept && is_event {
        eprintln!(
            "No broker is configured: it is in the journal, and `gentoo-updater run` obeys it."
        );
    }
    Ok(crate::EXIT_DONE)
}
