//! `dead show`.

use std::sync::Arc;

use gentoo_updater_bus::DeadLetter;
use gentoo_updater_fleet::config::Settings;
use jiff::Timestamp;

use super::arguments::ShowOptions;
use super::letter::WholeLetter;
use super::select::{SelectError, by_id};
use crate::open;
use crate::output;
use crate::time::ago;

/// Shows one dead letter.
pub(super) async fn show(settings: &Arc<Settings>, options: &ShowOptions) -> anyhow::Result<u8> {
    // Where there was no run there is no dead letter either.
    let letters = match open::to_look(settings).await? {
        None => Vec::new(),
        Some(opened) => {
            let letters = super::letters(opened.inspect.as_ref()).await;
            opened.bus.close().await;
            letters?
        }
    };
    let letter = by_id(&letters, &options.id).map_err(SelectError::refusal)?;
    if options.json {
        output::print_json(&WholeLetter::of(letter))?;
    } else {
        let text = text(letter, Timestamp::now())?;
        output::print(|output| output.write_all(text.as_bytes()))?;
    }
    Ok(crate::EXIT_DONE)
}

/// All that is known of a dead letter, and its body.
pub(super) fn text(letter: &DeadLetter, now: Timestamp) -> anyhow::Result<String> {
    let WholeLetter {
        letter: view,
        problem,
        message,
        ..
    } = WholeLetter::of(letter);
    let mut rows: Vec<[String; 2]> = Vec::new();
    let mut row = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            rows.push([name.to_owned(), value]);
        }
    };
    row("id", Some(view.id));
    let came = format!(
        "{}, {}",
        view.at.strftime("%Y-%m-%d %H:%M:%SZ"),
        ago(view.at, now)
    );
    row("came", Some(came));
    row("from queue", Some(view.queue));
    row("cause", Some(view.cause));
    row("kind", view.kind);
    row("orders", view.task);
    row("run", view.run.map(|run| run.to_string()));
    row("attempt", view.attempt.map(|attempt| attempt.to_string()));
    row("deliveries", view.deliveries.map(|count| count.to_string()));
    row("says it is from", view.sender);
    row("sent by user", view.user);
    row("buried by user", view.buried_by);
    row("body", Some(format!("{} bytes", view.bytes)));
    row("not understood", problem);
    let body = match message {
        Some(message) => serde_json::to_string_pretty(&message)?,
        None => raw(&letter.body),
    };
    // `table` takes what commands a terminal out of the rows, and this out of the body.
    Ok(format!(
        "{}\n{}\n",
        output::table(&rows),
        output::harmless(&body)
    ))
}

/// A body that is no JSON: its text, or its bytes where it is no text.
fn raw(body: &[u8]) -> String {
    match std::str::from_utf8(body) {
        Ok(text) => text.to_owned(),
        Err(_) => {
            let lines = body.chunks(16).map(|line| {
                let bytes: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
                bytes.join(" ")
            });
            lines.collect::<Vec<_>>().join("\n")
        }
    }
}
