//! What a report says.

use serde_json::Value;

use crate::actions::Run;

/// The command that followed the run ended with this exit code.
pub fn exit_code_is(run: &Run, code: i32) {
    assert_eq!(
        run.code, code,
        "exit code (left) of a run with this report:\n{:#}\n{}",
        run.report, run.stderr
    );
}

/// How a guest stands, such as `Updated`.
pub fn outcome_of<'a>(report: &'a Value, guest: &str) -> &'a str {
    let outcome = report["guests"][guest]["outcome"].as_str();
    outcome.unwrap_or_else(|| panic!("the report names no guest {guest}:\n{report:#}"))
}

/// A guest stands like this.
pub fn outcome_is(report: &Value, guest: &str, outcome: &str) {
    assert_eq!(
        outcome_of(report, guest),
        outcome,
        "outcome (left) of {guest}, of which the report says:\n{:#}",
        report["guests"][guest]
    );
}

/// Cause and message of a guest's failure.
///
/// # Panics
/// When it did not fail.
pub fn failure_of<'a>(report: &'a Value, guest: &str) -> (&'a str, &'a str) {
    let failure = &report["guests"][guest]["failure"];
    match (failure["cause"].as_str(), failure["message"].as_str()) {
        (Some(cause), Some(message)) => (cause, message),
        _ => panic!("{guest} did not fail:\n{:#}", report["guests"][guest]),
    }
}

/// The jobs of one version.
pub fn job<'a>(report: &'a Value, cpv: &str) -> Vec<&'a Value> {
    let jobs = report["jobs"].as_array().expect("a report has jobs");
    jobs.iter().filter(|job| job["cpv"] == cpv).collect()
}

/// The packages of the jobs in a state such as `built`, sorted.
pub fn jobs_in_state(report: &Value, state: &str) -> Vec<String> {
    let jobs = report["jobs"].as_array().expect("a report has jobs");
    let names = jobs.iter().filter(|job| job["state"] == state);
    let mut names: Vec<String> = names
        .filter_map(|job| job["cpv"].as_str().map(str::to_owned))
        .collect();
    names.sort();
    names
}

/// All findings below a part of a report.
pub fn finding_texts(part: &Value) -> Vec<&str> {
    let findings = part["findings"].as_array().into_iter().flatten();
    findings
        .filter_map(|finding| finding["text"].as_str())
        .collect()
}
