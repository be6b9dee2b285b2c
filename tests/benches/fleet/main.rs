//! What it costs the controller to ask a whole fleet, beside the ways that administrators have
//! without it: processes of `ssh`, threads of paramiko, and Ansible.
//!
//! `make bench` runs it, as root. Exit code 1: a limit is missed; 2: it could not run.
//!
//! All ask the same guests of one lab, in turns, over the same connections with strict host keys.
//! The guests work on this machine's processors too, for everybody. The others ask for emerge's
//! plan alone; the scanner asks for all that a batch is made of, and reads it. It asks so many at a
//! time as it does unless it is told otherwise (`parallel_scans`), and the limits, that of the wall
//! clock among them, are for that; a further row shows what asking all of them at once costs it.

#[path = "../../../shared/portage/benches/speed/quantile.rs"]
mod quantile;
#[path = "../../../shared/portage/benches/speed/table.rs"]
#[allow(dead_code)]
mod table;

#[path = "../shared/usage.rs"]
mod usage;

mod askers;

use std::process::ExitCode;

use askers::{Asker, Fleet};
use gentoo_updater_tests::fixtures::run_bench;
use table::{Limit, Table};
use usage::Usage;

const GUESTS: usize = 50;
/// How often everybody asks. The middle of it counts.
const ROUNDS: usize = 3;

fn main() -> ExitCode {
    run_bench(measure)
}

/// Whether every limit is kept.
fn measure() -> bool {
    let fleet = Fleet::up(GUESTS);
    // Files come into memory, and the scanner gets something to find unchanged.
    for asker in Asker::ALL {
        if asker != Asker::Unchanged {
            fleet.ask(asker);
        }
    }
    let mut taken: Vec<Vec<Usage>> = vec![Vec::new(); Asker::ALL.len()];
    for _ in 0..ROUNDS {
        for (asker, taken) in Asker::ALL.into_iter().zip(&mut taken) {
            taken.push(fleet.ask(asker));
        }
    }
    drop(fleet);
    let middle: Vec<Usage> = taken.iter().map(|taken| Usage::middle(taken)).collect();
    println!(
        "{:40}{:>9}{:>12}{:>9}   ({GUESTS} guests, the middle of {ROUNDS} rounds)",
        "", "CPU", "memory", "wall"
    );
    for (asker, usage) in Asker::ALL.into_iter().zip(&middle) {
        println!("{:40}{usage}", asker.name());
    }
    let [anew, unchanged, _at_once, ssh, paramiko, ansible] = middle[..] else {
        unreachable!("everybody was measured");
    };
    let best = ssh.wall.min(paramiko.wall).min(ansible.wall);
    let mut table = Table::default();
    for (what, own) in [("anew", anew), ("unchanged", unchanged)] {
        let mut check = |of: &str, value: f64, limit: f64| {
            table.check(&format!("{what}: {of}"), value, "", Limit::Below(limit));
        };
        check(
            "CPU, as a part of ssh's",
            own.processor / ssh.processor,
            0.1,
        );
        check(
            "CPU, as a part of paramiko's",
            own.processor / paramiko.processor,
            0.2,
        );
        check(
            "memory, as a part of paramiko's",
            own.memory / paramiko.memory,
            0.333,
        );
        check("wall, as a part of the others' best", own.wall / best, 1.0);
    }
    print!("\n{table}");
    table.is_kept()
}
