//! The store of a platform, as the builder machine sees it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gentoo_updater_fleet::message::{Binary, Failure, FailureClass};
use gentoo_updater_fleet::name::StorePath;
use gentoo_updater_hosts::{Command, ExitStatus, Host, Output};
use gentoo_updater_portage::build_key::{BuildKey, HexDigest, Platform};
use gentoo_updater_runtime::ask;
use gentoo_updater_runtime::store::{
    INDEX, LOCK_PATIENCE, LOCK_SILENCE, LOCKED, Record, under_lock,
};

use crate::check::File;
use crate::program;
use crate::signing::Signatures;

const DISCARD: &str = include_str!("discard.py");

/// Prints a mark and a file, or nothing when there is none: an empty file is another thing.
const PRINT_RECORD: &str = r#"if [ -e "$1" ]; then printf 'record\n'; cat "$1"; fi"#;
/// Prints a file, or nothing when there is none.
const PRINT: &str = r#"if [ -e "$1" ]; then cat "$1"; fi"#;
/// Prints size and SHA-256 of a file, or nothing when there is none.
const MEASURE: &str = r#"
if [ -e "$1" ]; then
    stat -c %s "$1" && sha256sum < "$1"
fi
"#;

/// Prints size, MD5 and SHA-1 of a file, or nothing when there is none.
const DIGESTS: &str = r#"
if [ -e "$1" ]; then
    stat -c %s "$1" && md5sum < "$1" | cut -d ' ' -f 1 && sha1sum < "$1" | cut -d ' ' -f 1
fi
"#;

/// What the store holds for a key.
#[derive(Debug)]
pub(crate) enum Held {
    /// Nothing.
    Nothing,
    /// A record that cannot be read, or is about another key.
    Unreadable(Former),
    /// This binary, with the content that it was stored with.
    Binary(Binary),
    /// A binary whose file is gone or has other content by now.
    Corrupt {
        /// Where it lies, below the store.
        path: StorePath,
        /// What is wrong with it.
        wrong: Wrong,
        /// Its record.
        former: Former,
    },
    /// A binary that may not run on the guests of the job.
    ForOthers {
        /// Its record.
        former: Former,
        /// As what it was compiled, against what is wanted.
        clash: String,
    },
    /// A binary without a signature that counts, where binaries are to be signed.
    Unsigned {
        /// Its record.
        former: Former,
    },
}

/// A record that a new one is to take the place of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Former {
    /// The digest of its text: what is there by then under this key can be another one.
    pub(crate) sha256: HexDigest,
    /// The binary that it names, where that can be read.
    pub(crate) path: Option<StorePath>,
}

impl Former {
    /// The binary, in words.
    pub(crate) fn words(&self) -> &str {
        self.path.as_ref().map_or("a binary", StorePath::as_str)
    }
}

/// Why a binary is not what it was stored as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    Gone,
    Size,
    Content,
}

impl Wrong {
    /// The cause of a failure that comes of it.
    pub(crate) fn cause(self) -> &'static str {
        match self {
            Self::Gone => "StoreLacksBinary",
            Self::Size | Self::Content => "BinaryCorrupt",
        }
    }

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Gone => "its file is gone",
            Self::Size => "its file has another size than when it was stored",
            Self::Content => "its file has other content than when it was stored",
        }
    }
}

/// Size and SHA-256 of a file.
pub(crate) struct Measure {
    pub(crate) size: u64,
    pub(crate) sha256: HexDigest,
}

/// The store of a platform, as the builder machine sees it.
pub(crate) struct Store {
    host: Arc<dyn Host>,
    path: PathBuf,
}

impl Store {
    pub(crate) fn new(host: Arc<dyn Host>, path: PathBuf) -> Self {
        Self { host, path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of the records.
    pub(crate) fn keys(&self) -> PathBuf {
        self.path.join(".gentoo-updater/keys")
    }

    fn record(&self, key: &BuildKey) -> PathBuf {
        self.keys().join(format!("{}.json", key.digest()))
    }

    /// What serves this key on machines that are `wanted`, `signed` as it must be. The file is read
    /// and measured: a record alone proves nothing.
    pub(crate) async fn look_up(
        &self,
        key: &BuildKey,
        wanted: Option<&Platform>,
        signed: &Signatures,
    ) -> Result<Held, Failure> {
        let file = self.record(key).display().to_string();
        let command = Command::shell("record", PRINT_RECORD, [file]);
        let output = self.run(&command).await?;
        let content = &succeeded(&output, "StoreUnreadable")?.stdout;
        let Some(content) = content.strip_prefix(b"record\n") else {
            return Ok(Held::Nothing);
        };
        let record = Record::read(&String::from_utf8_lossy(content), key);
        let former = Former {
            sha256: HexDigest::sha256(content),
            path: record.as_ref().map(|it| it.binary.path.clone()),
        };
        let Some(record) = record else {
            return Ok(Held::Unreadable(former));
        };
        let binary = record.binary;
        let clash = match (&record.compiled_as, wanted) {
            (Some(own), Some(wanted)) => own.clash(wanted),
            _ => Vec::new(),
        };
        if !clash.is_empty() {
            let clash: Vec<String> = clash.iter().map(ToString::to_string).collect();
            let clash = clash.join("; ");
            return Ok(Held::ForOthers { former, clash });
        }
        if !signed.suffices(&binary) {
            return Ok(Held::Unsigned { former });
        }
        Ok(match self.what_is_wrong_with(&binary).await? {
            Some(wrong) => Held::Corrupt {
                path: binary.path,
                wrong,
                former,
            },
            None => Held::Binary(binary),
        })
    }

    /// Reads the file of a binary, and compares it with what was stored.
    pub(crate) async fn what_is_wrong_with(
        &self,
        binary: &Binary,
    ) -> Result<Option<Wrong>, Failure> {
        let measure = self.measure(&binary.path.below(&self.path)).await?;
        Ok(match measure {
            None => Some(Wrong::Gone),
            Some(measure) if measure.size != binary.size => Some(Wrong::Size),
            Some(measure) if measure.sha256 != binary.sha256 => Some(Wrong::Content),
            Some(_) => None,
        })
    }

    /// Takes out a binary that is not what it was, with its entry of the index and its record, so that
    /// nobody picks it up while it is built again. It is compared once more under the lock, and what is
    /// somebody else's stays. Gives whether there was anything to be taken out.
    pub(crate) async fn discard(&self, key: &BuildKey, path: &StorePath) -> Result<bool, Failure> {
        let program = format!("{INDEX}{DISCARD}");
        let digest = key.digest().to_string();
        let arguments = [digest.as_str(), path.as_str()];
        let command = under_lock("discard", &self.path, &program, LOCK_PATIENCE, arguments);
        let output = self.run(&command).await?;
        let output = succeeded(&output, cause_of(&output.status))?;
        Ok(output.stdout_text().trim() != "nothing")
    }

    /// The private index of a job.
    pub(crate) async fn read(&self, file: &Path) -> Result<String, Failure> {
        let command = Command::shell("print", PRINT, [file.display().to_string()]);
        let output = self.run(&command).await?;
        let output = succeeded(&output, "StoreUnreadable")?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Size and SHA-256 of a file, if it is there.
    pub(crate) async fn measure(&self, file: &Path) -> Result<Option<Measure>, Failure> {
        let command = Command::shell("measure", MEASURE, [file.display().to_string()])
            .timeout(Duration::from_secs(1800));
        let output = self.run(&command).await?;
        let output = succeeded(&output, "StoreUnreadable")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let mut words = text.split_whitespace();
        let size = words.next().and_then(|size| size.parse().ok());
        let sha256 = words.next().and_then(|digest| digest.parse().ok());
        let measure = size
            .zip(sha256)
            .map(|(size, sha256)| Measure { size, sha256 });
        Ok(measure)
    }

    /// What Portage's index tells of a file too, if it is there.
    pub(crate) async fn digests(&self, file: &Path) -> Result<Option<File>, Failure> {
        let command = Command::shell("digests", DIGESTS, [file.display().to_string()])
            .timeout(Duration::from_secs(1800));
        let output = self.run(&command).await?;
        let text = succeeded(&output, "StoreUnreadable")?.stdout_text();
        let words: Vec<&str> = text.split_whitespace().collect();
        let [size, md5, sha1] = words[..] else {
            return Ok(None);
        };
        let parsed = size
            .parse()
            .ok()
            .zip(md5.parse().ok())
            .zip(sha1.parse().ok());
        Ok(parsed.map(|((size, md5), sha1)| File { size, md5, sha1 }))
    }

    /// Moves a checked binary into the store, in the place of a former one, which stays for guests that
    /// have it installed. What is returned serves the key from now on; it is somebody else's binary when
    /// the key had another one by then.
    pub(crate) async fn publish(
        &self,
        work: &Path,
        key: &BuildKey,
        binary: Binary,
        compiled_as: Platform,
        former: Option<&Former>,
    ) -> Result<Binary, Failure> {
        let path = binary.path.clone();
        let record = Record {
            format: Record::FORMAT,
            key: key.clone(),
            binary,
            compiled_as: Some(compiled_as),
        };
        let text = serde_json::to_string(&record).map_err(|error| {
            Failure::new(
                FailureClass::Permanent,
                "RecordUnwritable",
                error.to_string(),
            )
        })?;
        let limits = [LOCK_PATIENCE.as_secs(), LOCK_SILENCE.as_secs()];
        let command = program::publish(work, &self.path, &path, key, &text, former, limits)
            .timeout(LOCK_PATIENCE + Duration::from_secs(900));
        let output = self.run(&command).await?;
        let output = succeeded(&output, cause_of(&output.status))?;
        let text = String::from_utf8_lossy(&output.stdout);
        Record::read(text.trim(), key)
            .map(|record| record.binary)
            .ok_or_else(|| {
                let message = format!("the record of {} in the store cannot be read back", key.cpv);
                Failure::new(FailureClass::Machine, "StoreUnreadable", message)
            })
    }

    pub(crate) async fn run(&self, command: &Command) -> Result<Output, Failure> {
        ask(self.host.as_ref(), command).await
    }
}

/// The cause where a program did not succeed that holds the lock.
fn cause_of(status: &ExitStatus) -> &'static str {
    match status {
        ExitStatus::Code(program::status::STORE_LOCKED) => LOCKED,
        ExitStatus::Code(program::status::INDEX) => "StoreIndexBroken",
        _ => "StoreUnwritable",
    }
}

/// Trouble with the store is the machine's, and never the package's.
pub(crate) fn succeeded<'a>(output: &'a Output, cause: &str) -> Result<&'a Output, Failure> {
    if output.status == ExitStatus::Code(0) {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Failure::new(
        FailureClass::Machine,
        cause,
        format!("the store: {}", said.trim()),
    ))
}
