//! The plans that real emerge printed, read and compared with what is expected of each.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod damaged;
mod recorded;

use std::fs;
use std::path::Path;

use gentoo_updater_portage::plan::{Plan, PlanError, parse};

/// One recorded call: stdout, stderr and exit status.
struct Recording {
    stdout: String,
    stderr: String,
    status: i32,
}

fn recording(name: &str) -> Recording {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/plan");
    let read = |extension: &str| fs::read_to_string(folder.join(format!("{name}.{extension}")));
    Recording {
        stdout: read("out").unwrap(),
        // The recorder wrote no file where stderr stayed empty.
        stderr: read("err").unwrap_or_default(),
        status: read("rc").unwrap().trim().parse().unwrap(),
    }
}

fn read(name: &str) -> Result<Plan, PlanError> {
    let Recording {
        stdout,
        stderr,
        status,
    } = recording(name);
    parse(&stdout, &stderr, status)
}
