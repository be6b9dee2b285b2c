//! Whether a guest that requires signatures takes the binaries of a set, asked of its own Portage
//! before anything is touched: `emerge --pretend` verifies nothing.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use gentoo_updater_fleet::message::{Failure, FailureClass, InstallPackages};
use gentoo_updater_hosts::{ExitStatus, Host};
use gentoo_updater_portage::command::{CommandLine, neutral_environment};
use gentoo_updater_portage::outcome::refuses_signature;
use gentoo_updater_runtime::emerge::in_own_environment;
use gentoo_updater_runtime::{ask, signing::Demands};
use serde::Deserialize;

use super::verdict::{Refusal, key_of};

const PROGRAM: &str = include_str!("signatures.py");

/// How long it may take: all binaries are read.
const LIMIT: Duration = Duration::from_secs(1800);

/// How many binaries of one kind a failure names.
const NAMED: usize = 10;

/// What Portage said of a binary.
#[derive(Debug, Deserialize)]
pub(super) struct Verified {
    path: String,
    /// The name of its exception.
    refused: Option<String>,
    words: String,
    /// The lines of gpg.
    status: Vec<String>,
}

/// Has the guest verify the binaries in this folder of it.
///
/// # Errors
/// A failure that names the binaries that it would refuse, why, and the remedy.
pub(crate) async fn check(
    host: &dyn Host,
    order: &InstallPackages,
    folder: &Path,
    demands: &Demands,
) -> Result<(), Failure> {
    let paths = order.packages.iter();
    let paths: Vec<String> = paths
        .map(|it| it.binary.path.below(folder).display().to_string())
        .collect();
    let unclear = |what: &str| {
        let message = format!(
            "guest {} requires signatures, and does not tell whether it takes those of the set: {what}",
            order.guest
        );
        Failure::new(FailureClass::Machine, "GuestNotUnderstood", message)
    };
    let line = CommandLine {
        environment: neutral_environment(),
        argv: ["python3", "-c", PROGRAM].map(str::to_owned).into(),
    };
    let input = serde_json::to_vec(&paths).map_err(|error| unclear(&error.to_string()))?;
    let command = in_own_environment(line, &[]).stdin(input).timeout(LIMIT);
    let output = ask(host, &command).await?;
    let said = output.stderr_text();
    match output.status {
        ExitStatus::Code(0) => {}
        ExitStatus::Code(55) => {
            let class = FailureClass::Permanent;
            let message = format!("guest {}: {}", order.guest, said.trim());
            return Err(Failure::new(class, Refusal::NoKeys.cause(), message));
        }
        _ => return Err(unclear(said.trim())),
    }
    let text = output.stdout_text();
    let answers: Result<Vec<Verified>, _> = text.lines().map(serde_json::from_str).collect();
    let answers = answers.map_err(|error| unclear(&error.to_string()))?;
    if answers.len() != paths.len() {
        return Err(unclear("its answer was cut"));
    }
    judge(&answers, order, folder, demands)
}

/// Why the set cannot be installed, if it cannot.
pub(super) fn judge(
    answers: &[Verified],
    order: &InstallPackages,
    folder: &Path,
    demands: &Demands,
) -> Result<(), Failure> {
    let mut refused: BTreeMap<Refusal, Vec<String>> = BTreeMap::new();
    for answer in answers {
        let Some(exception) = &answer.refused else {
            continue;
        };
        let lines = || answer.status.iter().map(String::as_str);
        let refusal = Refusal::of_status(lines()).unwrap_or(match exception.as_str() {
            "MissingSignature" => Refusal::Missing,
            // Another form of binary packages, which has no signatures.
            "InvalidBinaryPackageFormat" if answer.path.ends_with(".xpak") => Refusal::Missing,
            "DigestException" | "InvalidSignature" | "InvalidBinaryPackageFormat" => {
                Refusal::Invalid
            }
            _ => Refusal::NoKeys,
        });
        let path = Path::new(&answer.path);
        let name = path.strip_prefix(folder).unwrap_or(path).display();
        let detail = match (refusal, key_of(lines())) {
            (Refusal::Missing, _) => String::new(),
            (_, Some(key)) => format!(" (key {key})"),
            (_, None) => format!(" ({exception}: {})", answer.words),
        };
        let named = refused.entry(refusal).or_default();
        named.push(format!("{name}{detail}"));
    }
    let Some(gravest) = refused.keys().next_back().copied() else {
        return Ok(());
    };
    let guest = &order.guest;
    let mut message = format!(
        "guest {guest} requires signatures (FEATURES=binpkg-request-signature) and would not take \
         these binaries, so nothing was touched: "
    );
    for (place, (refusal, names)) in refused.iter().rev().enumerate() {
        if place > 0 {
            message.push_str("; ");
        }
        let more = match names.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let some: Vec<&str> = names.iter().take(NAMED).map(String::as_str).collect();
        message.push_str(&format!("{refusal}: {}{more}", some.join(", ")));
    }
    message.push_str(". ");
    let home = demands.home.display().to_string();
    message.push_str(&remedy(gravest, order, &home));
    let class = FailureClass::Permanent;
    Err(Failure::new(class, gravest.cause(), message))
}

/// Why emerge refused a binary in the middle of an installation, as its output tells: a key can be
/// revoked, or its time be over, just then.
pub(crate) fn refused_in(log: &str, order: &InstallPackages) -> Option<Failure> {
    if !log.lines().any(refuses_signature) {
        return None;
    }
    let refusal = Refusal::of_status(log.lines()).unwrap_or(Refusal::Missing);
    let key = key_of(log.lines()).map_or_else(String::new, |key| format!(" (key {key})"));
    let home = "BINPKG_GPG_VERIFY_GPG_HOME";
    let message = format!(
        "a binary is {refusal}{key}. {}",
        remedy(refusal, order, home)
    );
    let class = FailureClass::Permanent;
    Some(Failure::new(class, refusal.cause(), message))
}

/// What to do about it.
fn remedy(refusal: Refusal, order: &InstallPackages, home: &str) -> String {
    let (guest, platform) = (&order.guest, &order.platform);
    match refusal {
        Refusal::Missing => format!(
            "Have the builders sign: `gentoo-updater store keys init` and `sign = true` in \
             [platforms.{platform}]; `gentoo-updater store keys sign --unsigned` signs what the \
             store holds"
        ),
        Refusal::Foreign | Refusal::Untrusted => format!(
            "Where `gentoo-updater store keys list` shows the key, `gentoo-updater store keys teach \
             {guest}` has the guest trust it; otherwise somebody else made these binaries"
        ),
        Refusal::Expired => "`gentoo-updater store keys rotate` makes a new key, `gentoo-updater \
             store keys sign` signs with it what the store holds; compare the guest's clock, too"
            .to_owned(),
        Refusal::Invalid => {
            "The files were changed after they were signed. Find out by whom before \
             you delete them; the next run then builds them again"
                .to_owned()
        }
        Refusal::Revoked => "Nothing that it signed is to be trusted: `gentoo-updater store keys \
             retire` takes it out of the store, and the next run builds again what it signed"
            .to_owned(),
        Refusal::NoKeys => format!(
            "The guest's Portage verifies by the keys in {home}, as the user nobody, who must be able \
             to read that; `gentoo-updater store keys teach {guest}` makes it so"
        ),
    }
}

#[cfg(test)]
#[path = "signatures_tests.rs"]
mod tests;
