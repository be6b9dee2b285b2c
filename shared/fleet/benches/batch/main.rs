//! What it costs to make one batch of many plans, and how good the order is in which it is built.
//!
//! `make bench` runs it. Exit code 1: a limit is missed; 2: it could not run.
//!
//! All inputs are made here from fixed seeds, or are in `graphs/`. The order is that of the planner
//! itself: its fold and its decisions run, and only builders and clocks are made up.
#![allow(clippy::expect_used, clippy::panic)]

#[path = "../../../portage/benches/speed/memory.rs"]
mod memory;
#[path = "../../../portage/benches/speed/outcome.rs"]
mod outcome;
#[path = "../../../portage/benches/speed/table.rs"]
#[allow(dead_code)]
mod table;

mod fleets;
mod graphs;
mod makespan;
mod merging;
mod schedule;

use std::error::Error;
use std::process::ExitCode;

use table::Table;

fn main() -> ExitCode {
    outcome::exit_code(match memory::asked_for() {
        Some(work) => merging::child(&work).map(|()| true),
        None => run(),
    })
}

/// Whether every limit is kept.
fn run() -> Result<bool, Box<dyn Error>> {
    let mut table = Table::default();
    merging::measure(&mut table)?;
    makespan::measure(&mut table)?;
    print!("{table}");
    Ok(table.is_kept())
}
