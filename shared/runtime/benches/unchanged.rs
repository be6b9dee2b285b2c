//! What it costs a guest to say that nothing has changed on it, against its limit and beside what
//! asking Portage begins with, in one table.
//!
//! `make bench` runs it. Exit code 1: a limit is missed; 2: it could not run.
//!
//! The machine that is looked at is made here: 1,500 installed packages, an ebuild repository of
//! 19,000 with its cache, and an overlay as large as one that is still looked at file by file. Each
//! time is processor time of all processes, user and system, and the best of several rounds.

#[path = "../../portage/benches/speed/outcome.rs"]
mod outcome;
#[path = "../../portage/benches/speed/table.rs"]
#[allow(dead_code)]
mod table;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use gentoo_updater_hosts::markers::run_between_markers;
use gentoo_updater_hosts::{Host, SshSettings, connect};
use gentoo_updater_portage::build_key::HexDigest;
use gentoo_updater_portage::command::{CommandLine, neutral_environment};
use gentoo_updater_runtime::emerge::in_own_environment;
use gentoo_updater_runtime::look::{self, Look};
use table::{Limit, Table};

const ROUNDS: u32 = 7;
/// How often something is done in a round: processor times count in hundredths of a second.
const TIMES: u32 = 10;
const MARKER: &str = "MARKER";

type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    outcome::exit_code(run().await)
}

/// Whether every limit is kept.
async fn run() -> Outcome<bool> {
    let python = portage_python()?;
    // Beside what was compiled: a folder of temporary files may lie in memory.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let mut watch = machine(folder.path())?;
    let host = connect(&"local".parse()?, &SshSettings::default()).await?;
    let mut table = Table::default();
    let usual = look_at(host.as_ref(), &watch).await?;
    let limit = Limit::Below(100.0);
    table.check("unchanged, repository by revision", usual, "ms CPU", limit);
    watch.push(format!("tree:{}/overlay", folder.path().display()));
    let walked = look_at(host.as_ref(), &watch).await?;
    table.check("and an overlay of 500 packages", walked, "ms CPU", limit);
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let before = children()?;
        for _ in 0..TIMES {
            let ended = Command::new(&python)
                .args(["-c", "import portage.dbapi.porttree, portage.dbapi.vartree"])
                .status()?;
            if !ended.success() {
                return Err(format!("{}: {ended}", python.display()).into());
            }
        }
        best = best.min(milliseconds(children()?.saturating_sub(before)));
    }
    table.show("start of Python with Portage alone", best, "ms CPU");
    table.check(
        "unchanged, as a part of that",
        walked / best,
        "",
        Limit::Below(1.0),
    );
    print!("{table}");
    Ok(table.is_kept())
}

/// Milliseconds of processor time that one unchanged answer takes.
async fn look_at(host: &dyn Host, watch: &[String]) -> Outcome<f64> {
    let question = HexDigest::sha256(b"bench");
    let former = Look::new(settled(&question, watch)?, watch.to_vec())?;
    let argv = look::unless_unchanged(MARKER, &former, &question, &["false".to_owned()]);
    let environment = neutral_environment();
    let command = in_own_environment(CommandLine { environment, argv }, &[]);
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let before = children()?;
        for _ in 0..TIMES {
            let output = run_between_markers(host, &command).await?;
            if !output.stdout_text().contains("unchanged") {
                return Err("something has changed in what nobody touches".into());
            }
        }
        best = best.min(milliseconds(children()?.saturating_sub(before)));
    }
    Ok(best)
}

/// The fingerprint, once the machine is old enough to have one.
fn settled(question: &HexDigest, watch: &[String]) -> Outcome<HexDigest> {
    let take = || -> Outcome<String> {
        let argv = look::take(question);
        let output = Command::new(&argv[0])
            .args(&argv[1..])
            .args(watch)
            .arg("--")
            .stdin(Stdio::null())
            .output()?;
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut last = take()?;
    loop {
        std::thread::sleep(Duration::from_millis(200));
        let next = take()?;
        if next == last {
            return Ok(next.parse()?);
        }
        if Instant::now() > deadline {
            return Err("the machine that was made does not come to rest".into());
        }
        last = next;
    }
}

/// Makes a machine below `root`, and says what of it to look at.
fn machine(root: &Path) -> Outcome<Vec<String>> {
    for number in 0..1500 {
        let package = root.join(format!(
            "vdb/category-{}/package-{number}-1.0",
            number % 100
        ));
        write_all(
            &package,
            &["CONTENTS", "SLOT", "USE", "RDEPEND", "environment.bz2"],
        )?;
    }
    repository(&root.join("repo"), 19_000)?;
    repository(&root.join("overlay"), 500)?;
    for number in 0..300 {
        let folder = root.join(format!("etc/package.use/{}", number % 10));
        write_all(&folder, &[&format!("file-{number}")])?;
    }
    write_all(&root.join("lib"), &["world", "world_sets", "config"])?;
    let words = [
        "packages:vdb",
        "flat:lib",
        "flat:news",
        "tree:etc",
        "links:etc",
        "links:make.profile",
        "tree:make.conf",
        "tree:make.profile",
        "tree:profile.env",
        "tree:lib/config",
        "flat:repo",
        "flat:repo/metadata",
        "packages:repo/metadata",
        "tree:repo/.git/HEAD",
        "tree:repo/.git/packed-refs",
        "tree:repo/.git/commondir",
    ];
    let below = |word: &&str| word.replacen(':', &format!(":{}/", root.display()), 1);
    Ok(words.iter().map(below).collect())
}

fn repository(root: &Path, packages: u32) -> Outcome<()> {
    for number in 0..packages {
        let category = format!("category-{}", number % 170);
        let name = format!("package-{number}");
        let ebuilds = [format!("{name}-1.ebuild"), format!("{name}-2.ebuild")];
        let files = [&ebuilds[0], &ebuilds[1], "Manifest", "metadata.xml"];
        write_all(&root.join(&category).join(&name), &files)?;
        let cache = root.join("metadata/md5-cache").join(category);
        write_all(&cache, &[&format!("{name}-1"), &format!("{name}-2")])?;
    }
    write_all(&root.join("metadata"), &["timestamp.chk", "layout.conf"])?;
    write_all(&root.join("profiles"), &["repo_name", "categories"])
}

fn write_all(folder: &Path, names: &[&str]) -> Outcome<()> {
    fs::create_dir_all(folder)?;
    for name in names {
        fs::write(folder.join(name), name)?;
    }
    Ok(())
}

/// Processor time of all children that have ended, and of theirs (proc_pid_stat(5), 16 and 17).
fn children() -> Outcome<Duration> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, rest) = stat.rsplit_once(')').ok_or("/proc/self/stat has no name")?;
    let mut fields = rest.split_ascii_whitespace().skip(13);
    let mut ticks = || -> Outcome<u64> { Ok(fields.next().ok_or("too few fields")?.parse()?) };
    let ticks = ticks()? + ticks()?;
    Ok(Duration::from_millis(
        ticks * 1000 / rustix::param::clock_ticks_per_second(),
    ))
}

fn milliseconds(of_all: Duration) -> f64 {
    of_all.as_secs_f64() * 1000.0 / f64::from(TIMES)
}

/// Python with Portage's own library.
fn portage_python() -> Outcome<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let said = Command::new(root.join("tests/portage-venv.sh"))
        .stderr(Stdio::inherit())
        .output()?;
    if !said.status.success() {
        return Err("tests/portage-venv.sh failed".into());
    }
    Ok(PathBuf::from(String::from_utf8(said.stdout)?.trim()))
}
