//! The file of the index.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use gentoo_updater_fleet::inspect::RunIndex;
use uuid::Uuid;

/// Its name in the state directory.
const NAME: &str = "run-index.cache";
/// How the name of one ends that is being written.
const NEW: &str = "new";
/// After how long nobody writes it any more.
const LEFT_AFTER: Duration = Duration::from_secs(3600);

/// The file in which an index is kept.
#[derive(Debug, Clone)]
pub struct RunIndexCache {
    path: PathBuf,
}

/// Why the index could not be kept. The next one who asks reads the history again.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The file cannot be written.
    #[error("{path} cannot be written: {cause}")]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The index cannot be packed.
    #[error("the index cannot be packed: {0}")]
    Unpackable(#[from] gentoo_updater_fleet::packed::PackError),
}

impl RunIndexCache {
    /// In this directory, beside whatever else lies there.
    pub fn in_directory(directory: &Path) -> Self {
        Self {
            path: directory.join(NAME),
        }
    }

    /// The index that is kept.
    ///
    /// # Errors
    /// Why there is none that can be gone on with.
    pub async fn load(&self) -> Result<RunIndex, String> {
        let path = self.path.clone();
        let loaded = crate::blocking::blocking(move || {
            let packed = match std::fs::read(&path) {
                Ok(packed) => packed,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err("there was none yet".to_owned());
                }
                Err(error) => return Err(format!("{} cannot be read: {error}", path.display())),
            };
            RunIndex::decode(&packed).map_err(|error| error.to_string())
        });
        loaded
            .await
            .unwrap_or_else(|| Err("the program ends".to_owned()))
    }

    /// Keeps an index in place of what is there, whole or not at all.
    ///
    /// # Errors
    /// [`CacheError`]; what is there stays.
    pub async fn keep(&self, index: &RunIndex) -> Result<(), CacheError> {
        let packed = index.encode()?;
        let path = self.path.clone();
        let kept = crate::blocking::blocking(move || {
            replace(&path, &packed).map_err(|cause| CacheError::Unwritable { path, cause })
        });
        kept.await.unwrap_or(Ok(()))
    }
}

/// Writes beside it under a name of its own, and renames: a reader sees the former content or this one. It
/// need not outlive a loss of power, so nothing waits for the disk.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    sweep(path);
    let new = path.with_extension(format!("{}.{NEW}", Uuid::now_v7()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options
        .open(&new)
        .and_then(|mut file| file.write_all(content))
        .and_then(|()| std::fs::rename(&new, path));
    if written.is_err() {
        // It may not even be there.
        let _ = std::fs::remove_file(&new);
    }
    written
}

/// Removes what writers have left that were killed. Whoever may not is told by what it writes itself.
fn sweep(path: &Path) {
    let folder = path.parent().map(std::fs::read_dir);
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    let (Some(Ok(entries)), Some(stem)) = (folder, stem) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_new = name.to_str().is_some_and(|name| {
            name.starts_with(stem) && name.ends_with(NEW) && name.len() > stem.len() + NEW.len()
        });
        let changed = entry.metadata().and_then(|metadata| metadata.modified());
        let age = changed.ok().and_then(|changed| changed.elapsed().ok());
        if is_new && age.is_some_and(|age| age > LEFT_AFTER) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}
