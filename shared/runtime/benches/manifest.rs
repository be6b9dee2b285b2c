//! How long a manifest of half a million files takes, the first time and when nothing has changed since,
//! against its limit.
//!
//! `make bench` runs it. Exit code 1: a limit is missed; 2: it could not run.
//!
//! The files are small, and made here. It is what a builder without clean rooms does before the first
//! build of a run.

#[path = "../../portage/benches/speed/outcome.rs"]
mod outcome;
#[path = "../../portage/benches/speed/table.rs"]
#[allow(dead_code)]
mod table;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use gentoo_updater_hosts::{ExitStatus, Host, SshSettings, connect};
use gentoo_updater_runtime::manifest::{self, Scope};
use table::{Limit, Table};

const FOLDERS: usize = 5_000;
const FILES: usize = 500_000;
const ROUNDS: usize = 3;

type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    outcome::exit_code(run().await)
}

/// Whether every limit is kept.
async fn run() -> Outcome<bool> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    files(folder.path())?;
    let host = connect(&"local".parse()?, &SshSettings::default()).await?;
    let first = make(host.as_ref(), folder.path(), "first").await?;
    // What changed in the last two seconds before a manifest is read again.
    make(host.as_ref(), folder.path(), "settled").await?;
    let mut best = f64::MAX;
    for round in 0..ROUNDS {
        let seconds = make(host.as_ref(), folder.path(), &format!("again-{round}")).await?;
        best = best.min(seconds);
    }
    let mut table = Table::default();
    table.show("the first manifest of 500,000 files", first, "s");
    let limit = Limit::Below(10.0);
    table.check("the next one, with nothing changed", best, "s", limit);
    print!("{table}");
    Ok(table.is_kept())
}

fn files(root: &Path) -> Outcome<()> {
    for number in 0..FOLDERS {
        let folder = root.join(format!("usr/share/package-{}/{number}", number / 10));
        fs::create_dir_all(&folder)?;
        for file in 0..FILES / FOLDERS {
            fs::write(
                folder.join(format!("file-{file}.txt")),
                format!("{number} {file}"),
            )?;
        }
    }
    Ok(())
}

/// Seconds that a manifest takes.
async fn make(host: &dyn Host, root: &Path, run: &str) -> Outcome<f64> {
    let scope = Scope {
        root: root.display().to_string(),
        state: "/state".to_owned(),
        run: run.to_owned(),
        folders: vec!["/usr".to_owned()],
        left_out: Vec::new(),
        sandbox: false,
    };
    let begun = Instant::now();
    let output = host.run(&manifest::program(&scope)).await?;
    let seconds = begun.elapsed().as_secs_f64();
    let said = output.stdout_text();
    if output.status != ExitStatus::Code(0) || !said.contains(" files, ") {
        return Err(format!("{said}{}", output.stderr_text()).into());
    }
    Ok(seconds)
}
