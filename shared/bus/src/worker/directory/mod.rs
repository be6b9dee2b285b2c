//! The state directory of a worker: files that outlive it.

mod folder;
mod memory;

use std::path::PathBuf;

use super::WorkerError;
use folder::Folder;
pub(super) use folder::LOCK;
use gentoo_updater_fleet::name::WorkerId;
use memory::Locked;

pub use memory::MemoryDirectory;

/// Where a worker keeps its claims and results: its own, and kept over restarts.
#[derive(Debug, Clone)]
pub enum StateDirectory {
    /// In files below this folder.
    Folder(PathBuf),
    /// In memory, for simulations.
    Memory(MemoryDirectory),
}

impl From<PathBuf> for StateDirectory {
    fn from(folder: PathBuf) -> Self {
        Self::Folder(folder)
    }
}

/// What a file that was written or removed outlives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    /// An end of the process, whatever its cause.
    Process,
    /// A loss of power, too: the disk is waited for.
    Power,
}

/// A file.
pub(super) struct Content {
    pub(super) name: String,
    pub(super) body: Vec<u8>,
}

/// A state directory, locked for as long as this lives.
#[derive(Clone)]
pub(super) enum Directory {
    Folder(Folder),
    Memory(Locked),
}

impl Directory {
    /// Locks the directory, and makes these folders in it.
    pub(super) async fn open(
        directory: &StateDirectory,
        id: &WorkerId,
        folders: &'static [&'static str],
    ) -> Result<Self, WorkerError> {
        match directory {
            StateDirectory::Folder(path) => {
                let opened = Folder::open(path.clone(), id.clone(), folders);
                Ok(Self::Folder(opened.await?))
            }
            StateDirectory::Memory(memory) => Ok(Self::Memory(memory.lock(id)?)),
        }
    }

    /// Writes a file as a whole, or not at all.
    pub(super) async fn write(
        &self,
        folder: &'static str,
        name: &str,
        body: Vec<u8>,
        durability: Durability,
    ) -> Result<(), WorkerError> {
        match self {
            Self::Folder(files) => files.write(folder, name, body, durability).await,
            Self::Memory(memory) => {
                memory.write(folder, name, body);
                Ok(())
            }
        }
    }

    /// A file, if it is there.
    pub(super) async fn read(
        &self,
        folder: &'static str,
        name: &str,
    ) -> Result<Option<Vec<u8>>, WorkerError> {
        match self {
            Self::Folder(files) => files.read(folder, name).await,
            Self::Memory(memory) => Ok(memory.read(folder, name)),
        }
    }

    /// Removes a file if it is there.
    pub(super) async fn remove(
        &self,
        folder: &'static str,
        name: &str,
        durability: Durability,
    ) -> Result<(), WorkerError> {
        match self {
            Self::Folder(files) => files.remove(folder, name, durability).await,
            Self::Memory(memory) => {
                memory.remove(folder, name);
                Ok(())
            }
        }
    }

    /// All files of a folder whose names end so.
    pub(super) async fn read_all(
        &self,
        folder: &'static str,
        suffix: &'static str,
    ) -> Result<Vec<Content>, WorkerError> {
        match self {
            Self::Folder(files) => files.read_all(folder, suffix).await,
            Self::Memory(memory) => Ok(memory.read_all(folder, suffix)),
        }
    }

    /// A file that this program cannot read does not stop the worker, and is not lost either. The
    /// planner issues its work again when the lease has run out.
    pub(super) async fn set_aside(
        &self,
        folder: &'static str,
        name: &str,
        cause: &str,
    ) -> Result<(), WorkerError> {
        tracing::error!(
            folder,
            name,
            cause,
            "a kept message cannot be read; it is set aside"
        );
        match self {
            Self::Folder(files) => files.set_aside(folder, name).await,
            Self::Memory(memory) => {
                memory.remove(folder, name);
                Ok(())
            }
        }
    }
}
