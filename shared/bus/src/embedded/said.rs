//! What operators say while another process holds the journal.
//!
//! Only who holds the journal writes to it: it knows what is out, and wakes its planner. What another process
//! says lies in a folder beside the journal until the holder takes it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gentoo_updater_fleet::authority::{User, says_such};
use gentoo_updater_fleet::message::{Envelope, Event, Role};
use tokio::fs;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::seam::{Bus, BusError};

/// How often the holder looks.
const PAUSE: Duration = Duration::from_millis(500);
/// How long it may take until it has taken something. Not everybody who holds a journal for a moment does.
const TAKEN_WITHIN: Duration = Duration::from_secs(20);

/// The folder of what is said.
#[derive(Debug, Clone)]
pub struct Said {
    folder: PathBuf,
}

impl Said {
    /// The one beside this journal.
    pub fn beside(journal: &Path) -> Self {
        let folder = journal.with_file_name("said");
        Self { folder }
    }

    /// Says something, and waits until the holder of the journal has taken it.
    ///
    /// # Errors
    /// When the folder cannot be used, or the holder does not take it: then it is not said.
    pub(super) async fn say(&self, event: &Envelope<Event>) -> Result<(), BusError> {
        let text = event.encode()?;
        let path = self.folder.join(format!("{}.json", event.id));
        let written = async {
            fs::create_dir_all(&self.folder).await?;
            let new = path.with_extension("new");
            let mut file = fs::File::create(&new).await?;
            file.write_all(&text).await?;
            file.sync_all().await?;
            fs::rename(&new, &path).await
        };
        written.await.map_err(|error| self.unusable(&error))?;
        let deadline = Instant::now() + TAKEN_WITHIN;
        while Instant::now() < deadline {
            if !fs::try_exists(&path).await.unwrap_or(true) {
                return Ok(());
            }
            sleep(PAUSE / 5).await;
        }
        match fs::remove_file(&path).await {
            Ok(()) => Err(BusError::NotTaken {
                seconds: TAKEN_WITHIN.as_secs(),
            }),
            // It was taken in this moment.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(self.unusable(&error)),
        }
    }

    /// Publishes what others say, until it is stopped. What no operator says is put aside.
    pub async fn take(&self, bus: &dyn Bus, stop: &CancellationToken) {
        let mut told = false;
        while !stop.is_cancelled() {
            match self.take_once(bus).await {
                Ok(()) => told = false,
                Err(error) if !told => {
                    tracing::warn!("what operators say beside this process is not taken: {error}");
                    told = true;
                }
                Err(_) => {}
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(PAUSE) => {}
            }
        }
    }

    async fn take_once(&self, bus: &dyn Bus) -> Result<(), BusError> {
        let mut paths = Vec::new();
        let mut entries = match fs::read_dir(&self.folder).await {
            Ok(entries) => entries,
            // Nobody has said anything yet.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(self.unusable(&error)),
        };
        while let Some(entry) = entries.next_entry().await.map_err(|e| self.unusable(&e))? {
            let path = entry.path();
            if path.extension().is_some_and(|end| end == "json") {
                paths.push(path);
            }
        }
        // Their names begin with the time.
        paths.sort();
        for path in paths {
            let text = fs::read(&path)
                .await
                .map_err(|error| self.unusable(&error))?;
            let operator = User::Role(Role::Operator);
            let done = match Envelope::<Event>::decode(&text) {
                Ok(event) if says_such(&operator, &event.message) => {
                    bus.publish(&event).await?;
                    fs::remove_file(&path).await
                }
                _ => {
                    tracing::warn!(path = %path.display(), "what no operator says is put aside");
                    fs::rename(&path, path.with_extension("refused")).await
                }
            };
            done.map_err(|error| self.unusable(&error))?;
        }
        Ok(())
    }

    fn unusable(&self, error: &std::io::Error) -> BusError {
        BusError::SaidUnusable {
            path: self.folder.clone(),
            detail: error.to_string(),
        }
    }
}
