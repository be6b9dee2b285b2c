//! `dead list`.

use std::sync::Arc;

use gentoo_updater_bus::DeadLetter;
use gentoo_updater_fleet::config::Settings;
use jiff::Timestamp;
use serde::Serialize;

use super::arguments::ListOptions;
use super::letter::LetterView;
use super::select::{SelectError, by_filters, check_queue};
use crate::open;
use crate::output;
use crate::time::ago;

/// The document of `dead list --json`.
#[derive(Debug, Serialize)]
pub(super) struct ListDocument {
    /// The dead letters, oldest first.
    pub(super) dead_letters: Vec<LetterView>,
}

/// Shows the dead letters.
pub(super) async fn list(settings: &Arc<Settings>, options: &ListOptions) -> anyhow::Result<u8> {
    let queues = crate::queue::declared(settings);
    let Some(opened) = open::to_look(settings).await? else {
        check_queue(&options.filters, &[], &queues).map_err(SelectError::refusal)?;
        return crate::nothing_kept(settings, options.json);
    };
    let letters = super::letters(opened.inspect.as_ref()).await;
    opened.bus.close().await;
    let (letters, now) = (letters?, Timestamp::now());
    check_queue(&options.filters, &letters, &queues).map_err(SelectError::refusal)?;
    let views = views(&by_filters(&letters, &options.filters, now));
    if options.json {
        output::print_json(&ListDocument {
            dead_letters: views,
        })?;
    } else if views.is_empty() {
        let which = if letters.is_empty() { "" } else { " like that" };
        eprintln!("There are no dead letters{which}.");
    } else {
        let text = text(&views, now);
        output::print(|output| output.write_all(text.as_bytes()))?;
    }
    Ok(crate::EXIT_DONE)
}

/// These dead letters as they are shown.
pub(super) fn views(letters: &[&DeadLetter]) -> Vec<LetterView> {
    letters
        .iter()
        .map(|letter| LetterView::of(letter))
        .collect()
}

/// These dead letters as a table.
pub(super) fn text(letters: &[LetterView], now: Timestamp) -> String {
    let mut rows = vec![["ID", "CAME", "FROM", "KIND", "ATTEMPT", "CAUSE"].map(str::to_owned)];
    let dash = || "-".to_owned();
    rows.extend(letters.iter().map(|letter| {
        [
            letter.id.clone(),
            ago(letter.at, now),
            letter.queue.clone(),
            letter.kind.clone().unwrap_or_else(dash),
            letter
                .attempt
                .map_or_else(dash, |attempt| attempt.to_string()),
            // A cause may hold the lines of somebody else's message.
            letter
                .cause
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" "),
        ]
    }));
    output::table(&rows)
}
