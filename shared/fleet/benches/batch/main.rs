//! What it costs to make one batch of many plans, and how good the order is in which it is built.
//!
//! `make bench` runs it. Exit code 1: a limit is missed; 2: it could not run.
//!
//! All inputs are made here from fixed seeds, or are in `graphs/`. The order is that of the planner
//! itself: its fold and its decisions run, and only builders and clocks are made up.
#![allow(clippy::expect_used, clippy::panic)]

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
    let arguments: Vec<String> = std::env::args().collect();
    let result = match arguments.iter().position(|word| word == merging::CHILD) {
        Some(place) => merging::child(arguments.get(place + 1)).map(|()| true),
        None => run(),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether every limit is kept.
fn run() -> Result<bool, Box<dyn Error>> {
    let mut table = Table::default();
    merging::measure(&mut table)?;
    makespan::measure(&mut table)?;
    print!("{table}");
    Ok(table.is_kept())
}
