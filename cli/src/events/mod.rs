//! `events`: the history, as it is.

use std::sync::Arc;

use gentoo_updater_bus::{HistoryItem, Position};
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::describe::describe;
use gentoo_updater_fleet::message::{Envelope, Event};
use gentoo_updater_runtime::stop_on_signals;
use tokio_util::sync::CancellationToken;

use crate::arguments::EventsOptions;
use crate::open;

/// Prints events until the end of the history, or until interrupted.
pub(crate) async fn events(settings: &Arc<Settings>, options: EventsOptions) -> anyhow::Result<u8> {
    let stop = CancellationToken::new();
    stop_on_signals(stop.clone());
    let Some(bus) = open::read_only(settings).await? else {
        eprintln!("There was no run yet.");
        return Ok(crate::EXIT_ALL_UPDATED);
    };
    let end = bus.end().await?;
    let mut reader = bus.history(Position::First).await?;
    loop {
        let item = tokio::select! {
            item = reader.next(), if options.follow || end.is_some() => item?,
            () = stop.cancelled() => break,
            else => break,
        };
        let is_last = end.is_some_and(|end| item.offset >= end);
        print(&item, &options)?;
        if is_last && !options.follow {
            break;
        }
    }
    bus.close().await;
    Ok(crate::EXIT_ALL_UPDATED)
}

fn print(item: &HistoryItem, options: &EventsOptions) -> anyhow::Result<()> {
    match &item.event {
        Ok(envelope) if options.run.is_some() && envelope.message.run() != options.run => {}
        Ok(envelope) if options.json => println!("{}", json(item.offset, envelope)?),
        Ok(envelope) => println!(
            "{} {:>6} {:24} {}",
            envelope.at.strftime("%Y-%m-%d %H:%M:%S"),
            item.offset,
            envelope.sender,
            describe(&envelope.message)
        ),
        Err(error) => eprintln!("event {}: {error}", item.offset),
    }
    Ok(())
}

fn json(offset: u64, envelope: &Envelope<Event>) -> anyhow::Result<String> {
    let mut value = serde_json::to_value(envelope)?;
    if let Some(object) = value.as_object_mut() {
        object.insert("offset".to_owned(), offset.into());
    }
    Ok(value.to_string())
}
