//! `status`: the fleet at one glance, once or live.

mod arguments;
mod screen;
#[cfg(test)]
mod tests;
mod watch;
mod wrap;

use std::collections::BTreeMap;
use std::sync::Arc;

use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::inspect::{BusStatus, StatusView};
use gentoo_updater_fleet::state::Fleet;
use jiff::Timestamp;
use serde::Serialize;

use self::screen::{Size, screen};
use crate::WrongUsage;
use crate::notices::Notices;
use crate::open::{self, Opened};
use crate::output;
use crate::queue;
use crate::standing;

pub(crate) use arguments::StatusOptions;

/// Where there is no terminal, lines are as wide as in mail, and nothing is left out.
const PLAIN: Size = Size {
    width: 80,
    height: None,
};

/// The document of `status --json`: the fleet at one glance, and what stands in the way of all runs.
#[derive(Debug, Serialize)]
struct StatusDocument<'a> {
    #[serde(flatten)]
    status: &'a StatusView,
    fleet: &'a Notices,
}

/// Shows the fleet at one glance.
pub(crate) async fn status(settings: &Arc<Settings>, options: StatusOptions) -> anyhow::Result<u8> {
    if let Some(command) = options.report_instead() {
        let message =
            format!("`status` shows the whole fleet on one screen; `{command}` tells of that");
        return Err(WrongUsage(message).into());
    }
    if options.watch {
        watch::refuse_without_terminal()?;
    }
    let Some(opened) = open::to_look(settings).await? else {
        return crate::nothing_kept(settings, options.json);
    };
    if options.watch {
        let watched = watch::watch(settings, &opened).await;
        opened.bus.close().await;
        return watched.map(|()| crate::EXIT_DONE);
    }
    let looked = look(settings, &opened).await;
    opened.bus.close().await;
    let (view, notices) = looked?;
    if options.json {
        output::print_json(&StatusDocument {
            status: &view,
            fleet: &notices,
        })?;
        return Ok(crate::EXIT_DONE);
    }
    let lines = screen(&view, &notices.lines(), terminal_size());
    output::print(|output| {
        for line in &lines {
            writeln!(output, "{}", line.text)?;
        }
        Ok(())
    })?;
    Ok(crate::EXIT_DONE)
}

/// The size of the terminal that is written to, without the line for the prompt.
fn terminal_size() -> Size {
    use std::io::IsTerminal;
    let size = std::io::stdout().is_terminal().then(termion::terminal_size);
    match size {
        Some(Ok((width, height))) if width > 0 && height > 1 => Size {
            width: usize::from(width),
            height: Some(usize::from(height) - 1),
        },
        _ => PLAIN,
    }
}

async fn look(settings: &Settings, opened: &Opened) -> anyhow::Result<(StatusView, Notices)> {
    let standing = standing::look(settings, opened, None).await?;
    let bus = bus_status(settings, opened, &standing.fleet).await?;
    let guests = settings.guests.keys().cloned().collect();
    let view = StatusView::of(&standing.fleet, &bus, Timestamp::now(), &guests);
    Ok((view, standing.notices))
}

/// What the bus says of the queues in which work waits.
async fn bus_status(
    settings: &Settings,
    opened: &Opened,
    fleet: &Fleet,
) -> anyhow::Result<BusStatus> {
    if settings.broker.is_none() {
        let lives = open::is_worked_on(settings).await;
        return Ok(BusStatus::Process { lives });
    }
    let mut queues = BTreeMap::new();
    for (name, work) in queue::work(fleet) {
        if !work.waiting.is_empty() {
            let state = opened.bus.queue(&name).await?;
            let consumers = state.and_then(|state| state.consumers);
            queues.insert(name, (work.waiting.len(), consumers));
        }
    }
    Ok(BusStatus::Broker(queues))
}
