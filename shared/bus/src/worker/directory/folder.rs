//! A state directory on a disk.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gentoo_updater_fleet::name::WorkerId;

use super::{Content, Durability};
use crate::seam::BusError;
use crate::worker::WorkerError;

/// The file that is locked.
pub(in crate::worker) const LOCK: &str = "lock";

/// The open folder, locked for as long as this lives.
#[derive(Clone)]
pub(in crate::worker) struct Folder {
    path: PathBuf,
    _lock: Arc<File>,
}

impl Folder {
    pub(super) async fn open(
        directory: PathBuf,
        id: WorkerId,
        folders: &'static [&'static str],
    ) -> Result<Self, WorkerError> {
        blocking(Durability::Process, move || {
            for folder in folders {
                let folder = directory.join(folder);
                fs::create_dir_all(&folder).map_err(at(&folder))?;
            }
            let path = directory.join(LOCK);
            let file = File::options()
                .create(true)
                .append(true)
                .open(&path)
                .map_err(at(&path))?;
            match file.try_lock() {
                Ok(()) => Ok(Self {
                    path: directory,
                    _lock: Arc::new(file),
                }),
                Err(TryLockError::WouldBlock) => Err(WorkerError::InUse { id, path }),
                Err(TryLockError::Error(error)) => Err(at(&path)(error)),
            }
        })
        .await
    }

    fn file(&self, folder: &str, name: &str) -> PathBuf {
        self.path.join(folder).join(name)
    }

    pub(super) async fn write(
        &self,
        folder: &str,
        name: &str,
        body: Vec<u8>,
        durability: Durability,
    ) -> Result<(), WorkerError> {
        let path = self.file(folder, name);
        blocking(durability, move || {
            let mut temporary = path.clone().into_os_string();
            temporary.push(".tmp");
            let temporary = PathBuf::from(temporary);
            let written = File::create(&temporary).and_then(|mut file| {
                file.write_all(&body)?;
                if durability == Durability::Power {
                    file.sync_all()?;
                }
                fs::rename(&temporary, &path)?;
                sync_folder(&path, durability)
            });
            written.map_err(at(&path))
        })
        .await
    }

    pub(super) async fn read(
        &self,
        folder: &str,
        name: &str,
    ) -> Result<Option<Vec<u8>>, WorkerError> {
        let path = self.file(folder, name);
        blocking(Durability::Process, move || match fs::read(&path) {
            Ok(body) => Ok(Some(body)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(at(&path)(error)),
        })
        .await
    }

    pub(super) async fn remove(
        &self,
        folder: &str,
        name: &str,
        durability: Durability,
    ) -> Result<(), WorkerError> {
        let path = self.file(folder, name);
        blocking(durability, move || match fs::remove_file(&path) {
            Ok(()) => sync_folder(&path, durability).map_err(at(&path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(at(&path)(error)),
        })
        .await
    }

    pub(super) async fn read_all(
        &self,
        folder: &str,
        suffix: &'static str,
    ) -> Result<Vec<Content>, WorkerError> {
        let folder = self.path.join(folder);
        blocking(Durability::Process, move || {
            let mut found = Vec::new();
            for entry in fs::read_dir(&folder).map_err(at(&folder))? {
                let path = entry.map_err(at(&folder))?.path();
                // What is no text is no name of this program's either.
                let name = path.file_name().and_then(|name| name.to_str());
                let Some(name) = name.filter(|name| name.ends_with(suffix)) else {
                    continue;
                };
                let (name, body) = (name.to_owned(), fs::read(&path).map_err(at(&path))?);
                found.push(Content { name, body });
            }
            Ok(found)
        })
        .await
    }

    pub(super) async fn set_aside(&self, folder: &str, name: &str) -> Result<(), WorkerError> {
        let path = self.file(folder, name);
        blocking(Durability::Process, move || {
            fs::rename(&path, path.with_extension("unreadable")).map_err(at(&path))
        })
        .await
    }
}

/// A rename or removal is safe when its folder is.
fn sync_folder(path: &Path, durability: Durability) -> io::Result<()> {
    match (durability, path.parent()) {
        (Durability::Power, Some(folder)) => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> WorkerError {
    let path = path.to_owned();
    move |source| WorkerError::State { path, source }
}

async fn blocking<T: Send + 'static>(
    durability: Durability,
    work: impl FnOnce() -> Result<T, WorkerError> + Send + 'static,
) -> Result<T, WorkerError> {
    let done = match durability {
        Durability::Power => crate::blocking::blocking(work).await,
        Durability::Process => crate::blocking::quick(work).await,
    };
    done.unwrap_or(Err(WorkerError::Bus(BusError::Closed)))
}
