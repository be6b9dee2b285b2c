//! Looking whether a machine is what a run needs: one round trip, one JSON document, no change.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use gentoo_updater_fleet::doctor::{Examined, MachineFacts};
use gentoo_updater_fleet::message::Failure;
use gentoo_updater_hosts::Host;
use serde::Deserialize;
use serde_json::json;

use crate::portage_api::{Packed, new_marker, pack, parse, python, run};

const PROGRAM: &str = concat!(
    include_str!("portage_repositories.py"),
    include_str!("examine.py")
);

static COMPRESSED: Packed = LazyLock::new(|| pack(PROGRAM));

/// How long the lock of a store is watched for a sign of life: its holder gives one every 5 s.
const WATCH: Duration = Duration::from_secs(7);

/// What every machine needs beside Python (coreutils, diffutils, findutils, grep, sed, util-linux).
const PROGRAMS: [&str; 12] = [
    "emerge", "portageq", "cat", "df", "mktemp", "sync", "diff", "find", "grep", "sed", "flock",
    "setsid",
];

/// What is asked of a machine.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Programs that it needs beside those that every machine does.
    pub programs: Vec<String>,
    /// Programs that help to compile.
    pub helpers: Vec<String>,
    /// The folders whose file systems count.
    pub spaces: Vec<String>,
    /// Its store, where it has one.
    pub store: Option<String>,
    /// Where its store is served, where it fetches from there.
    pub url: Option<String>,
    /// The certificate authority of that server, in PEM, where it is none that the machine trusts anyway.
    pub authority: Option<String>,
}

#[derive(Deserialize)]
struct Document {
    /// The clock of the machine, in seconds since 1970.
    time: f64,
    #[serde(flatten)]
    facts: MachineFacts,
}

/// Asks a machine.
///
/// # Errors
/// When it cannot be asked, or gives no document of this kind. That its Portage does not answer stands in
/// the document.
pub async fn examine(
    host: &dyn Host,
    request: Request,
    timeout: Duration,
) -> Result<Examined, Failure> {
    let marker = new_marker();
    let programs = PROGRAMS.iter().map(|name| (*name).to_owned());
    let programs: Vec<String> = programs.chain(request.programs).collect();
    let request = json!({
        "marker": marker,
        "programs": programs,
        "helpers": request.helpers,
        "spaces": request.spaces,
        "store": request.store,
        "url": request.url,
        "authority": request.authority,
        "watch_seconds": WATCH.as_secs(),
    });
    let asked = seconds(SystemTime::now());
    let json = run(host, &COMPRESSED, python(&request), &marker, timeout).await?;
    let answered = seconds(SystemTime::now());
    let document: Document = parse(&json)?;
    Ok(Examined {
        clock_ahead: ahead(document.time, asked, answered),
        facts: document.facts,
    })
}

fn seconds(time: SystemTime) -> f64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}

/// By how much a clock is ahead at the least, which said `there` at some moment between these two;
/// negative where it is behind.
fn ahead(there: f64, asked: f64, answered: f64) -> f64 {
    if there > answered {
        there - answered
    } else {
        (there - asked).min(0.0)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use gentoo_updater_fleet::doctor::StoreFacts;
    use gentoo_updater_hosts::{HostAddress, SshSettings, connect};
    use tempfile::TempDir;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    async fn asked(request: Request) -> Examined {
        let local: HostAddress = "local".parse().unwrap();
        let host = connect(&local, &SshSettings::default()).await.unwrap();
        examine(host.as_ref(), request, PATIENCE).await.unwrap()
    }

    async fn of_store(store: &Path) -> StoreFacts {
        let request = Request {
            store: Some(store.display().to_string()),
            ..Request::default()
        };
        asked(request).await.facts.store.unwrap()
    }

    #[test]
    fn a_clock_is_off_by_what_no_way_there_and_back_explains() {
        let close = |left: f64, right: f64| (left - right).abs() < 1e-9;
        assert!(close(ahead(100.5, 100.0, 101.0), 0.0));
        assert!(close(ahead(103.0, 100.0, 101.0), 2.0));
        assert!(close(ahead(97.0, 100.0, 101.0), -3.0));
    }

    #[tokio::test]
    async fn this_machine_tells_what_it_has_and_its_clock_is_our_own() {
        let request = Request {
            programs: vec!["no-such-program".to_owned(), "sh".to_owned()],
            helpers: vec!["no-such-helper".to_owned()],
            spaces: vec!["/tmp/not/there/yet".to_owned(), "/tmp".to_owned()],
            ..Request::default()
        };
        let examined = asked(request).await;
        assert!(
            examined.clock_ahead.abs() < 1e-9,
            "{}",
            examined.clock_ahead
        );
        let facts = examined.facts;
        assert!(
            facts
                .missing_programs
                .contains(&"no-such-program".to_owned())
        );
        assert!(!facts.missing_programs.contains(&"sh".to_owned()));
        assert_eq!(facts.missing_helpers, ["no-such-helper"]);
        assert_eq!(facts.spaces.len(), 1, "one file system is told once");
        assert_eq!(facts.spaces[0].folder, "/tmp/not/there/yet");
        assert_eq!(facts.store, None);
    }

    #[tokio::test]
    async fn a_store_is_told_with_its_index_and_nothing_is_left_in_it() {
        let folder = TempDir::new().unwrap();
        let store = folder.path().join("a store");
        assert!(!of_store(&store).await.is_there);
        fs::create_dir(&store).unwrap();
        let empty = of_store(&store).await;
        assert!(empty.is_there && empty.index.is_none() && empty.lock.is_none());
        assert_eq!(fs::read_dir(&store).unwrap().count(), 0);
        fs::write(store.join("Packages"), "PACKAGES: 0\n\n").unwrap();
        let index = of_store(&store).await.index.unwrap();
        assert_eq!(index.sha256.len(), 64);
        assert!(index.written_seconds_ago < 60);
    }

    #[tokio::test]
    async fn a_store_that_is_served_is_told_by_what_its_server_answers() {
        let served = async |url: String| {
            let request = Request {
                url: Some(url),
                ..Request::default()
            };
            asked(request).await.facts.served.unwrap()
        };
        let answers = async |status: &'static str| {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}/amd64", listener.local_addr().unwrap());
            let serving = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 1024];
                let read = stream.read(&mut request).await.unwrap();
                assert!(request[..read].starts_with(b"GET /amd64/Packages "));
                let head = "Content-Length: 1\r\nConnection: close\r\n\r\nP";
                let answer = format!("HTTP/1.1 {status}\r\n{head}");
                stream.write_all(answer.as_bytes()).await.unwrap();
            };
            tokio::join!(served(url), serving).0
        };
        let there = answers("200 OK").await;
        assert!(there.has_index && there.problem.is_none(), "{there:?}");
        let empty = answers("404 Not Found").await;
        assert!(!empty.has_index && empty.problem.is_none(), "{empty:?}");
        let broken = answers("503 Service Unavailable").await;
        assert!(broken.problem.unwrap().contains("503"));
        let nobody = served("http://127.0.0.1:1/amd64".to_owned()).await;
        assert!(nobody.problem.unwrap().contains("refused"));
    }

    #[tokio::test]
    async fn a_lock_whose_holder_is_dead_is_silent_and_one_that_beats_is_not() {
        let folder = TempDir::new().unwrap();
        let lock = folder.path().join(".gentoo-updater/lock.d");
        fs::create_dir_all(&lock).unwrap();
        fs::write(lock.join("owner"), "b1 123 456\n").unwrap();
        let left = of_store(folder.path()).await.lock.unwrap();
        assert_eq!(
            (left.owner.as_str(), left.silent_seconds),
            ("b1 123 456", 7)
        );
        let looked = async {
            let facts = of_store(folder.path()).await;
            facts.lock.unwrap()
        };
        let beat = async {
            // Until the look is over: which of its moments sees the change does not matter.
            for number in 0.. {
                fs::write(lock.join("beat"), number.to_string()).unwrap();
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
        };
        let living = tokio::select! { lock = looked => lock, () = beat => unreachable!() };
        assert_eq!(living.silent_seconds, 0);
    }
}
