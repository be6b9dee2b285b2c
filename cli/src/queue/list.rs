//! `queue list`.

use std::collections::BTreeMap;
use std::sync::Arc;

use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_bus::{Health, QueueState};
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::state::Fleet;
use jiff::Timestamp;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::arguments::ListOptions;
use super::view::{HealthView, QueueView, health_words, view};
use crate::open::{self, Opened};
use crate::output;
use crate::time::{ago, words};

/// The document of `queue list --json`.
#[derive(Debug, Serialize)]
pub(super) struct ListDocument {
    /// Whether the bus takes messages.
    pub(super) bus: HealthView,
    /// The queues.
    pub(super) queues: Vec<QueueView>,
}

/// Shows all queues.
pub(super) async fn list(settings: &Arc<Settings>, options: &ListOptions) -> anyhow::Result<u8> {
    let Some(opened) = open::to_look(settings).await? else {
        return crate::nothing_kept(settings, options.json);
    };
    let listed = async {
        let health = opened.inspect.probe().await?;
        let view = FleetView::follow(opened.bus.clone(), CancellationToken::new()).await?;
        let document = look(settings, &opened, &view, &health).await?;
        anyhow::Ok((document, health))
    };
    let listed = listed.await;
    opened.bus.close().await;
    let (document, health) = listed?;
    if options.json {
        output::print_json(&document)?;
    } else {
        let text = text(&document.queues, &health, Timestamp::now());
        output::print(|output| output.write_all(text.as_bytes()))?;
    }
    Ok(crate::EXIT_DONE)
}

/// What the bus says of the queues now, beside what the history says.
pub(super) async fn look(
    settings: &Settings,
    opened: &Opened,
    view: &FleetView,
    health: &Health,
) -> anyhow::Result<ListDocument> {
    let names = view.read(|fleet| super::names(settings, &super::work(fleet)));
    let states = super::states(opened.bus.as_ref(), &names).await?;
    Ok(view.read(|fleet| document(&names, &states, fleet, health)))
}

/// Puts together what broker and history say.
pub(super) fn document(
    names: &[String],
    states: &BTreeMap<String, Option<QueueState>>,
    fleet: &Fleet,
    health: &Health,
) -> ListDocument {
    let work = super::work(fleet);
    let queues = names.iter().map(|name| {
        let state = states.get(name).copied().flatten();
        view(name, state, work.get(name), fleet)
    });
    ListDocument {
        bus: health.into(),
        queues: queues.collect(),
    }
}

/// The table, and a line on the bus above it.
pub(super) fn text(queues: &[QueueView], health: &Health, now: Timestamp) -> String {
    let header = [
        "QUEUE",
        "DEPTH",
        "CONSUMERS",
        "WAITING",
        "OLDEST",
        "PAUSED",
        "WORKED ON",
    ];
    let mut rows = vec![header.map(str::to_owned)];
    for queue in queues {
        let mut worked_on = queue.worked_on.iter().map(|claimed| {
            let since = words(now.duration_since(claimed.since));
            format!("{}: {}, for {since}", claimed.worker, claimed.task)
        });
        let waiting = queue.waiting.as_ref();
        let oldest = waiting.and_then(|waiting| waiting.first());
        let dash = || "-".to_owned();
        rows.push([
            queue.name.clone(),
            queue.depth.map_or_else(dash, |depth| depth.to_string()),
            queue.consumers.map_or_else(dash, |count| count.to_string()),
            waiting.map_or_else(dash, |waiting| waiting.len().to_string()),
            oldest.map_or_else(dash, |oldest| ago(oldest.issued_at, now)),
            paused(queue).unwrap_or_else(dash),
            worked_on.next().unwrap_or_else(dash),
        ]);
        let blank = || String::new();
        rows.extend(worked_on.map(|claimed| {
            let mut row: [String; 7] = std::array::from_fn(|_| blank());
            row[6] = claimed;
            row
        }));
    }
    format!("{}\n\n{}", health_words(health), output::table(&rows))
}

/// Who takes no work of a queue, and why where it is known.
fn paused(queue: &QueueView) -> Option<String> {
    let by_operators = queue.paused.iter().map(|pause| match &pause.reason {
        Some(reason) => format!("{} ({})", pause.target, reason.replace('\n', " ")),
        None => pause.target.to_string(),
    });
    let unfit = queue.unfit.iter();
    let unfit = unfit.map(|(worker, cause)| format!("{worker} ({cause})"));
    let paused: Vec<String> = by_operators.chain(unfit).collect();
    (!paused.is_empty()).then(|| paused.join(", "))
}
