//! Claims and results on the worker's disk.
//!
//! `claims/<command id>.json` is written before the claim is published, and
//! `results/<command id>.json` before the result is. `begun/<command id>` counts how often its
//! work was begun and did not end in good order. All go when the result is confirmed.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gentoo_updater_fleet::message::{Command, Envelope, Event};
use gentoo_updater_fleet::name::CommandId;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{WorkerError, WorkerSpec};
use crate::seam::BusError;

/// What was found on the disk.
pub(super) struct Found<T> {
    pub(super) id: CommandId,
    pub(super) message: Envelope<T>,
}

/// The state directory of one worker, locked for as long as this lives.
#[derive(Clone)]
pub(super) struct Store {
    claims: PathBuf,
    results: PathBuf,
    begun: PathBuf,
    _lock: Arc<File>,
}

impl Store {
    pub(super) async fn open(spec: &WorkerSpec) -> Result<Self, WorkerError> {
        let spec = spec.clone();
        blocking(move || {
            let directory = &spec.state_directory;
            let (claims, results) = (directory.join("claims"), directory.join("results"));
            let begun = directory.join("begun");
            for folder in [&claims, &results, &begun] {
                fs::create_dir_all(folder).map_err(at(folder))?;
            }
            let path = directory.join("lock");
            let file = File::options()
                .create(true)
                .append(true)
                .open(&path)
                .map_err(at(&path))?;
            match file.try_lock() {
                Ok(()) => Ok(Self {
                    claims,
                    results,
                    begun,
                    _lock: Arc::new(file),
                }),
                Err(TryLockError::WouldBlock) => Err(WorkerError::InUse { id: spec.id, path }),
                Err(TryLockError::Error(error)) => Err(at(&path)(error)),
            }
        })
        .await
    }

    pub(super) async fn write_claim(
        &self,
        id: CommandId,
        command: &Envelope<Command>,
    ) -> Result<(), WorkerError> {
        write(file_of(&self.claims, id), command).await
    }

    pub(super) async fn write_result(
        &self,
        id: CommandId,
        result: &Envelope<Event>,
    ) -> Result<(), WorkerError> {
        write(file_of(&self.results, id), result).await
    }

    /// Forgets a claim that was lost.
    pub(super) async fn remove_claim(&self, id: CommandId) -> Result<(), WorkerError> {
        let (claim, begun) = (file_of(&self.claims, id), self.begun_of(id));
        blocking(move || remove(&claim).and_then(|()| remove(&begun))).await
    }

    /// How often the work of a claim was begun without an end in good order.
    pub(super) async fn times_begun(&self, id: CommandId) -> Result<u32, WorkerError> {
        let path = self.begun_of(id);
        blocking(move || match fs::read_to_string(&path) {
            // What is no number was cut off by a crash in the middle of its first writing.
            Ok(text) => Ok(text.trim().parse().unwrap_or(1)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(at(&path)(error)),
        })
        .await
    }

    /// Counts one more.
    pub(super) async fn note_begun(&self, id: CommandId) -> Result<(), WorkerError> {
        let times = self.times_begun(id).await?.saturating_add(1);
        write_text(self.begun_of(id), times.to_string().into_bytes()).await
    }

    /// Counts one less: the worker ended in good order.
    pub(super) async fn take_back_begun(&self, id: CommandId) -> Result<(), WorkerError> {
        let times = self.times_begun(id).await?.saturating_sub(1);
        write_text(self.begun_of(id), times.to_string().into_bytes()).await
    }

    fn begun_of(&self, id: CommandId) -> PathBuf {
        self.begun.join(id.to_string())
    }

    /// Forgets work whose result is published. The claim goes first: a result without a claim is
    /// published once more, which is harmless; a claim without its result would be worked on.
    pub(super) async fn remove(&self, id: CommandId) -> Result<(), WorkerError> {
        self.remove_claim(id).await?;
        let result = file_of(&self.results, id);
        blocking(move || remove(&result)).await
    }

    pub(super) async fn claims(&self) -> Result<Vec<Found<Command>>, WorkerError> {
        read_all(self.claims.clone()).await
    }

    pub(super) async fn results(&self) -> Result<Vec<Found<Event>>, WorkerError> {
        read_all(self.results.clone()).await
    }
}

fn file_of(folder: &Path, id: CommandId) -> PathBuf {
    folder.join(format!("{id}.json"))
}

async fn write<T>(path: PathBuf, message: &Envelope<T>) -> Result<(), WorkerError>
where
    T: Serialize + DeserializeOwned,
{
    write_text(path, message.encode().map_err(BusError::Encode)?).await
}

async fn write_text(path: PathBuf, body: Vec<u8>) -> Result<(), WorkerError> {
    blocking(move || {
        let mut temporary = path.clone().into_os_string();
        temporary.push(".tmp");
        let temporary = PathBuf::from(temporary);
        let written = File::create(&temporary).and_then(|mut file| {
            file.write_all(&body)?;
            file.sync_all()?;
            fs::rename(&temporary, &path)?;
            sync_folder(&path)
        });
        written.map_err(at(&path))
    })
    .await
}

fn remove(path: &Path) -> Result<(), WorkerError> {
    match fs::remove_file(path) {
        Ok(()) => sync_folder(path).map_err(at(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(at(path)(error)),
    }
}

/// A rename or removal is safe when its folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent()
        .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

async fn read_all<T>(folder: PathBuf) -> Result<Vec<Found<T>>, WorkerError>
where
    T: Serialize + DeserializeOwned + Send + 'static,
{
    blocking(move || {
        let mut found = Vec::new();
        for entry in fs::read_dir(&folder).map_err(at(&folder))? {
            let path = entry.map_err(at(&folder))?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let body = fs::read(&path).map_err(at(&path))?;
            let id = path
                .file_stem()
                .and_then(|stem| stem.to_str())
                .map(str::parse);
            match (id, Envelope::decode(&body)) {
                (Some(Ok(id)), Ok(message)) => found.push(Found { id, message }),
                (_, Err(error)) => set_aside(&path, &error.to_string())?,
                (_, Ok(_)) => set_aside(&path, "its name is no command id")?,
            }
        }
        Ok(found)
    })
    .await
}

/// A file that this program cannot read does not stop the worker, and is not lost either. The
/// planner issues its work again when the lease has run out.
fn set_aside(path: &Path, cause: &str) -> Result<(), WorkerError> {
    tracing::error!(path = %path.display(), cause, "a kept message cannot be read; it is set aside");
    fs::rename(path, path.with_extension("unreadable")).map_err(at(path))
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> WorkerError {
    let path = path.to_owned();
    move |source| WorkerError::State { path, source }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, WorkerError> + Send + 'static,
) -> Result<T, WorkerError> {
    crate::blocking::blocking(work)
        .await
        .unwrap_or(Err(WorkerError::Bus(BusError::Closed)))
}
