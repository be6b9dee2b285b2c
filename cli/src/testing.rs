//! What tests of several commands share.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;

use async_trait::async_trait;
use gentoo_updater_bus::topology::HISTORY;
use gentoo_updater_bus::{BusError, DeadLetter, Health, Inspect, LetterId, NoWayBack, Retried};
use gentoo_updater_fleet::message::{Envelope, Event};
use gentoo_updater_fleet::state::Fleet;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

/// The time at which tests look.
pub(crate) fn now() -> Timestamp {
    "2026-01-05T12:00:00Z".parse().unwrap()
}

/// So many seconds before [`now`].
pub(crate) fn before(seconds: i64) -> Timestamp {
    now() - SignedDuration::from_secs(seconds)
}

/// The body of a message as the golden files of `fleet` have it. They are about one run of g1, in
/// which builder@b1 builds dev-libs/libbeta-1.0.
pub(crate) fn body(kind: &str) -> Vec<u8> {
    let path = format!("../shared/fleet/tests/golden/{kind}.v1.json");
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// That event.
pub(crate) fn event(kind: &str) -> Event {
    Envelope::<Event>::decode(&body(kind)).unwrap().message
}

/// The state after these events, each so many seconds before [`now`].
pub(crate) fn fleet(events: &[(i64, Event)]) -> Fleet {
    let mut fleet = Fleet::default();
    for (offset, (seconds, event)) in events.iter().enumerate() {
        let sender = "test@1".parse().unwrap();
        let envelope = Envelope::new(sender, before(*seconds), event.clone());
        fleet.apply(offset as u64, &envelope);
    }
    fleet
}

/// Compares a document with its golden file: its fields are what programs read. Where a
/// difference is meant, `UPDATE_GOLDEN=1 cargo test -p gentoo-updater-cli` writes the file anew.
pub(crate) fn golden(name: &str, document: &impl Serialize) {
    let written = serde_json::to_value(document).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.json"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let text = serde_json::to_string_pretty(&written).unwrap();
        std::fs::write(&path, text + "\n").unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap();
    let golden: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        written,
        golden,
        "{name} is written otherwise than in {}",
        path.display()
    );
}

/// Dead letters in memory.
pub(crate) struct DeadLetters(pub(crate) Mutex<Vec<DeadLetter>>);

impl DeadLetters {
    fn take(&self, wanted: &BTreeSet<LetterId>) -> Vec<LetterId> {
        let mut letters = self.0.lock().unwrap();
        let taken = letters.extract_if(.., |letter| wanted.contains(&letter.id));
        taken.map(|letter| letter.id).collect()
    }
}

#[async_trait]
impl Inspect for DeadLetters {
    async fn purge(&self, _: &str) -> Result<u64, BusError> {
        Err(BusError::ReadOnly)
    }

    async fn dead_letters(&self, most: usize) -> Result<Vec<DeadLetter>, BusError> {
        let letters = self.0.lock().unwrap();
        Ok(letters.iter().take(most).cloned().collect())
    }

    /// What comes from the history has no way back.
    async fn retry_dead(&self, letters: &BTreeSet<LetterId>) -> Result<Retried, BusError> {
        let is_stuck = |letter: &DeadLetter| letter.queue == HISTORY;
        let stuck = self.0.lock().unwrap().clone();
        let stuck = stuck
            .into_iter()
            .filter(|letter| letters.contains(&letter.id) && is_stuck(letter));
        let stayed: Vec<NoWayBack> = stuck
            .map(|letter| NoWayBack {
                letter: letter.id,
                queue: letter.queue,
                cause: "this is no queue of commands".to_owned(),
            })
            .collect();
        let rest = letters
            .iter()
            .filter(|id| stayed.iter().all(|it| it.letter != **id));
        let returned = self.take(&rest.cloned().collect());
        Ok(Retried { returned, stayed })
    }

    async fn drop_dead(&self, letters: &BTreeSet<LetterId>) -> Result<Vec<LetterId>, BusError> {
        Ok(self.take(letters))
    }

    async fn probe(&self) -> Result<Health, BusError> {
        Ok(Health::Good)
    }
}
