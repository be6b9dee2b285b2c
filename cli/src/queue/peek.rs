//! `queue peek`: the waiting work of a queue, from the history, so that the queue is not touched.

use std::sync::Arc;

use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::state::Fleet;
use gentoo_updater_fleet::words::counted;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::arguments::PeekOptions;
use super::view::{QueueView, view};
use crate::open::{self, Opened};
use crate::output;
use crate::time::ago;

/// Shows what waits in a queue.
pub(super) async fn peek(settings: &Arc<Settings>, options: &PeekOptions) -> anyhow::Result<u8> {
    let Some(opened) = open::to_look(settings).await? else {
        super::check_name(settings, &Fleet::default(), &options.name)?;
        return crate::nothing_kept(settings, options.json);
    };
    let looked = look(settings, &opened, &options.name).await;
    opened.bus.close().await;
    let queue = looked?;
    if options.json {
        output::print_json(&queue)?;
    } else {
        let text = text(&queue, Timestamp::now());
        output::print(|output| output.write_all(text.as_bytes()))?;
    }
    let Some(difference) = queue.difference else {
        return Ok(crate::EXIT_DONE);
    };
    eprintln!("{}: {}.", queue.name, difference.words());
    Ok(crate::EXIT_WITH_FAILURES)
}

async fn look(settings: &Settings, opened: &Opened, name: &str) -> anyhow::Result<QueueView> {
    let follow = FleetView::follow(opened.bus.clone(), CancellationToken::new());
    let fleet = follow.await?.read(Fleet::clone);
    super::check_name(settings, &fleet, name)?;
    let state = opened.bus.queue(name).await?;
    Ok(view(name, state, super::work(&fleet).get(name), &fleet))
}

/// The waiting work as a table, with both numbers above it.
pub(super) fn text(queue: &QueueView, now: Timestamp) -> String {
    let waiting = queue.waiting.as_deref().unwrap_or_default();
    let by_broker = match queue.depth {
        Some(depth) => format!("{depth} by the broker"),
        None => "the broker has no such queue".to_owned(),
    };
    let mut text = format!(
        "{}: {} by the history, {by_broker}\n",
        queue.name,
        counted(waiting.len(), "command")
    );
    if waiting.is_empty() {
        return text;
    }
    let mut rows = vec![["ISSUED", "RUN", "ATTEMPT", "TASK"].map(str::to_owned)];
    rows.extend(waiting.iter().map(|waiting| {
        let mut task = waiting.task.clone();
        // It has a column of its own.
        let attempt = std::mem::replace(&mut task.attempt, 1);
        [
            ago(waiting.issued_at, now),
            task.run.short(),
            attempt.to_string(),
            task.to_string(),
        ]
    }));
    text.push('\n');
    text.push_str(&output::table(&rows));
    text
}
