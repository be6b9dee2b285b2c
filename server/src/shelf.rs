//! Opens files below a store, and nothing that lies elsewhere.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{CWD, FileType, Mode, OFlags, Stat, fstat, openat};

use crate::path::{INDEX, Wanted};

/// A store of this machine.
#[derive(Debug)]
pub(crate) struct Shelf {
    folder: PathBuf,
}

/// A file as it was opened: whatever is renamed over its name, this one is served to its end.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) file: File,
    /// Bytes.
    pub(crate) length: u64,
    pub(crate) modified: SystemTime,
    /// Another one for other content: of the file itself, its size and its time.
    pub(crate) tag: String,
}

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);
/// Without `NONBLOCK` a FIFO would hold the thread until somebody writes to it.
const FILE: OFlags = OFlags::RDONLY
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK);

impl Shelf {
    /// A store; the way to it may lead over links.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        let shelf = Self {
            folder: folder.to_owned(),
        };
        shelf.top()?;
        Ok(shelf)
    }

    /// Opened anew each time: what is mounted there may be mounted again.
    fn top(&self) -> io::Result<OwnedFd> {
        Ok(openat(CWD, &self.folder, FOLDER, Mode::empty())?)
    }

    /// Opens a file of the store. Below the store no link is followed, wherever it leads: step by
    /// step, so that nobody can put one in between.
    ///
    /// # Errors
    /// Where it is not there, not a file, or not to be read.
    pub(crate) fn find(&self, wanted: &Wanted) -> io::Result<Opened> {
        let opened = self.step_down(&wanted.names)?;
        if wanted.is_packed_index() {
            // Who writes the index without packing it may leave an old one behind.
            let index = self.step_down(&[INDEX.to_owned()])?;
            if opened.modified < index.modified {
                return Err(io::ErrorKind::NotFound.into());
            }
        }
        Ok(opened)
    }

    fn step_down(&self, names: &[String]) -> io::Result<Opened> {
        let (last, folders) = names.split_last().ok_or(io::ErrorKind::NotFound)?;
        let mut from = self.top()?;
        for folder in folders {
            from = openat(&from, folder, FOLDER | OFlags::NOFOLLOW, Mode::empty())?;
        }
        let file = openat(&from, last, FILE | OFlags::NOFOLLOW, Mode::empty())?;
        let stat = fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(Opened {
            length: u64::try_from(stat.st_size).unwrap_or_default(),
            modified: modified(&stat),
            tag: format!(
                "{:x}-{:x}-{:x}.{:x}",
                stat.st_ino, stat.st_size, stat.st_mtime, stat.st_mtime_nsec
            ),
            file: file.into(),
        })
    }
}

fn modified(stat: &Stat) -> SystemTime {
    let seconds = u64::try_from(stat.st_mtime).unwrap_or_default();
    // Signed on some machines, and not on others.
    #[allow(clippy::useless_conversion)]
    let nanoseconds = u64::try_from(stat.st_mtime_nsec).unwrap_or_default();
    UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_nanos(nanoseconds)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, create_dir_all, write};
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::path::wanted;

    fn names(shelf: &Shelf, path: &str) -> io::Result<Opened> {
        shelf.find(&wanted(&format!("/p/{path}")).unwrap())
    }

    #[test]
    fn no_link_below_a_store_is_followed_and_nothing_but_files_is_opened() {
        let folder = tempfile::TempDir::new().unwrap();
        let (store, outside) = (folder.path().join("store"), folder.path().join("outside"));
        create_dir_all(store.join("app-misc/folder.xpak")).unwrap();
        create_dir_all(store.join(".gentoo-updater")).unwrap();
        create_dir_all(&outside).unwrap();
        write(outside.join("secret.xpak"), "secret").unwrap();
        write(store.join("app-misc/good.xpak"), "good").unwrap();
        write(store.join(".gentoo-updater/half.xpak"), "half").unwrap();
        symlink("../../outside/secret.xpak", store.join("app-misc/out.xpak")).unwrap();
        symlink(&outside, store.join("dev-libs")).unwrap();
        symlink(".gentoo-updater", store.join("inside")).unwrap();
        symlink("good.xpak", store.join("app-misc/link.xpak")).unwrap();
        let fifo = store.join("app-misc/fifo.xpak");
        rustix::fs::mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR, 0).unwrap();
        symlink("store", folder.path().join("named")).unwrap();
        let shelf = Shelf::open(&folder.path().join("named")).unwrap();
        assert_eq!(names(&shelf, "app-misc/good.xpak").unwrap().length, 4);
        for path in [
            "app-misc/out.xpak",
            "dev-libs/secret.xpak",
            "inside/half.xpak",
            "app-misc/link.xpak",
            "app-misc/folder.xpak",
            "app-misc/fifo.xpak",
            "app-misc/none.xpak",
            "app-misc/good.xpak/more.xpak",
        ] {
            assert!(names(&shelf, path).is_err(), "{path}");
        }
    }

    #[test]
    fn a_packed_index_that_is_older_than_the_index_is_none() {
        let folder = tempfile::TempDir::new().unwrap();
        let [index, packed] = ["Packages", "Packages.gz"].map(|name| {
            write(folder.path().join(name), name).unwrap();
            fs::File::options()
                .write(true)
                .open(folder.path().join(name))
                .unwrap()
        });
        let shelf = Shelf::open(folder.path()).unwrap();
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        for (of_index, of_packed, is_served) in [(9, 9, true), (9, 10, true), (10, 9, false)] {
            index.set_modified(at(of_index)).unwrap();
            packed.set_modified(at(of_packed)).unwrap();
            assert_eq!(
                names(&shelf, "Packages.gz").is_ok(),
                is_served,
                "{of_index} {of_packed}"
            );
        }
        fs::remove_file(folder.path().join("Packages")).unwrap();
        assert!(names(&shelf, "Packages.gz").is_err());
    }
}
