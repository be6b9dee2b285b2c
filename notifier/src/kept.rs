//! What was told, and what could not be, on the disk of this machine.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::message::Role;
use gentoo_updater_fleet::name::{NotificationName, WorkerId};
use gentoo_updater_fleet::notice::Told;
use gentoo_updater_runtime::Context;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::document::Document;

/// How many that could not be delivered one notifier keeps: the newest.
const MOST: usize = 200;
/// The folder of those.
const UNDELIVERED: &str = "undelivered";

/// The folder of what one notifier keeps.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    folder: PathBuf,
}

/// What the notifiers of one machine could not deliver.
#[derive(Debug, Default)]
pub struct AllUndelivered {
    /// The oldest first.
    pub notices: Vec<Undelivered>,
    /// The files that cannot be read.
    pub unreadable: Vec<Unreadable>,
}

/// A file of which nobody can say what it holds.
#[derive(Debug, Clone, Serialize)]
pub struct Unreadable {
    /// Where it is.
    pub path: PathBuf,
    /// Why it cannot be read.
    pub cause: String,
}

/// What could not be delivered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Undelivered {
    /// What tells it from others.
    pub id: Uuid,
    /// To whom it was to go.
    pub notification: NotificationName,
    /// It in one line.
    pub headline: String,
    /// When it was given up.
    pub at: Timestamp,
    /// How often it was tried.
    pub tries: u32,
    /// Why the last try failed.
    pub cause: String,
    /// The document.
    pub document: serde_json::Value,
}

impl Kept {
    /// That of a notifier.
    pub(crate) fn of(context: &Context, notifier: &WorkerId) -> Self {
        Self {
            folder: context.folder_of(notifier),
        }
    }

    /// Keeps a second notifier of this name from telling the same, for as long as the file lives.
    ///
    /// # Errors
    /// When another one does already, or the folder cannot be used.
    pub(crate) fn lock(&self) -> anyhow::Result<File> {
        // Named otherwise than the lock of a worker that takes commands, whose folder is removed when it was
        // gone for a week: what was told is known for longer.
        let path = self.folder.join("notifier.lock");
        let file = fs::create_dir_all(&self.folder).and_then(|()| File::create(&path));
        let file = file.with_context(|| format!("{} cannot be made", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => bail!(
                "another notifier of this name holds {}; one is enough",
                path.display()
            ),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("{} cannot be locked", path.display()))
            }
        }
    }

    /// What was told to one; none where it was never listened to.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn told(&self, name: &NotificationName) -> anyhow::Result<Option<Told>> {
        let path = self.path_of(name);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(error).with_context(|| format!("{} cannot be read", path.display()));
            }
        };
        let told = serde_json::from_slice(&text);
        told.map(Some).with_context(|| {
            format!(
                "{} cannot be read; remove it, and nothing is told of what is over by now",
                path.display()
            )
        })
    }

    /// Notes what was told.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn note(&self, name: &NotificationName, told: &Told) -> anyhow::Result<()> {
        write(&self.path_of(name), &serde_json::to_vec(told)?)
    }

    /// Keeps what could not be delivered, and removes the oldest beyond [`MOST`].
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn keep(
        &self,
        notification: &NotificationName,
        document: &Document,
        tries: u32,
        cause: &str,
    ) -> anyhow::Result<PathBuf> {
        let undelivered = Undelivered {
            id: document.id,
            notification: notification.clone(),
            headline: document.headline.clone(),
            at: Timestamp::now(),
            tries,
            cause: cause.to_owned(),
            document: serde_json::to_value(document)?,
        };
        let folder = self.undelivered_folder();
        let path = folder.join(format!("{}.json", document.id));
        write(&path, &serde_json::to_vec_pretty(&undelivered)?)?;
        // By their times alone: what is in the others, and whether it can be read, matters to nobody here.
        let mut all = Vec::new();
        for path in notices(&folder)? {
            let written = fs::metadata(&path).and_then(|it| it.modified());
            all.push((written.ok(), path));
        }
        all.sort();
        for (_, old) in all.iter().take(all.len().saturating_sub(MOST)) {
            fs::remove_file(old).with_context(|| format!("{} cannot be removed", old.display()))?;
        }
        Ok(path)
    }

    fn undelivered_folder(&self) -> PathBuf {
        self.folder.join(UNDELIVERED)
    }

    fn path_of(&self, name: &NotificationName) -> PathBuf {
        self.folder.join(format!("{name}.json"))
    }
}

/// What the notifiers of this machine could not deliver.
///
/// # Errors
/// When a folder cannot be read.
pub fn undelivered(settings: &Settings) -> anyhow::Result<AllUndelivered> {
    let prefix = format!("{}@", Role::Notifier);
    let mut all = AllUndelivered::default();
    for folder in entries(&settings.state_directory.join("workers"))? {
        let name = folder.file_name().and_then(|name| name.to_str());
        if !name.is_some_and(|name| name.starts_with(&prefix)) {
            continue;
        }
        for path in notices(&folder.join(UNDELIVERED))? {
            let text = fs::read(&path).map_err(anyhow::Error::from);
            match text.and_then(|text| Ok(serde_json::from_slice(&text)?)) {
                Ok(notice) => all.notices.push(notice),
                Err(error) => {
                    let cause = format!("{error:#}");
                    all.unreadable.push(Unreadable { path, cause });
                }
            }
        }
    }
    all.notices.sort_by_key(|one| one.at);
    all.unreadable
        .sort_by(|one, other| one.path.cmp(&other.path));
    Ok(all)
}

/// The files of what could not be delivered.
fn notices(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut all = entries(folder)?;
    all.retain(|path| path.extension().is_some_and(|end| end == "json"));
    Ok(all)
}

/// What lies in a folder; nothing where there is none.
fn entries(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.and_then(|entries| entries.map(|it| Ok(it?.path())).collect()),
    };
    entries.with_context(|| format!("{} cannot be read", folder.display()))
}

/// Whole or not at all, and on the disk when it returns.
fn write(path: &Path, text: &[u8]) -> anyhow::Result<()> {
    let new = path.with_extension("new");
    let folder = path.parent().context("a file lies in a folder")?;
    let written = fs::create_dir_all(folder).and_then(|()| {
        let mut file = File::create(&new)?;
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        File::open(folder)?.sync_all()
    });
    written.with_context(|| format!("{} cannot be written", path.display()))
}
