//! What real runs of `emerge --depclean` printed.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod damage;
mod recorded;
mod wordings;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use gentoo_updater_portage::depclean::{
    Depclean, DepcleanError, Parent, Stream, Summary, Verbosity, parse,
};

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/depclean")
}

pub(crate) fn recording(name: &str) -> (String, String, i32) {
    let read = |extension| fs::read_to_string(folder().join(format!("{name}.{extension}")));
    let status = read("rc").unwrap().trim().parse().unwrap();
    // The recorder wrote no file where stderr stayed empty.
    (
        read("out").unwrap(),
        read("err").unwrap_or_default(),
        status,
    )
}

pub(crate) fn parsed(name: &str, verbosity: Verbosity) -> Result<Depclean, DepcleanError> {
    let (stdout, stderr, status) = recording(name);
    parse(&stdout, &stderr, status, verbosity)
}
