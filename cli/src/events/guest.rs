//! Whether a guest that is asked for is one.

use std::collections::BTreeSet;
use std::sync::Arc;

use gentoo_updater_bus::{Bus, BusError, Position};
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::message::{Envelope, Event};
use gentoo_updater_fleet::name::GuestName;

use crate::WrongUsage;

/// # Errors
/// Wrong usage for a guest that neither the configuration nor an event of the history names, with
/// those that they do.
pub(super) async fn check(
    settings: &Settings,
    bus: &Arc<dyn Bus>,
    guest: &GuestName,
) -> anyhow::Result<()> {
    if settings.guests.contains_key(guest) {
        return Ok(());
    }
    let mut known = of_history(bus.as_ref()).await?;
    if known.contains(guest) {
        return Ok(());
    }
    known.extend(settings.guests.keys().cloned());
    Err(unknown(guest, &known))
}

/// Says that nobody knows this guest.
pub(super) fn unknown(guest: &GuestName, known: &BTreeSet<GuestName>) -> anyhow::Error {
    let known: Vec<&str> = known.iter().map(GuestName::as_str).collect();
    let message = format!(
        "neither the configuration nor the history names a guest {guest}; they name {}",
        known.join(", ")
    );
    WrongUsage(message).into()
}

/// The guests that the history names. The state knows those of the newest runs only.
async fn of_history(bus: &dyn Bus) -> Result<BTreeSet<GuestName>, BusError> {
    let mut guests = BTreeSet::new();
    let Some(end) = bus.end().await? else {
        return Ok(guests);
    };
    let mut reader = bus.history(Position::First).await?;
    loop {
        let item = reader.next().await?;
        if let Ok(event) = &item.event {
            guests.extend(named(event));
        }
        if item.offset >= end {
            return Ok(guests);
        }
    }
}

/// The guests of a run, or the one that an event is about where its run's beginning is gone.
fn named(event: &Envelope<Event>) -> BTreeSet<GuestName> {
    match &event.message {
        Event::RunRequested(event) => event.guests.keys().cloned().collect(),
        Event::BatchPlanned(event) => event.batch.guests.keys().cloned().collect(),
        Event::GuestScanned(event) => [event.guest.clone()].into(),
        Event::ScanFailed(event) => [event.guest.clone()].into(),
        Event::GuestUpdated(event) => [event.guest.clone()].into(),
        Event::InstallFailed(event) => [event.guest.clone()].into(),
        _ => BTreeSet::new(),
    }
}
