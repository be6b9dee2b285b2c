//! How large messages were, and when they came.

use std::collections::BTreeMap;

use gentoo_updater_bus::{Bus, Position};
use gentoo_updater_fleet::message::Event;
use jiff::Timestamp;

/// How large messages were, in bytes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sizes {
    /// All together.
    pub(crate) bytes: usize,
    /// The largest of each kind.
    pub(crate) largest: BTreeMap<String, usize>,
    /// How long each part of the run took, in seconds.
    pub(crate) phases: Vec<(&'static str, f64)>,
}

impl Sizes {
    pub(crate) fn note(&mut self, kind: &str, bytes: usize) {
        self.bytes += bytes;
        let largest = self.largest.entry(kind.to_owned()).or_default();
        *largest = bytes.max(*largest);
    }
}

/// Reads all that there is.
pub(crate) async fn read(bus: &dyn Bus) -> Sizes {
    let end = bus.end().await.expect("a broker").expect("a history");
    let mut reader = bus.history(Position::First).await.expect("a history");
    let mut sizes = Sizes::default();
    let mut last: BTreeMap<&'static str, Timestamp> = BTreeMap::new();
    loop {
        let item = reader.next().await.expect("a history that goes on");
        let event = item.event.expect("every event can be read");
        let bytes = event.encode().expect("an event is JSON").len();
        sizes.note(event.message.kind(), bytes);
        let kind = match &event.message {
            Event::RunRequested(_) => Some("requested"),
            Event::GuestScanned(_) => Some("scanned"),
            Event::BatchPlanned(_) => Some("planned"),
            Event::PackageBuilt(_) => Some("built"),
            Event::GuestUpdated(_) => Some("updated"),
            _ => None,
        };
        if let Some(kind) = kind {
            last.insert(kind, event.at);
        }
        if item.offset >= end {
            break;
        }
    }
    let phases = [
        ("all scans", "requested", "scanned"),
        ("from the last scan to the batch", "scanned", "planned"),
        ("all builds", "planned", "built"),
        ("all installations", "built", "updated"),
    ];
    for (phase, from, to) in phases {
        let took = last[to].duration_since(last[from]).as_secs_f64();
        sizes.phases.push((phase, took));
    }
    sizes
}
