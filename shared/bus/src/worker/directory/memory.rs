//! A state directory in memory. It outlives the worker that writes it, as a disk does, and takes
//! no time.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gentoo_updater_fleet::name::WorkerId;

use super::Content;
use crate::worker::WorkerError;

/// A state directory in memory. Clones are the same directory.
#[derive(Debug, Clone, Default)]
pub struct MemoryDirectory(Arc<Mutex<Contents>>);

#[derive(Debug, Default)]
struct Contents {
    files: BTreeMap<(&'static str, String), Vec<u8>>,
    is_locked: bool,
}

impl MemoryDirectory {
    /// The names of all files, as `folder/name`.
    pub fn names(&self) -> Vec<String> {
        let contents = self.contents();
        let names = contents.files.keys();
        names
            .map(|(folder, name)| format!("{folder}/{name}"))
            .collect()
    }

    pub(super) fn lock(&self, id: &WorkerId) -> Result<Locked, WorkerError> {
        let mut contents = self.contents();
        if contents.is_locked {
            return Err(WorkerError::InUse {
                id: id.clone(),
                path: PathBuf::from("memory"),
            });
        }
        contents.is_locked = true;
        Ok(Locked(Arc::new(Lock(self.clone()))))
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Lock(MemoryDirectory);

impl Drop for Lock {
    fn drop(&mut self) {
        self.0.contents().is_locked = false;
    }
}

/// A directory that nobody else can open while this lives.
#[derive(Clone)]
pub(in crate::worker) struct Locked(Arc<Lock>);

impl Locked {
    pub(super) fn write(&self, folder: &'static str, name: &str, body: Vec<u8>) {
        let mut contents = self.0.0.contents();
        contents.files.insert((folder, name.to_owned()), body);
    }

    pub(super) fn read(&self, folder: &'static str, name: &str) -> Option<Vec<u8>> {
        let contents = self.0.0.contents();
        contents.files.get(&(folder, name.to_owned())).cloned()
    }

    pub(super) fn remove(&self, folder: &'static str, name: &str) {
        let mut contents = self.0.0.contents();
        contents.files.remove(&(folder, name.to_owned()));
    }

    pub(super) fn read_all(&self, folder: &'static str, suffix: &str) -> Vec<Content> {
        let contents = self.0.0.contents();
        let files = contents.files.iter();
        files
            .filter(|((of, name), _)| *of == folder && name.ends_with(suffix))
            .map(|((_, name), body)| Content {
                name: name.clone(),
                body: body.clone(),
            })
            .collect()
    }
}
