//! Claims and results on the worker's disk.
//!
//! `claims/<command id>.json` is written before the claim is published, and
//! `results/<command id>.json` before the result is. `begun/<command id>` counts how often its
//! work was begun and did not end in good order. All go when the result is confirmed.
//!
//! What was written is there after a loss of power, too, but for a question: asked once more it
//! does no harm, and the questions to a whole fleet would do nothing but wait for the disk.

use gentoo_updater_fleet::message::{Command, Envelope, Event};
use gentoo_updater_fleet::name::CommandId;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::directory::{Content, Directory, Durability};
use super::{WorkerError, WorkerSpec};
use crate::seam::BusError;

const CLAIMS: &str = "claims";
const RESULTS: &str = "results";
const BEGUN: &str = "begun";
/// How the names of messages end.
const MESSAGE: &str = ".json";

/// What was found on the disk.
pub(super) struct Found<T> {
    pub(super) id: CommandId,
    pub(super) message: Envelope<T>,
}

/// The state directory of one worker, locked for as long as this lives.
#[derive(Clone)]
pub(super) struct Store(Directory);

impl Store {
    pub(super) async fn open(spec: &WorkerSpec) -> Result<Self, WorkerError> {
        let folders = &[CLAIMS, RESULTS, BEGUN];
        let directory = Directory::open(&spec.state_directory, &spec.id, folders);
        Ok(Self(directory.await?))
    }

    pub(super) async fn write_claim(
        &self,
        id: CommandId,
        command: &Envelope<Command>,
    ) -> Result<(), WorkerError> {
        self.write(CLAIMS, id, command, of_command(&command.message))
            .await
    }

    pub(super) async fn write_result(
        &self,
        id: CommandId,
        result: &Envelope<Event>,
    ) -> Result<(), WorkerError> {
        self.write(RESULTS, id, result, of_result(&result.message))
            .await
    }

    /// Forgets a claim that was lost.
    pub(super) async fn remove_claim(
        &self,
        id: CommandId,
        command: &Command,
    ) -> Result<(), WorkerError> {
        self.forget(id, of_command(command)).await
    }

    async fn forget(&self, id: CommandId, durability: Durability) -> Result<(), WorkerError> {
        self.0.remove(CLAIMS, &file_of(id), durability).await?;
        self.0.remove(BEGUN, &id.to_string(), durability).await
    }

    /// How often the work of a claim was begun without an end in good order.
    pub(super) async fn times_begun(&self, id: CommandId) -> Result<u32, WorkerError> {
        let body = self.0.read(BEGUN, &id.to_string()).await?;
        // What is no number was cut off by a crash in the middle of its first writing.
        let number = |body: Vec<u8>| {
            let text = std::str::from_utf8(&body).ok();
            text.and_then(|text| text.trim().parse().ok()).unwrap_or(1)
        };
        Ok(body.map_or(0, number))
    }

    /// Counts one more.
    pub(super) async fn note_begun(
        &self,
        id: CommandId,
        command: &Command,
    ) -> Result<(), WorkerError> {
        let times = self.times_begun(id).await?.saturating_add(1);
        self.write_begun(id, times, of_command(command)).await
    }

    /// Counts one less: the worker ended in good order.
    pub(super) async fn take_back_begun(&self, id: CommandId) -> Result<(), WorkerError> {
        let times = self.times_begun(id).await?.saturating_sub(1);
        self.write_begun(id, times, Durability::Power).await
    }

    async fn write_begun(
        &self,
        id: CommandId,
        times: u32,
        durability: Durability,
    ) -> Result<(), WorkerError> {
        let (name, body) = (id.to_string(), times.to_string().into_bytes());
        self.0.write(BEGUN, &name, body, durability).await
    }

    /// Forgets work whose result is published. The claim goes first: a result without a claim is
    /// published once more, which is harmless; a claim without its result would be worked on.
    pub(super) async fn remove(&self, id: CommandId, result: &Event) -> Result<(), WorkerError> {
        let durability = of_result(result);
        self.forget(id, durability).await?;
        self.0.remove(RESULTS, &file_of(id), durability).await
    }

    pub(super) async fn claims(&self) -> Result<Vec<Found<Command>>, WorkerError> {
        self.read_all(CLAIMS).await
    }

    pub(super) async fn results(&self) -> Result<Vec<Found<Event>>, WorkerError> {
        self.read_all(RESULTS).await
    }

    async fn write<T>(
        &self,
        folder: &'static str,
        id: CommandId,
        message: &Envelope<T>,
        durability: Durability,
    ) -> Result<(), WorkerError>
    where
        T: Serialize + DeserializeOwned,
    {
        let body = message.encode().map_err(BusError::from)?;
        self.0.write(folder, &file_of(id), body, durability).await
    }

    async fn read_all<T>(&self, folder: &'static str) -> Result<Vec<Found<T>>, WorkerError>
    where
        T: Serialize + DeserializeOwned,
    {
        let mut found = Vec::new();
        for Content { name, body } in self.0.read_all(folder, MESSAGE).await? {
            let id = name.trim_end_matches(MESSAGE).parse();
            match (id, Envelope::decode(&body)) {
                (Ok(id), Ok(message)) => found.push(Found { id, message }),
                (_, Err(error)) => self.0.set_aside(folder, &name, &error.to_string()).await?,
                (Err(_), Ok(_)) => {
                    let cause = "its name is no command id";
                    self.0.set_aside(folder, &name, cause).await?;
                }
            }
        }
        Ok(found)
    }
}

fn of_command(command: &Command) -> Durability {
    match command {
        Command::ScanGuest(_) => Durability::Process,
        _ => Durability::Power,
    }
}

fn of_result(result: &Event) -> Durability {
    match result {
        Event::GuestScanned(_) | Event::ScanFailed(_) => Durability::Process,
        _ => Durability::Power,
    }
}

fn file_of(id: CommandId) -> String {
    format!("{id}{MESSAGE}")
}
