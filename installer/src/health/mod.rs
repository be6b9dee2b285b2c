//! Whether a guest is well: before an update, so that it is not blamed for what was broken already, and
//! after it.

use std::collections::BTreeMap;
use std::time::Duration;

use gentoo_updater_fleet::config::{Check, Probe};
use gentoo_updater_fleet::message::{Failure, FailureClass, Finding, FindingKind};
use gentoo_updater_fleet::name::{CheckName, GuestName};
use gentoo_updater_hosts::{Command, ExitStatus, Host};
use gentoo_updater_runtime::ask;
use serde_json::{Value, json};

const PROBE: &str = include_str!("probe.py");

/// The cause of an update after which a check fails that did not fail before it.
pub(crate) const HEALTH_CHECK_FAILED: &str = "HealthCheckFailed";

/// The cause of an answer that is none.
const UNCLEAR: &str = "GuestNotUnderstood";

/// How long it takes to begin and to end.
const MARGIN: Duration = Duration::from_secs(60);

/// What is wrong with each check that was made; nothing with one that went well.
pub(crate) type Health = BTreeMap<CheckName, Option<String>>;

/// Makes the checks on the guest once.
///
/// # Errors
/// When the guest cannot be asked.
pub(crate) async fn look(
    host: &dyn Host,
    guest: &GuestName,
    checks: &[Check],
) -> Result<Health, Failure> {
    let steady = Duration::ZERO;
    let once = checks.iter().cloned();
    let once: Vec<Check> = once.map(|check| Check { steady, ..check }).collect();
    watch(host, guest, &once).await
}

/// Makes the checks, for as long as each must go well.
///
/// # Errors
/// When the guest cannot be asked.
pub(crate) async fn watch(
    host: &dyn Host,
    guest: &GuestName,
    checks: &[Check],
) -> Result<Health, Failure> {
    if checks.is_empty() {
        return Ok(Health::new());
    }
    let unclear = |what: &str| {
        let message = format!("guest {guest} does not tell whether it is well: {what}");
        Failure::new(FailureClass::Machine, UNCLEAR, message)
    };
    let question: Vec<Value> = checks.iter().map(question).collect();
    let question = serde_json::to_vec(&question).map_err(|error| unclear(&error.to_string()))?;
    let longest = checks.iter().map(longest).max().unwrap_or_default();
    let command = Command::new("python3")
        .args(["-c", PROBE])
        .stdin(question)
        .timeout(longest + MARGIN);
    let output = ask(host, &command).await?;
    if output.status != ExitStatus::Code(0) {
        return Err(unclear(output.stderr_text().trim()));
    }
    let health: Health =
        serde_json::from_slice(&output.stdout).map_err(|error| unclear(&error.to_string()))?;
    match checks
        .iter()
        .find(|check| !health.contains_key(&check.name))
    {
        Some(check) => Err(unclear(&format!("it says nothing of {}", check.name))),
        None => Ok(health),
    }
}

/// As [`look`], after an update: each check must go well for as long as it says, and where the guest
/// cannot even be looked at any more, none does.
///
/// # Errors
/// When the guest cannot be reached.
pub(crate) async fn look_after(
    host: &dyn Host,
    guest: &GuestName,
    checks: &[Check],
) -> Result<Health, Failure> {
    match watch(host, guest, checks).await {
        Err(failure) if failure.cause == UNCLEAR || failure.is_time_out() => {
            let all = checks.iter().map(|check| check.name.clone());
            Ok(all
                .map(|name| (name, Some(failure.message.clone())))
                .collect())
        }
        health => health,
    }
}

/// How long a check takes at most: it may go well at the last try, and fail in the end.
fn longest(check: &Check) -> Duration {
    let tries = (check.timeout + check.pause) * check.tries;
    match check.steady {
        Duration::ZERO => tries,
        steady => steady + check.pause + tries * 2,
    }
}

fn question(check: &Check) -> Value {
    let mut question = json!({
        "name": check.name,
        "tries": check.tries,
        "pause": check.pause.as_secs_f64(),
        "timeout": check.timeout.as_secs_f64(),
        "steady": check.steady.as_secs_f64(),
    });
    match &check.probe {
        Probe::Command(command) => question["command"] = json!(command),
        Probe::Tcp { host, port } => question["tcp"] = json!([host, port]),
        Probe::Http { url, status } => {
            question["http"] = json!(url);
            question["status"] = json!(status);
        }
        Probe::Service(name) => question["service"] = json!(name),
    }
    question
}

/// The checks that an update has broken, by what was so before it and what is so after it.
pub(crate) fn broken_checks<'a>(
    before: &'a Health,
    after: &'a Health,
) -> impl Iterator<Item = &'a CheckName> {
    let was_well = |name: &CheckName| !matches!(before.get(name), Some(Some(_)));
    let fail = after.iter().filter(|(_, wrong)| wrong.is_some());
    fail.map(|(name, _)| name)
        .filter(move |name| was_well(name))
}

/// What an update has broken.
pub(crate) fn broken(before: &Health, after: &Health) -> Option<Failure> {
    let broken: Vec<String> = broken_checks(before, after)
        .filter_map(|name| Some(format!("{name} ({})", after.get(name)?.as_ref()?)))
        .collect();
    (!broken.is_empty()).then(|| {
        let message = format!("after the update these checks fail: {}", broken.join("; "));
        Failure::new(FailureClass::Permanent, HEALTH_CHECK_FAILED, message)
    })
}

/// What was broken already.
pub(crate) fn broken_before(before: &Health, after: &Health) -> Vec<Finding> {
    let broken = before
        .iter()
        .filter_map(|(name, wrong)| Some((name, wrong.as_ref()?)));
    let told = broken.map(|(name, wrong)| {
        let now = match after.get(name) {
            Some(None) => ", and goes well after it",
            _ => ", so it tells nothing of this update",
        };
        let text = format!("the check {name} failed before the update already{now}: {wrong}");
        Finding::new(FindingKind::CheckFailed, &text).about(name.as_str())
    });
    told.collect()
}

#[cfg(test)]
mod tests;
