//! How long it takes to verify a store, beside `sha256sum` over the same files.
//!
//! `make bench` runs it. Exit code 1: the limit is missed; 2: it could not run.
//!
//! The index names SIZE, MD5 and SHA1 of each binary: that is the limit's. The records of this program
//! name SHA-256, too: then three digests are made in one reading of each file. Beside both `xargs -P2
//! sha256sum` makes one digest. Files are in memory, so that it is about processors and not about a disk;
//! all run in turns, and the median of the ratios of neighbours counts, since a machine that others
//! use slows all.

#[path = "../../shared/portage/benches/speed/outcome.rs"]
mod outcome;
#[path = "../../shared/portage/benches/speed/table.rs"]
#[allow(dead_code)]
mod table;

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use gentoo_updater_fleet::message::Binary;
use gentoo_updater_hosts::{Host, SshSettings, connect};
use gentoo_updater_janitor::store::verify::verify;
use gentoo_updater_portage::build_key::{BuildKey, HexDigest};
use gentoo_updater_runtime::store::Record;
use table::{Limit, Table};

/// Sizes of binaries in KiB, as stores have them: many small ones, and a few large ones.
const SIZES: [(usize, usize); 4] = [(400, 100), (150, 1_500), (20, 20_000), (2, 250_000)];
const ROUNDS: usize = 9;

/// The digests of a file, as the index names them.
const DIGESTS: &str = "md5sum < \"$1\" && sha1sum < \"$1\" && sha256sum < \"$1\"";
/// What it is compared with.
const RIVAL: &str = "cd \"$1\" && find . -name '*.gpkg.tar' -printf '%s %p\\n' | sort -rn | cut -d ' ' -f 2- | \
                     xargs -d '\\n' -n 8 -P 2 sha256sum > /dev/null";

/// Seconds, and how many times those of the neighbour.
type Times = Vec<(f64, f64)>;
type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    outcome::exit_code(run().await)
}

/// Whether the limit is kept.
async fn run() -> Outcome<bool> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let store = folder.path();
    fill(store)?;
    let host = connect(&"local".parse()?, &SshSettings::default()).await?;
    let (mut rivals, mut of_index, mut of_all) = <(Vec<_>, Times, Times)>::default();
    let (keys, away) = (
        store.join(".gentoo-updater/keys"),
        store.join(".gentoo-updater/away"),
    );
    for round in 0..=ROUNDS {
        fs::rename(&keys, &away)?;
        let index = verified(host.as_ref(), store, 2).await?;
        fs::rename(&away, &keys)?;
        let rival = sha256sum(store)?;
        let all = verified(host.as_ref(), store, 3).await?;
        // The first round brings the files into memory.
        if round > 0 {
            rivals.push(rival);
            of_index.push((index, index / rival));
            of_all.push((all, all / rival));
        }
    }
    let mut table = Table::default();
    table.show("xargs -P2 sha256sum", median(rivals), "s");
    let (seconds, ratios) = of_index.into_iter().unzip();
    table.show(
        "verify: SIZE, MD5 and SHA1 of the index",
        median(seconds),
        "s",
    );
    table.check("  of that", median(ratios), "times", Limit::Below(1.2));
    let (seconds, ratios) = of_all.into_iter().unzip();
    table.show(
        "verify: these, and SHA-256 of records",
        median(seconds),
        "s",
    );
    table.show("  of that", median(ratios), "times");
    print!("{table}");
    Ok(table.is_kept())
}

async fn verified(host: &dyn Host, store: &Path, algorithms: usize) -> Outcome<f64> {
    let begun = Instant::now();
    let verified = verify(host, store, 1_900_000_000, |_| {}).await;
    let verified = verified.map_err(|failure| failure.to_string())?;
    let files: usize = SIZES.iter().map(|(count, _)| count).sum();
    let is_all = verified.binaries.files == files as u64 && verified.algorithms.len() == algorithms;
    if !is_all || !verified.findings.is_empty() {
        return Err(format!("not what was to be found: {verified:?}").into());
    }
    Ok(begun.elapsed().as_secs_f64())
}

fn sha256sum(store: &Path) -> Outcome<f64> {
    let begun = Instant::now();
    let ended = Command::new("sh")
        .args(["-c", RIVAL, "sh"])
        .arg(store)
        .status()?;
    if !ended.success() {
        return Err("sha256sum failed".into());
    }
    Ok(begun.elapsed().as_secs_f64())
}

/// Makes the store, with its index and its records.
fn fill(store: &Path) -> Outcome<()> {
    let keys = store.join(".gentoo-updater/keys");
    fs::create_dir_all(&keys)?;
    let files: usize = SIZES.iter().map(|(count, _)| count).sum();
    let mut index = format!("ARCH: amd64\nPACKAGES: {files}\nTIMESTAMP: 7\nVERSION: 0\n\n");
    let sizes = SIZES.iter().flat_map(|(count, size)| vec![*size; *count]);
    for (number, size) in sizes.enumerate() {
        let key = BuildKey {
            cpv: format!("cat/package{number}-1.2.3").parse()?,
            slot: "0".parse()?,
            repository: "gentoo".parse()?,
            ebuild_digest: HexDigest::sha256(&number.to_le_bytes()),
            use_flags: Default::default(),
            bindings: Default::default(),
            environment_digest: None,
            kernel: None,
        };
        let path = format!("{}/{}-1.gpkg.tar", key.cpv.category_package, key.cpv.pf());
        let file = store.join(&path);
        fs::create_dir_all(file.parent().ok_or("no folder")?)?;
        let content: Vec<u8> = number.to_le_bytes().repeat(size * 1024 / 8);
        fs::write(&file, &content)?;
        let (md5, sha1, sha256) = digests(&file)?;
        let _ = write!(
            index,
            "BUILD_ID: 1\nCPV: {}\nMD5: {md5}\nPATH: {path}\nSHA1: {sha1}\nSIZE: {}\n\n",
            key.cpv,
            content.len()
        );
        let digest = key.digest();
        let binary = Binary {
            cpv: key.cpv.clone(),
            slot: key.slot.clone(),
            build_id: 1,
            build_time: 1_700_000_000,
            path: path.parse()?,
            size: content.len() as u64,
            sha256: sha256.parse()?,
            contents: Default::default(),
            signed_by: None,
        };
        let record = Record {
            format: Record::FORMAT,
            key,
            binary,
            compiled_as: None,
        };
        let record = serde_json::to_string(&record)?;
        fs::write(keys.join(format!("{digest}.json")), record)?;
    }
    fs::write(store.join("Packages"), index)?;
    Ok(())
}

/// MD5, SHA-1 and SHA-256 of a file.
fn digests(file: &Path) -> Outcome<(String, String, String)> {
    let said = Command::new("sh")
        .args(["-c", DIGESTS, "sh"])
        .arg(file)
        .output()?;
    let said = String::from_utf8(said.stdout)?;
    let mut words = said.lines().filter_map(|line| line.split(' ').next());
    let mut next = || words.next().map(str::to_owned).ok_or("a digest is missing");
    Ok((next()?, next()?, next()?))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
