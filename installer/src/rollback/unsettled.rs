//! What a guest notes of an update that has begun, until somebody has looked what came of it.
//!
//! The power may fail in the middle of an update, and the run end without this guest. Whoever installs on
//! it next would take the half update for what was before: its checks would fail "already", and there would
//! be no way back behind it.

use gentoo_updater_fleet::message::{Failure, FailureClass};
use gentoo_updater_fleet::name::RunId;
use gentoo_updater_hosts::{Command, ExitStatus, Host};
use gentoo_updater_runtime::ask;
use gentoo_updater_runtime::unsettled::FILE;
use serde::{Deserialize, Serialize};

use crate::health::Health;

/// Keeps a text under a name, where there is none yet: $1 file $2 text.
const KEEP: &str = r#"
set -eu
if ! [ -e "$1" ]; then
    mkdir -p "${1%/*}"
    printf '%s\n' "$2" > "$1.new"
    sync "$1.new"
    mv "$1.new" "$1"
fi
"#;

/// An update that has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unsettled {
    /// The run that began it.
    pub(crate) run: RunId,
    /// How the guest was before.
    pub(crate) health: Health,
}

/// The update that nobody has looked at since it began, if there is one.
///
/// # Errors
/// When the guest cannot be asked.
pub(crate) async fn unsettled(host: &dyn Host) -> Result<Option<Unsettled>, Failure> {
    let show = r#"if [ -e "$1" ]; then cat "$1"; fi"#;
    let text = must(host, Command::shell("unsettled", show, [FILE])).await?;
    match text.trim() {
        "" => Ok(None),
        text => serde_json::from_str(text).map(Some).map_err(|error| {
            let message = format!("{FILE} cannot be read: {error}; delete it, and run again");
            Failure::new(FailureClass::Machine, "GuestNotUnderstood", message)
        }),
    }
}

/// Notes that an update begins, where none is noted.
///
/// # Errors
/// When the guest cannot be written to.
pub(crate) async fn begin(host: &dyn Host, update: &Unsettled) -> Result<(), Failure> {
    let text = serde_json::to_string(update).map_err(|error| unwritable(&error.to_string()))?;
    let keep = Command::shell("begin", KEEP, [FILE.to_owned(), text]);
    must(host, keep).await.map(drop)
}

/// Notes that somebody has looked what came of it.
///
/// # Errors
/// When the guest cannot be written to.
pub(crate) async fn settled(host: &dyn Host) -> Result<(), Failure> {
    must(host, Command::new("rm").args(["-f", "--", FILE]))
        .await
        .map(drop)
}

async fn must(host: &dyn Host, command: Command) -> Result<String, Failure> {
    let output = ask(host, &command).await?;
    match output.status {
        ExitStatus::Code(0) => Ok(output.stdout_text()),
        _ => Err(unwritable(output.stderr_text().trim())),
    }
}

fn unwritable(what: &str) -> Failure {
    let message = format!("the machine cannot be written to: {what}");
    Failure::new(FailureClass::Machine, "MachineUnwritable", message)
}
