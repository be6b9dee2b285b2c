//! Snapshots: a small stream whose newest message counts.

use std::sync::Arc;

use gentoo_updater_fleet::packed::PackError;
use gentoo_updater_fleet::snapshot::{Snapshot, SnapshotError};
use lapin::BasicProperties;
use tokio::task::spawn_blocking;

use super::incoming::Authority;
use super::listener::StreamPosition;
use super::publisher::{Outgoing, Publisher};
use super::session::Link;
use super::stream::{Placed, StreamReader, last_chunk};
use crate::meters::Sent;
use crate::seam::{BusError, Position};
use crate::topology::{LARGEST_SNAPSHOT, SNAPSHOTS, SNAPSHOTS_EXCHANGE};

/// What the broker shows as the type of the message.
pub(super) const KIND: &str = "Snapshot";

/// How many offsets are looked back at once: few, as snapshots may be large.
const STEP: u64 = 4;

/// Returns when the broker has the snapshot.
pub(super) async fn keep(publisher: &Publisher, snapshot: &Snapshot) -> Result<(), BusError> {
    let body = pack(snapshot)?;
    let properties = BasicProperties::default()
        .with_content_type("application/zlib".into())
        .with_type(KIND.into())
        .with_timestamp(snapshot.at.as_second().unsigned_abs());
    let outgoing = Outgoing {
        exchange: SNAPSHOTS_EXCHANGE,
        sent: Sent::Snapshot,
        routing_key: String::new(),
        kind: KIND.to_owned(),
        body,
        properties,
    };
    publisher.publish(outgoing).await
}

fn pack(snapshot: &Snapshot) -> Result<Vec<u8>, BusError> {
    let body = snapshot.encode().map_err(|error| match error {
        SnapshotError::Packed(PackError::Malformed(error)) => error.into(),
        other => refused(other.to_string()),
    })?;
    // The broker would close the channel, and so does one that allows less.
    if body.len() > LARGEST_SNAPSHOT {
        return Err(refused(format!(
            "it has {} bytes, and a broker takes {LARGEST_SNAPSHOT}; without snapshots a start \
             reads the whole history",
            body.len()
        )));
    }
    Ok(body)
}

fn refused(detail: String) -> BusError {
    let kind = KIND.to_owned();
    BusError::MessageRefused { kind, detail }
}

/// The newest snapshot that this program can read, and that a planner kept.
pub(super) async fn newest(
    link: &Arc<Link>,
    authority: &Authority,
) -> Result<Option<Snapshot>, BusError> {
    let mut candidates = last_chunk(link, SNAPSHOTS).await?;
    loop {
        let Some(Placed { offset, delivery }) = candidates.pop() else {
            return Ok(None);
        };
        match authority.snapshot(&delivery) {
            Ok(()) => {
                let decoded = spawn_blocking(move || Snapshot::decode(&delivery.data)).await;
                match decoded.map_err(|_| BusError::Closed)? {
                    Ok(snapshot) => return Ok(Some(snapshot)),
                    Err(error) => tracing::info!(offset, %error, "a snapshot is passed over"),
                }
            }
            Err(refused) => tracing::warn!(offset, %refused, "a snapshot is refused"),
        }
        if candidates.is_empty() {
            candidates = before(link, offset).await?;
        }
    }
}

/// Some of the snapshots before this one, oldest first; none where it is the oldest that is kept.
async fn before(link: &Arc<Link>, offset: u64) -> Result<Vec<Placed>, BusError> {
    let mut back = STEP;
    loop {
        // Not every offset is a message: the broker keeps notes of its own between them.
        let first = offset.saturating_sub(back);
        let from = StreamPosition::At(Position::Offset(first));
        let mut reader = StreamReader::new(link.clone(), SNAPSHOTS, from);
        let mut found = Vec::new();
        loop {
            let placed = reader.next().await?;
            if placed.offset >= offset {
                break;
            }
            found.push(placed);
        }
        if !found.is_empty() || first == 0 {
            return Ok(found);
        }
        back = back.saturating_mul(STEP);
    }
}
