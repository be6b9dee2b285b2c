//! What it costs to bring a fleet of three kinds of guests from v1 to v2, beside the two ways that an
//! administrator has without this project: each guest compiles for itself, and a shell script with a
//! builder, step by step (`by_hand.sh`).
//!
//! `make bench` runs it, as root. Exit code 1: a limit is missed, or a guest was left behind by this
//! project or by itself; 2: it could not run.
//!
//! Each way has a new lab. Each package gives the compiler some seconds of work beside its own. All
//! machines of a lab share the processors of this one, as guests of one host do: guests that have
//! processors of their own compile side by side, and then it is the time of the processors that tells
//! what was saved. That is of all that has to do with the lab, the broker included.

#[path = "../../../shared/portage/benches/speed/table.rs"]
#[allow(dead_code)]
mod table;

#[path = "../shared/processor.rs"]
mod processor;
#[path = "../shared/work.rs"]
mod work;

mod cost;
mod ways;

use std::error::Error;
use std::process::ExitCode;

use cost::Cost;
use gentoo_updater_tests::actions::KINDS;
use gentoo_updater_tests::fixtures::run_bench;
use processor::Processor;
use table::{Limit, Table};
use ways::{ByHand, GUESTS};

fn main() -> ExitCode {
    run_bench(|| measure().unwrap_or_else(|error| panic!("bench: {error}")))
}

/// Whether every limit is kept.
fn measure() -> Result<bool, Box<dyn Error>> {
    let processor = Processor::count()?;
    let updater = ways::updater(&processor)?;
    let themselves = ways::each_for_itself(&processor)?;
    let (by_hand, problems) = ways::by_hand(ByHand::Missing, &processor)?;
    let (builder_first, more) = ways::by_hand(ByHand::BuilderFirst, &processor)?;
    drop(processor);
    println!(
        "{:34}{:>10}{:>10}{:>14}{:>12}   ({GUESTS} guests of three kinds)",
        "", "wall", "CPU", "compilations", "converged"
    );
    let ways = [
        ("gentoo-updater, 2 builders x 2", &updater),
        ("each guest for itself, at once", &themselves),
        ("by hand, step by step, 1 builder", &by_hand),
        ("  that updates itself first", &builder_first),
    ];
    for (name, cost) in ways {
        println!(
            "{name:34}{:>8.1} s{:>8.1} s{:>14}{:>7} of {}",
            cost.wall,
            cost.processor,
            cost.compilations,
            cost.converged(),
            cost.guests.len()
        );
    }
    for (name, cost) in ways {
        tell_left(name, cost);
    }
    for line in problems.lines().chain(more.lines()) {
        println!("\nby hand: {line}");
    }
    let mut table = Table::default();
    let others = [
        ("each for itself", &themselves),
        ("by hand", &by_hand),
        ("by hand, builder first", &builder_first),
    ];
    for (other, cost) in others {
        let parts = [
            ("wall", updater.wall / cost.wall),
            ("CPU", updater.processor / cost.processor),
        ];
        for (what, part) in parts {
            let what = format!("{what}, as a part of {other}");
            // Who leaves guests behind may be cheaper.
            match cost.converged() == cost.guests.len() {
                true => table.check(&what, part, "", Limit::Below(1.0)),
                false => table.show(&what, part, ""),
            }
        }
        #[allow(clippy::cast_precision_loss)]
        let part = updater.compilations as f64 / cost.compilations as f64;
        table.show(&format!("compilations, as a part of {other}"), part, "");
    }
    print!("\n{table}");
    // The script knows one kind of guests, and is a rival only where it serves that.
    let mut rivals = builder_first.guests.iter();
    let is_rival = rivals.all(|guest| guest.flags != KINDS[0] || guest.left.is_empty());
    let all = [&updater, &themselves].map(|cost| cost.converged() == cost.guests.len());
    Ok(table.is_kept() && is_rival && all == [true; 2])
}

/// Which guests were left behind, and with what.
fn tell_left(name: &str, cost: &Cost) {
    for guest in cost.guests.iter().filter(|guest| !guest.left.is_empty()) {
        println!("\n{name}: {} ({}) still plans", guest.name, guest.flags);
        for row in &guest.left {
            println!("    {row}");
        }
    }
}
