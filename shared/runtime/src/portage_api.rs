//! Asking Portage's own API on a machine: one round trip, one JSON document.

use flate2::Compression;
use flate2::write::ZlibEncoder;
use gentoo_updater_fleet::message::{Failure, FailureClass};
use gentoo_updater_hosts::{ExitStatus, Host, Output};
use gentoo_updater_portage::build_key::HexDigest;
use gentoo_updater_portage::command::{CommandLine, neutral_environment};
use gentoo_updater_portage::cpv::Cpv;
use gentoo_updater_portage::name::RepositoryName;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::sync::LazyLock;
use std::time::Duration;
use uuid::Uuid;

use crate::emerge::in_own_environment;
use crate::look::{self, Look};
use crate::machines::ask;

/// The program that runs on the machine.
const PROGRAM: &str = concat!(
    include_str!("portage_watch.py"),
    include_str!("portage_kernel.py"),
    include_str!("portage_repositories.py"),
    include_str!("portage_api.py")
);

/// What the machine's Python reads [`PROGRAM`] with. It is sent to all of a fleet at once, to most of
/// whom in vain: compressed, it takes a third of the time and room in each connection.
const LOADER: &str = "import sys, zlib; exec(zlib.decompress(sys.stdin.buffer.read()))";

static COMPRESSED: Packed = LazyLock::new(|| pack(PROGRAM));

/// A program for a machine's Python, packed.
pub(crate) type Packed = LazyLock<io::Result<Vec<u8>>>;

/// Packs a program.
pub(crate) fn pack(program: &str) -> io::Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(program.as_bytes())?;
    encoder.finish()
}

/// The cause of a failure: the machine has no Python.
const PYTHON_MISSING: &str = "PythonMissing";

/// What to ask.
#[derive(Debug, Clone)]
pub enum Question {
    /// What the machine is and has, what this `emerge --pretend` says, and the metadata of every
    /// row of it.
    Plan(CommandLine),
    /// Its ebuild repositories alone.
    Repositories,
    /// The metadata of one ebuild.
    Ebuild(Cpv, RepositoryName),
}

impl Question {
    fn request(self, marker: &str) -> Value {
        match self {
            Self::Plan(line) => {
                let environment: BTreeMap<_, _> = line.environment.into_iter().collect();
                let emerge = json!({ "argv": line.argv, "environment": environment });
                json!({ "marker": marker, "emerge": emerge })
            }
            Self::Repositories => json!({ "marker": marker, "packages": [] }),
            Self::Ebuild(cpv, repository) => {
                json!({ "marker": marker, "packages": [[cpv, repository]] })
            }
        }
    }
}

/// What a machine says to a question that it has answered before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply<T> {
    /// Nothing that the former answer depended on has changed.
    Unchanged,
    /// A new answer.
    Answer(T),
}

/// Asks, and reads the answer.
///
/// # Errors
/// When the machine cannot be asked, or gives no document of this kind. That Portage could not
/// answer stands in the document.
pub async fn ask_portage<T: DeserializeOwned>(
    host: &dyn Host,
    question: Question,
    timeout: Duration,
) -> Result<T, Failure> {
    let marker = new_marker();
    let argv = python(&question.request(&marker));
    let json = run(host, &COMPRESSED, argv, &marker, timeout).await?;
    parse(&json)
}

/// A former answer to the same question.
#[derive(Debug, Clone, Copy)]
pub enum Former<'a> {
    /// There is none that could be used.
    None,
    /// It holds where nothing has changed since this look.
    Holds(&'a Look),
    /// It does not hold any more, whatever this look at what it depended on says today.
    Outdated(&'a Look),
}

/// Asks, unless nothing has changed since the former look, in one round trip. A new answer to
/// [`Question::Plan`] tells in `watch` and `fingerprint` what makes the next [`Look`], where the
/// machine can say so. It takes less of the machine where there is a former look that was at the
/// same places.
///
/// A former answer to another question, or of a machine with another address, is no former answer.
///
/// # Errors
/// As [`ask_portage`].
pub async fn ask_portage_unless_unchanged<T: DeserializeOwned>(
    host: &dyn Host,
    question: Question,
    former: Former<'_>,
    timeout: Duration,
) -> Result<Reply<T>, Failure> {
    let marker = new_marker();
    let mut request = question.clone().request(&marker);
    let question = digest_of(host, question);
    match former {
        Former::None => request["look"] = json!(look::take(&question)),
        Former::Holds(look) | Former::Outdated(look) => request["watched"] = json!(look.words()),
    }
    let command = python(&request);
    let (argv, expected) = match former {
        Former::None => (command, None),
        Former::Holds(look) => {
            let argv = look::unless_unchanged(&marker, look, &question, &command);
            (argv, Some(look.fingerprint()))
        }
        Former::Outdated(look) => (look::beforehand(look, &question, &command), None),
    };
    let json = run(host, &COMPRESSED, argv, &marker, timeout).await?;
    match serde_json::from_str(&json) {
        Ok(Unchanged { unchanged }) if expected == Some(&unchanged) => Ok(Reply::Unchanged),
        _ => parse(&json).map(Reply::Answer),
    }
}

/// What the script prints in place of an answer.
#[derive(Deserialize)]
struct Unchanged {
    unchanged: HexDigest,
}

/// What is asked of whom, and what reads the answer there, in one word.
fn digest_of(host: &dyn Host, question: Question) -> HexDigest {
    let request = question.request("");
    let address = host.address().to_string();
    let parts = json!([address, look::script(), PROGRAM, request]);
    HexDigest::sha256(parts.to_string().as_bytes())
}

pub(crate) fn new_marker() -> String {
    format!("gentoo-updater-{}", Uuid::now_v7().simple())
}

pub(crate) fn python(request: &Value) -> Vec<String> {
    // Nothing of the folder in which it starts is a module of it (python(1), -I).
    ["python3", "-I", "-c", LOADER, &request.to_string()]
        .map(str::to_owned)
        .into()
}

/// Runs a program, and gives what it printed between two lines that hold the marker.
pub(crate) async fn run(
    host: &dyn Host,
    program: &Packed,
    argv: Vec<String>,
    marker: &str,
    timeout: Duration,
) -> Result<String, Failure> {
    let program = program.as_ref().map_err(|error| {
        let message = format!("the program for the machine cannot be packed: {error}");
        Failure::new(FailureClass::Permanent, "ProgramNotPacked", message)
    })?;
    // Portage's API reads USE and its like from the environment as emerge does, and tells what
    // FEATURES and PKGDIR are on the machine: those that a command line sets are for emerge alone.
    let environment = neutral_environment();
    let command = in_own_environment(CommandLine { environment, argv }, &[])
        .stdin(program.as_slice())
        .timeout(timeout);
    let output = ask(host, &command).await?;
    between(&output, marker)
}

/// The document between the markers. What stands around them was printed by something else.
fn between(output: &Output, marker: &str) -> Result<String, Failure> {
    let text = String::from_utf8_lossy(&output.stdout);
    let between = text
        .split(marker)
        .nth(1)
        .filter(|_| text.matches(marker).count() == 2);
    let Some(json) = between else {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<String> = stderr.lines().map(str::to_owned).collect();
        let (cause, message) = match output.status {
            ExitStatus::Code(127) => (
                PYTHON_MISSING,
                "the machine has no python3, which Portage needs too",
            ),
            _ => (
                "MachineAnswersNot",
                "the machine's answer was cut off or never came",
            ),
        };
        let mut failure = Failure::new(FailureClass::Permanent, cause, message);
        failure.log_tail = lines[lines.len().saturating_sub(15)..].to_vec();
        return Err(failure);
    };
    Ok(json.to_owned())
}

pub(crate) fn parse<T: DeserializeOwned>(json: &str) -> Result<T, Failure> {
    serde_json::from_str(json).map_err(|error| {
        let message = format!("the machine's answer cannot be read: {error}");
        Failure::new(FailureClass::Permanent, "DocumentNotUnderstood", message)
    })
}

#[cfg(test)]
mod program_tests;
#[cfg(test)]
mod tests {
    use gentoo_updater_hosts::{SshSettings, connect};
    use gentoo_updater_portage::command::plan_world;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn question(with_build_dependencies: bool) -> Question {
        Question::Plan(plan_world(with_build_dependencies))
    }

    /// What a look at the folder gives once it is old enough.
    fn settled(host: &dyn Host, folder: &str) -> Look {
        let watch = vec![format!("tree:{folder}")];
        let digest = digest_of(host, question(false));
        let take = || {
            let argv = look::take(&digest);
            let output = std::process::Command::new("sh")
                .args(&argv[1..])
                .args(&watch)
                .arg("--")
                .output();
            String::from_utf8(output.unwrap().stdout).unwrap()
        };
        let mut last = take();
        loop {
            std::thread::sleep(Duration::from_millis(200));
            let next = take();
            if next == last {
                let fingerprint = next.trim().parse().unwrap();
                return Look::new(fingerprint, watch).unwrap();
            }
            last = next;
        }
    }

    #[tokio::test]
    async fn this_machine_is_asked_again_after_a_change_and_after_another_question_only() {
        let (local, settings) = ("local".parse().unwrap(), SshSettings::default());
        let host = connect(&local, &settings).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let former = settled(host.as_ref(), folder.path().to_str().unwrap());
        let ask = async |with_build_dependencies| {
            let question = question(with_build_dependencies);
            let former = Former::Holds(&former);
            ask_portage_unless_unchanged::<Value>(host.as_ref(), question, former, PATIENCE)
                .await
                .unwrap()
        };
        // An answer of a machine without Portage is an answer.
        assert_eq!(ask(false).await, Reply::Unchanged);
        assert!(matches!(ask(true).await, Reply::Answer(_)));
        std::fs::write(folder.path().join("new"), "").unwrap();
        assert!(matches!(ask(false).await, Reply::Answer(_)));
    }
}
