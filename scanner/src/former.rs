//! The last good answer of each guest, on the scanner's own disk.
//!
//! A file a guest, `GUEST.json`, replaced as a whole. What is lost or damaged costs a question and
//! nothing else, so nothing here is an error of a scan.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use gentoo_updater_bus::blocking::quick;
use gentoo_updater_fleet::name::GuestName;
use gentoo_updater_runtime::look::Look;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A good answer, and what it depended on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Former {
    /// When it was given, by this scanner's clock.
    pub(crate) at: Timestamp,
    /// What it depended on, and what that looked like before the guest was asked.
    pub(crate) look: Look,
    /// The guest's document, as it came.
    pub(crate) document: Value,
}

/// The folder of former answers.
#[derive(Debug, Clone)]
pub(crate) struct FormerAnswers {
    folder: PathBuf,
}

impl FormerAnswers {
    /// In this folder, which is made when it is first needed.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Removes what is left of guests that are no more.
    pub(crate) async fn keep_only(&self, is_guest: impl Fn(&str) -> bool + Send + 'static) {
        let folder = self.folder.clone();
        blocking("cleaned", self.folder.clone(), move || {
            let entries = match fs::read_dir(&folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                entries => entries?,
            };
            for entry in entries {
                let path = entry?.path();
                let stem = path.file_stem().and_then(|stem| stem.to_str());
                let is_answer = path.extension().is_some_and(|end| end == "json");
                if !(is_answer && stem.is_some_and(&is_guest)) {
                    fs::remove_file(&path)?;
                }
            }
            Ok(())
        })
        .await;
    }

    /// The last good answer of a guest, if there is one.
    pub(crate) async fn read(&self, guest: &GuestName) -> Option<Former> {
        let path = self.path(guest);
        let read = path.clone();
        blocking("read", path, move || match fs::read(&read) {
            Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        })
        .await
        .flatten()
    }

    /// Keeps an answer in place of the one before.
    pub(crate) async fn keep(&self, guest: &GuestName, former: Former) {
        let path = self.path(guest);
        let written = path.clone();
        blocking("written", path, move || replace(&written, &former)).await;
    }

    /// Forgets the last good answer of a guest.
    pub(crate) async fn forget(&self, guest: &GuestName) {
        let path = self.path(guest);
        let removed = path.clone();
        blocking("removed", path, move || match fs::remove_file(&removed) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        })
        .await;
    }

    fn path(&self, guest: &GuestName) -> PathBuf {
        self.folder.join(format!("{guest}.json"))
    }
}

/// A reader finds the former file or the new one, and no half one, unless the power was lost: what
/// is damaged then is found when it is read, and not worth waiting for the disk.
fn replace(path: &Path, former: &Former) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let new = path.with_extension("new");
    fs::write(&new, serde_json::to_vec(former)?)?;
    fs::rename(&new, path)
}

async fn blocking<T: Send + 'static>(
    what: &'static str,
    path: PathBuf,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Option<T> {
    let done = quick(work).await;
    let done = done.unwrap_or_else(|| Err(io::Error::other("this program is ending")));
    done.inspect_err(|error| {
        let path = path.display();
        tracing::warn!(%path, %error, "former answers of guests cannot be {what}: guests are asked");
    })
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gentoo_updater_portage::build_key::HexDigest;
    use serde_json::json;

    fn former(number: u32) -> Former {
        let watch = vec!["tree:/etc/portage".to_owned()];
        let look = Look::new(HexDigest::sha256(b"x"), watch).unwrap();
        Former {
            at: Timestamp::UNIX_EPOCH,
            look,
            document: json!({ "format": 1, "unknown": number }),
        }
    }

    fn guest(name: &str) -> GuestName {
        name.parse().unwrap()
    }

    #[tokio::test]
    async fn the_newest_answer_of_a_guest_is_read_back_with_all_that_it_said() {
        let folder = tempfile::tempdir().unwrap();
        let answers = FormerAnswers::new(folder.path().join("answers"));
        assert_eq!(answers.read(&guest("g1")).await, None);
        for number in [1, 2] {
            answers.keep(&guest("g1"), former(number)).await;
            assert_eq!(answers.read(&guest("g1")).await, Some(former(number)));
        }
        assert_eq!(answers.read(&guest("g2")).await, None);
        let files = fs::read_dir(folder.path().join("answers")).unwrap();
        assert_eq!(files.count(), 1, "one file a guest");
    }

    #[tokio::test]
    async fn a_damaged_answer_is_none_and_gives_way_to_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let answers = FormerAnswers::new(folder.path().to_owned());
        answers.keep(&guest("g1"), former(1)).await;
        let path = folder.path().join("g1.json");
        let text = fs::read(&path).unwrap();
        for damaged in [
            &text[..text.len() / 2],
            b"",
            br#"{"at":"1970-01-01T00:00:00Z"}"#,
        ] {
            fs::write(&path, damaged).unwrap();
            assert_eq!(answers.read(&guest("g1")).await, None);
        }
        let words = String::from_utf8(text).unwrap();
        fs::write(&path, words.replace("tree:/etc", "-delete:/etc")).unwrap();
        assert_eq!(answers.read(&guest("g1")).await, None);
        answers.keep(&guest("g1"), former(2)).await;
        assert_eq!(answers.read(&guest("g1")).await, Some(former(2)));
    }

    #[tokio::test]
    async fn a_forgotten_answer_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let answers = FormerAnswers::new(folder.path().to_owned());
        for name in ["g1", "g2"] {
            answers.keep(&guest(name), former(1)).await;
        }
        answers.forget(&guest("g1")).await;
        answers.forget(&guest("g1")).await;
        assert_eq!(answers.read(&guest("g1")).await, None);
        assert_eq!(answers.read(&guest("g2")).await, Some(former(1)));
    }

    #[tokio::test]
    async fn answers_of_guests_that_are_no_more_and_half_ones_go() {
        let folder = tempfile::tempdir().unwrap();
        let answers = FormerAnswers::new(folder.path().to_owned());
        answers.keep(&guest("g1"), former(1)).await;
        answers.keep(&guest("g2"), former(1)).await;
        fs::write(folder.path().join("g1.new"), "half").unwrap();
        answers.keep_only(|name| name == "g1").await;
        let names = fs::read_dir(folder.path()).unwrap();
        let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["g1.json"]);
    }
}
