//! The plans that real emerge printed, read and compared with what is expected of each.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod api;
mod arbitrary;
mod belief;
mod describe;
mod mutations;
mod recorded;
mod refusals;

use std::fs;
use std::path::{Path, PathBuf};

use gentoo_updater_portage::plan::{Plan, PlanError, parse};

/// One recorded call: stdout, stderr and exit status.
struct Recording {
    name: String,
    stdout: String,
    stderr: String,
    status: i32,
}

impl Recording {
    fn parse(&self) -> Result<Plan, PlanError> {
        parse(&self.stdout, &self.stderr, self.status)
    }
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/plan")
        .join(name)
}

/// A recording by its name; those of `shapes` as `shapes/NAME`.
fn recording(name: &str) -> Recording {
    let read = |extension: &str| fs::read_to_string(folder(&format!("{name}.{extension}")));
    Recording {
        name: name.to_owned(),
        stdout: read("out").unwrap(),
        // The recorder wrote no file where stderr stayed empty.
        stderr: read("err").unwrap_or_default(),
        status: read("rc").unwrap().trim().parse().unwrap(),
    }
}

fn read(name: &str) -> Result<Plan, PlanError> {
    recording(name).parse()
}

/// The names of the files with this ending, in order.
fn names(within: &str, extension: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder(within))
        .unwrap()
        .filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let name = name.strip_suffix(&format!(".{extension}"))?.to_owned();
            Some(match within {
                "" => name,
                _ => format!("{within}/{name}"),
            })
        })
        .collect();
    names.sort();
    names
}

/// Every recording: those of the lab, and the shapes of other years.
fn all_names() -> Vec<String> {
    let mut all = names("", "out");
    all.extend(names("shapes", "out"));
    all
}
