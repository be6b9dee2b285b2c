//! State directories of workers that are gone.
//!
//! A worker that got another name, or whose machine did, never comes back for what it kept. By then
//! the planner has long given its claims to others.

use std::fs::{self, DirEntry, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::directory::LOCK;

/// For how long a state directory is kept that nobody uses.
pub const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// Removes the state directories below this folder that no worker holds and in which nothing was
/// written for `kept` by `now`, and names them. What is no state directory stays, and so does what
/// another user keeps. A folder that is not there has none.
///
/// # Errors
/// When the folder cannot be read, or a directory not be removed.
pub fn remove_stale(workers: &Path, kept: Duration, now: SystemTime) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(workers) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut removed = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() && remove_one(&entry, kept, now)? {
            removed.push(entry.path());
        }
    }
    Ok(removed)
}

/// Whether it was stale, and is gone.
fn remove_one(entry: &DirEntry, kept: Duration, now: SystemTime) -> io::Result<bool> {
    let directory = entry.path();
    // Not made where there is none: that is no state directory.
    let lock = match File::options().append(true).open(directory.join(LOCK)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        // Another user's, who looks after it.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(false),
        lock => lock?,
    };
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(false),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let is_old = now
        .duration_since(newest(&directory)?)
        .is_ok_and(|age| age > kept);
    if !is_old {
        return Ok(false);
    }
    // With the lock held, so that a worker of this name that starts just now does not write into it.
    fs::remove_dir_all(&directory)?;
    Ok(true)
}

/// When something in a folder was written last.
fn newest(folder: &Path) -> io::Result<SystemTime> {
    let mut newest = fs::symlink_metadata(folder)?.modified()?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let time = match entry.file_type()?.is_dir() {
            true => self::newest(&entry.path())?,
            false => entry.metadata()?.modified()?,
        };
        newest = newest.max(time);
    }
    Ok(newest)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// Workers below a folder, each with a claim.
    fn workers(names: &[&str]) -> TempDir {
        let folder = TempDir::new().unwrap();
        for name in names {
            fs::create_dir_all(folder.path().join(name).join("claims")).unwrap();
            fs::write(folder.path().join(name).join(LOCK), "").unwrap();
            fs::write(folder.path().join(name).join("claims/x.json"), "").unwrap();
        }
        folder
    }

    fn later(days: u64) -> SystemTime {
        SystemTime::now() + Duration::from_secs(days * 24 * 3600 + 60)
    }

    fn names(paths: &[PathBuf]) -> Vec<&str> {
        let mut names: Vec<&str> = paths
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap())
            .collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn a_worker_that_is_gone_for_a_week_is_forgotten_and_one_that_lives_never() {
        let folder = workers(&["builder@gone", "builder@lives"]);
        let lock = File::open(folder.path().join("builder@lives").join(LOCK)).unwrap();
        lock.try_lock().unwrap();
        fs::create_dir(folder.path().join("of-somebody")).unwrap();
        let removed = |now| remove_stale(folder.path(), KEPT, now).unwrap();
        assert_eq!(names(&removed(later(6))), [""; 0]);
        assert_eq!(names(&removed(later(7))), ["builder@gone"]);
        assert!(folder.path().join("builder@lives/claims/x.json").exists());
        assert!(folder.path().join("of-somebody").exists());
        drop(lock);
        assert_eq!(names(&removed(later(7))), ["builder@lives"]);
    }

    #[test]
    fn one_that_has_written_something_since_is_kept() {
        let folder = workers(&["scanner@desk"]);
        let claim = folder.path().join("scanner@desk/claims/x.json");
        File::open(claim).unwrap().set_modified(later(5)).unwrap();
        assert!(
            remove_stale(folder.path(), KEPT, later(8))
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn where_no_worker_ever_was_there_is_nothing_to_forget() {
        let folder = TempDir::new().unwrap();
        let none = folder.path().join("workers");
        assert!(remove_stale(&none, KEPT, later(8)).unwrap().is_empty());
    }
}
