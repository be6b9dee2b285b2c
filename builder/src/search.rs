//! Which of many keys a store holds, in few questions to its machine however many there are.
//!
//! What is not plainly good is not named: whoever is to build it looks for it again, says what is wrong
//! with it, and mends it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use gentoo_updater_fleet::message::{Binary, Failure, Wanted};
use gentoo_updater_fleet::name::JobId;
use gentoo_updater_hosts::Command;
use gentoo_updater_runtime::store::Record;

use crate::signing::Signatures;
use crate::store::{Store, succeeded};

/// Prints the record of each key whose digest it reads, or nothing when there is none; a NUL ends each.
const PRINT_RECORDS: &str = r#"
while IFS= read -r digest; do
    file=$1/$digest.json
    # What a crash left of a file can be all NUL.
    if [ -e "$file" ]; then tr -d '\0' < "$file" || exit 1; fi
    printf '\0'
done
"#;

/// Prints the SHA-256 of each file whose path it reads, or `-` when it cannot be read.
const MEASURE_ALL: &str = r#"
while IFS= read -r file; do
    { sha256sum < "$file"; } 2>/dev/null || echo -
done
"#;

/// How long a question may take: nothing is built meanwhile, and a store that hangs is no reason for
/// that.
const PATIENCE: Duration = Duration::from_secs(300);

/// After how long no further files are measured. What was not is looked for again.
const ENOUGH: Duration = Duration::from_secs(900);

/// How many records are asked for at once: what a machine says to one question is limited.
const AT_ONCE: usize = 2000;

/// How many files are measured at once.
const FILES_AT_ONCE: usize = 100;

/// How large an answer may be, in bytes of JSON: a broker takes no message of more than 16 MiB. What
/// does not fit in is looked for again.
const LARGEST_ANSWER: usize = 12 * 1024 * 1024;

/// The binaries of a store that serve what is wanted, `signed` as they must be. Each file is read and measured: a record alone
/// proves nothing.
///
/// # Errors
/// When the store cannot be read.
pub(crate) async fn held(
    store: &Store,
    wanted: &BTreeMap<JobId, Wanted>,
    signed: &Signatures,
) -> Result<BTreeMap<JobId, Binary>, Failure> {
    let wanted: Vec<(&JobId, &Wanted)> = wanted.iter().collect();
    let mut recorded = Vec::new();
    for wanted in wanted.chunks(AT_ONCE) {
        let recorded_here = self::recorded(store, wanted).await?.into_iter();
        recorded.extend(recorded_here.filter(|(_, binary)| signed.suffices(binary)));
    }
    let begun = Instant::now();
    let mut good = Vec::new();
    for recorded in recorded.chunks(FILES_AT_ONCE) {
        if begun.elapsed() > ENOUGH {
            break;
        }
        let digests = measure(store, recorded).await?;
        let is_good = |(_, binary): &(&JobId, Binary), line: &str| {
            line.split_whitespace().next() == Some(binary.sha256.as_str())
        };
        let both = recorded.iter().zip(digests.lines());
        let both = both.filter(|(recorded, line)| is_good(recorded, line));
        good.extend(both.map(|((job, binary), _)| ((*job).clone(), binary.clone())));
    }
    Ok(as_many_as_fit(good, LARGEST_ANSWER))
}

/// As many of them, from the first, as an answer of this size in bytes can name.
fn as_many_as_fit(found: Vec<(JobId, Binary)>, largest: usize) -> BTreeMap<JobId, Binary> {
    let mut size = 0;
    let mut fits = |(job, binary): &(JobId, Binary)| {
        let named = serde_json::to_string(binary).map_or(largest, |text| text.len());
        size += job.as_str().len() + named;
        size < largest
    };
    found.into_iter().take_while(|it| fits(it)).collect()
}

/// A line for each file, which begins with its SHA-256.
async fn measure(store: &Store, recorded: &[(&JobId, Binary)]) -> Result<String, Failure> {
    let paths = recorded
        .iter()
        .map(|(_, binary)| format!("{}\n", binary.path.below(store.path()).display()));
    let command = Command::shell("measure-all", MEASURE_ALL, [""; 0])
        .stdin(paths.collect::<String>())
        .timeout(PATIENCE);
    let output = store.run(&command).await?;
    Ok(succeeded(&output, "StoreUnreadable")?.stdout_text())
}

/// What the store says that it holds, and may run on the machines that it is for.
async fn recorded<'a>(
    store: &Store,
    wanted: &[(&'a JobId, &Wanted)],
) -> Result<Vec<(&'a JobId, Binary)>, Failure> {
    let digests = wanted
        .iter()
        .map(|(_, wanted)| format!("{}\n", wanted.key.digest()));
    let keys = store.keys().display().to_string();
    let command = Command::shell("records", PRINT_RECORDS, [keys])
        .stdin(digests.collect::<String>())
        .timeout(PATIENCE);
    let output = store.run(&command).await?;
    let text = succeeded(&output, "StoreUnreadable")?.stdout_text();
    let serves = |wanted: &Wanted, text: &str| {
        let record = Record::read(text, &wanted.key)?;
        let machines = record.compiled_as.zip(wanted.compiled_as.as_ref());
        let is_for_others = machines.is_some_and(|(own, wanted)| !own.clash(wanted).is_empty());
        (!is_for_others).then_some(record.binary)
    };
    let texts = text.split('\0');
    let found = wanted
        .iter()
        .zip(texts)
        .filter_map(|((job, wanted), text)| Some((*job, serves(wanted, text)?)));
    Ok(found.collect())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use gentoo_updater_hosts::{HostAddress, SshSettings, connect};
    use gentoo_updater_portage::build_key::{BuildKey, Platform};
    use tempfile::TempDir;

    use super::*;
    use crate::testing;

    fn key(name: &str) -> BuildKey {
        testing::key(&format!("a/{name}-1"))
    }

    fn wanted(name: &str, compiled_as: Option<Platform>) -> (JobId, Wanted) {
        let key = key(name);
        let id = JobId::of(&"default".parse().unwrap(), &key);
        (id, Wanted { key, compiled_as })
    }

    /// Stores a binary for a key, as a builder does.
    fn keep(store: &Path, name: &str, compiled_as: Option<Platform>) -> Binary {
        let binary = testing::stored(store, &format!("a/{name}-1"), name);
        let record = Record {
            format: Record::FORMAT,
            key: key(name),
            binary: binary.clone(),
            compiled_as,
        };
        write(store, name, &serde_json::to_string(&record).unwrap());
        binary
    }

    fn record_of(store: &Path, name: &str) -> std::path::PathBuf {
        let name = format!("{}.json", key(name).digest());
        store.join(".gentoo-updater/keys").join(name)
    }

    fn write(store: &Path, name: &str, record: &str) {
        let file = record_of(store, name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, record).unwrap();
    }

    /// The names of what is held.
    async fn search(store: &Path, wanted: BTreeMap<JobId, Wanted>) -> Vec<String> {
        let settings = SshSettings::default();
        let host = connect(&HostAddress::Local, &settings).await.unwrap();
        let store = Store::new(host, store.to_owned());
        let held = held(&store, &wanted, &Signatures::NotAskedFor)
            .await
            .unwrap();
        let mut found: Vec<String> = held.values().map(|it| it.cpv.to_string()).collect();
        found.sort();
        found
    }

    #[tokio::test]
    async fn only_what_is_there_as_it_was_stored_is_held() {
        let folder = TempDir::new().unwrap();
        let store = folder.path();
        let names = [
            "good", "spoilt", "gone", "broken", "zeros", "none", "other", "last",
        ];
        let all = || names.iter().map(|name| wanted(name, None)).collect();
        assert_eq!(search(store, all()).await, [""; 0], "there is no store yet");
        keep(store, "good", None);
        keep(store, "last", None);
        let spoilt = keep(store, "spoilt", None);
        fs::write(spoilt.path.below(store), "spOilt").unwrap();
        let gone = keep(store, "gone", None);
        fs::remove_file(gone.path.below(store)).unwrap();
        write(store, "broken", "{\nno\nrecord\n");
        write(store, "zeros", "\0\0\0");
        let of_good = fs::read_to_string(record_of(store, "good")).unwrap();
        write(store, "other", &of_good);
        assert_eq!(search(store, all()).await, ["a/good-1", "a/last-1"]);
    }

    #[tokio::test]
    async fn what_was_compiled_for_other_machines_is_not_held() {
        let folder = TempDir::new().unwrap();
        let platform = |cflags: &'static str| {
            let value = |name: &str| match name {
                "CHOST" => Some("x86_64-pc-linux-gnu"),
                "ARCH" => Some("amd64"),
                "CFLAGS" => Some(cflags),
                _ => None,
            };
            Some(Platform::from_variables(value, Default::default()).unwrap())
        };
        keep(folder.path(), "a", platform("-O2 -march=znver3"));
        for (cflags, found) in [
            ("-O2 -march=znver3", &["a/a-1"][..]),
            ("-O2 -march=x86-64", &[]),
        ] {
            let wanted = [wanted("a", platform(cflags))].into();
            assert_eq!(search(folder.path(), wanted).await, found, "{cflags}");
        }
    }

    #[test]
    fn an_answer_names_no_more_than_fits_into_a_message() {
        let folder = TempDir::new().unwrap();
        let found = || {
            let names = ["one", "two", "three"].into_iter();
            let found = names.map(|name| (wanted(name, None).0, keep(folder.path(), name, None)));
            found.collect::<Vec<_>>()
        };
        let whole = as_many_as_fit(found(), LARGEST_ANSWER);
        assert_eq!(whole.len(), 3);
        let size = serde_json::to_vec(&whole).unwrap().len();
        let most = as_many_as_fit(found(), size * 3 / 4);
        assert_eq!(most.len(), 2);
        assert!(serde_json::to_vec(&most).unwrap().len() < size * 3 / 4);
        assert!(as_many_as_fit(found(), 10).is_empty());
    }

    #[tokio::test]
    async fn more_keys_than_are_asked_for_at_once_are_all_found() {
        let folder = TempDir::new().unwrap();
        let names: Vec<String> = (0..AT_ONCE + 100).map(|n| format!("p{n}")).collect();
        for name in names.iter().step_by(100) {
            keep(folder.path(), name, None);
        }
        let wanted = names.iter().map(|name| wanted(name, None)).collect();
        assert_eq!(search(folder.path(), wanted).await.len(), AT_ONCE / 100 + 1);
    }
}
