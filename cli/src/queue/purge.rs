//! `queue purge`.

use std::sync::Arc;
use std::time::Duration;

use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::inspect::Waiting;
use gentoo_updater_fleet::state::Fleet;
use gentoo_updater_fleet::words::counted;
use gentoo_updater_planner::issued_again_after;
use jiff::Timestamp;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::arguments::PurgeOptions;
use super::peek::text;
use super::view::view;
use crate::ask::agreed;
use crate::open::{self, Opened};
use crate::output;

/// The document of `queue purge --json`.
#[derive(Debug, Serialize)]
pub(super) struct PurgeDocument<'a> {
    /// The queue.
    pub(super) queue: &'a str,
    /// How many messages were taken off it.
    pub(super) purged: u64,
}

/// Takes all waiting work off a queue.
pub(super) async fn purge(settings: &Arc<Settings>, options: &PurgeOptions) -> anyhow::Result<u8> {
    let opened = open::to_change(settings).await?;
    let purged = purge_opened(settings, &opened, options).await;
    opened.bus.close().await;
    let Some(purged) = purged? else {
        eprintln!("Nothing was purged.");
        return Ok(crate::EXIT_WITH_FAILURES);
    };
    let name = &options.name;
    if options.json {
        output::print_json(&PurgeDocument {
            queue: name,
            purged,
        })?;
    } else {
        println!("{} taken off {name}.", counted(purged, "message"));
    }
    Ok(crate::EXIT_DONE)
}

/// After which time the planner issues these again.
pub(super) fn again(waiting: &[Waiting], lease: Duration) -> String {
    let times = || waiting.iter().map(|waiting| waiting.times);
    let (fewest, most) = (times().min().unwrap_or(1), times().max().unwrap_or(1));
    let first = issued_again_after(fewest, lease);
    let last = issued_again_after(most, lease);
    format!(
        "{} to {} s after the purge, and each further time twice as late",
        first.start().as_secs(),
        last.end().as_secs()
    )
}

/// How many messages there were; none where the operator did not agree.
pub(super) async fn purge_opened(
    settings: &Settings,
    opened: &Opened,
    options: &PurgeOptions,
) -> anyhow::Result<Option<u64>> {
    let name = &options.name;
    let follow = FleetView::follow(opened.bus.clone(), CancellationToken::new());
    let fleet = follow.await?.read(Fleet::clone);
    super::check_name(settings, &fleet, name)?;
    let state = opened.bus.queue(name).await?;
    let queue = view(name, state, super::work(&fleet).get(name), &fleet);
    if !options.json {
        eprint!("{}", text(&queue, Timestamp::now()));
    }
    eprintln!(
        "A purge takes all of it off the queue. What is worked on is not touched. The planner issues \
         again what is still wanted, {}: `gentoo-updater pause` keeps workers from taking it.",
        again(
            queue.waiting.as_deref().unwrap_or_default(),
            settings.policy.lease
        )
    );
    let question = format!("Purge {name}?");
    if !agreed(&question, options.yes, "use --yes if it is meant").await? {
        return Ok(None);
    }
    Ok(Some(opened.inspect.purge(name).await?))
}
