//! What a worker takes that has nothing to do.

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::param::clock_ticks_per_second;

use crate::support::Broker;
use crate::table::{Limit, Table};

/// How long it is looked at.
const WATCHED: Duration = Duration::from_secs(60);
/// What it may hold in memory, in megabytes (10^6 bytes).
const MEMORY: f64 = 15.0;
/// The part of one core that it may take, in hundredths.
const PROCESSOR: f64 = 0.1;
/// The program, which `make bench` compiles.
const PROGRAM: &str = "gentoo-updater-scanner";

/// A worker that is ended with the bench.
struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        if let Err(error) = self.0.kill().and_then(|()| self.0.wait()) {
            eprintln!("worker {} was not ended: {error}", self.0.id());
        }
    }
}

pub(crate) async fn measure(broker: &Arc<Broker>, table: &mut Table) -> Result<(), Box<dyn Error>> {
    let vhost = broker.vhost();
    let directory = tempfile::TempDir::new()?;
    let configuration = directory.path().join("fleet.toml");
    let state = directory.path().join("state");
    let text = CONFIGURATION
        .replace("STATE", &state.display().to_string())
        .replace("URL", &vhost.url());
    fs::write(&configuration, text)?;
    let mut started = Command::new(program()?)
        .arg("--config")
        .arg(&configuration)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let lines = started.stderr.take().ok_or("it has no standard error")?;
    let worker = Worker(started);
    let log = tokio::task::spawn_blocking(move || until_ready(BufReader::new(lines))).await??;
    let before = processor_seconds(&worker)?;
    tokio::time::sleep(WATCHED).await;
    let taken = processor_seconds(&worker)? - before;
    table.check(
        "an idle worker, memory",
        megabytes(&worker)?,
        "MB",
        Limit::Below(MEMORY),
    );
    let part = taken / WATCHED.as_secs_f64() * 100.0;
    table.check(
        "an idle worker, processor",
        part,
        "%",
        Limit::Below(PROCESSOR),
    );
    drop(worker);
    drop(log);
    Ok(())
}

/// A fleet of one guest.
const CONFIGURATION: &str = r#"
state_directory = "STATE"

[broker]
url = "URL"

[platforms.amd64]
store = "/var/cache/binpkgs"

[builders.b1]
platform = "amd64"
address = "local"

[guests.g1]
platform = "amd64"
address = "local"
"#;

/// The program beside the folder of this one.
fn program() -> Result<PathBuf, Box<dyn Error>> {
    let this = std::env::current_exe()?;
    let folder = this.parent().and_then(|folder| folder.parent());
    let program = folder.ok_or("this program has no folder")?.join(PROGRAM);
    if program.exists() {
        Ok(program)
    } else {
        Err(format!("{} is missing: run `make bench`", program.display()).into())
    }
}

/// Reads the log until the worker says that it is ready, and gives it back, so that the worker can
/// go on writing.
fn until_ready<R: BufRead>(mut log: R) -> Result<R, std::io::Error> {
    let mut all = String::new();
    loop {
        let before = all.len();
        if log.read_line(&mut all)? == 0 {
            return Err(std::io::Error::other(format!("it is not ready: {all}")));
        }
        if all.get(before..).is_some_and(|line| line.contains("ready")) {
            return Ok(log);
        }
    }
}

/// What the process has had of the processor.
fn processor_seconds(worker: &Worker) -> Result<f64, Box<dyn Error>> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", worker.0.id()))?;
    // The name in parentheses may hold anything; utime and stime are fields 14 and 15 (proc(5)).
    let (_, fields) = stat.rsplit_once(')').ok_or("a malformed stat")?;
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.map(str::parse::<u64>).sum::<Result<_, _>>()?;
    Ok(ticks as f64 / clock_ticks_per_second() as f64)
}

fn megabytes(worker: &Worker) -> Result<f64, Box<dyn Error>> {
    let status = fs::read_to_string(format!("/proc/{}/status", worker.0.id()))?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = resident.and_then(|text| text.split_whitespace().next());
    let kibibytes: f64 = kibibytes.ok_or("no VmRSS")?.parse()?;
    Ok(kibibytes * 1024.0 / 1e6)
}
