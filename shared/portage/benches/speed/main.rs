//! How fast the readers are, against their limits and against Portage's own, in one table.
//!
//! `make bench` runs it. Exit code 1: a limit is missed; 2: it could not run.
//!
//! All inputs are made here, the same ones every time, and Portage's own library works on the same
//! ones in the same run (tests/portage-venv.sh brings it). Each time is processor time, and the best
//! of several rounds: what else the machine does can only make a round longer.

mod index;
mod input;
mod memory;
mod outcome;
mod plan;
mod reference;
mod strings;
mod table;
mod versions;

use std::error::Error;
use std::process::ExitCode;

use table::Table;

fn main() -> ExitCode {
    outcome::exit_code(match memory::asked_for() {
        Some(work) => index::child(&work).map(|()| true),
        None => run(),
    })
}

/// Whether every limit is kept.
fn run() -> Result<bool, Box<dyn Error>> {
    let mut table = Table::default();
    plan::measure(&mut table)?;
    index::measure(&mut table)?;
    versions::measure(&mut table)?;
    strings::measure(&mut table)?;
    print!("{table}");
    Ok(table.is_kept())
}
