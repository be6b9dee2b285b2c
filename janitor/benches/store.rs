//! What it costs to look into a store of 100,000 packages and to decide what of it may go, against
//! its limits.
//!
//! `make bench` runs it. Exit code 1: a limit is missed; 2: it could not run.
//!
//! The store is made here, with a record and a number for each binary as builders write them; the binaries are
//! empty, since nobody reads them. Guests have a third of them. It is what `gentoo-updater store gc
//! --dry-run` does on a machine with the store, but for asking guests.

#[path = "../../shared/portage/benches/speed/outcome.rs"]
mod outcome;
#[path = "../../shared/portage/benches/speed/table.rs"]
#[allow(dead_code)]
mod table;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use gentoo_updater_fleet::message::Binary;
use gentoo_updater_hosts::{SshSettings, connect};
use gentoo_updater_janitor::store::collect::{Limits, decide};
use gentoo_updater_janitor::store::machine::look;
use gentoo_updater_janitor::store::needed::Needed;
use gentoo_updater_portage::build_key::{BuildKey, HexDigest};
use gentoo_updater_runtime::store::Record;
use table::{Limit, Table};

const PACKAGES: usize = 100_000;
const ROUNDS: usize = 5;

type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    outcome::exit_code(run().await)
}

/// Whether every limit is kept.
async fn run() -> Outcome<bool> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let needed = store(folder.path())?;
    let host = connect(&"local".parse()?, &SshSettings::default()).await?;
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let catalog = look(host.as_ref(), folder.path()).await;
        let catalog = catalog.map_err(|failure| failure.to_string())?;
        let limits = Limits {
            days: 60,
            bytes: Some(0),
        };
        let decision = decide(&catalog, &needed, &limits, u64::MAX);
        if (catalog.ours.len(), decision.removals.len()) != (PACKAGES, PACKAGES - PACKAGES / 3) {
            return Err(format!("{} of {} go", decision.removals.len(), catalog.ours.len()).into());
        }
        best = best.min(begun.elapsed().as_secs_f64());
    }
    let mut table = Table::default();
    let what = "a look at 100,000 binaries, and the decision";
    table.check(what, best, "s", Limit::Below(5.0));
    table.check("memory", memory()?, "MB", Limit::Below(200.0));
    print!("{table}");
    Ok(table.is_kept())
}

/// Makes the store, and gives what guests have of it.
fn store(store: &Path) -> Outcome<Needed> {
    let keys = store.join(".gentoo-updater/keys");
    fs::create_dir_all(&keys)?;
    let mut needed = Needed::default();
    let guest = "g1".parse()?;
    for number in 0..PACKAGES {
        let (name, build_id) = (number / 10, u32::try_from(number % 10)? + 1);
        let key = BuildKey {
            cpv: format!("cat-{}/package{name}-1.2.3", name % 150).parse()?,
            slot: "0/1.2".parse()?,
            repository: "gentoo".parse()?,
            ebuild_digest: HexDigest::sha256(&number.to_le_bytes()),
            use_flags: [("ssl".parse()?, true), ("X".parse()?, false)].into(),
            bindings: [("dev-libs/openssl".parse()?, "0/3".parse()?)].into(),
            environment_digest: None,
            kernel: None,
        };
        let path = format!(
            "{}/{}-{build_id}.gpkg.tar",
            key.cpv.category_package,
            key.cpv.pf()
        );
        let file = store.join(&path);
        fs::create_dir_all(file.parent().ok_or("no folder")?)?;
        fs::write(file, "")?;
        if number % 3 == 1 {
            needed.installed(&guest, &key.cpv, build_id);
        }
        let digest = key.digest();
        let binary = Binary {
            cpv: key.cpv.clone(),
            slot: key.slot.clone(),
            build_id,
            build_time: 1_700_000_000,
            path: path.parse()?,
            size: 0,
            sha256: HexDigest::sha256(b""),
            contents: Default::default(),
            signed_by: None,
        };
        let record = Record {
            format: Record::FORMAT,
            key,
            binary,
            compiled_as: None,
        };
        let (name, record) = (format!("{digest}.json"), serde_json::to_string(&record)?);
        let numbers = store.join(".gentoo-updater/build-ids");
        let number = numbers.join(path.trim_end_matches(".gpkg.tar"));
        fs::create_dir_all(&number)?;
        fs::write(number.join(&name), &record)?;
        fs::write(keys.join(name), record)?;
    }
    Ok(needed)
}

/// The most memory that this process had at a time, in MB (10^6 bytes; proc_pid_status(5)).
#[allow(clippy::cast_precision_loss)]
fn memory() -> Outcome<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: u64 = line
        .and_then(|line| line.split_whitespace().next())
        .ok_or("no VmHWM")?
        .parse()?;
    Ok(kib as f64 * 1024.0 / 1e6)
}
