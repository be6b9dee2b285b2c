//! What the bus costs over a bare lapin loop, how soon a worker has its command, and what an idle
//! worker takes, against their limits, in one table.
//!
//! `make bench` runs it. Exit code 1: a limit is missed; 2: it could not run.
//!
//! All of it works on one private broker. What is compared is done in turns of a few messages, and
//! the result is the median of the messages: whatever else the machine does meets both.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what cannot be measured ends the program"
)]

mod consume;
mod handing;
mod idle;
mod publish;
mod turns;

#[path = "../../../portage/benches/speed/outcome.rs"]
mod outcome;
#[path = "../../../portage/benches/speed/quantile.rs"]
#[allow(dead_code)]
mod quantile;
#[path = "../../tests/amqp/support/mod.rs"]
#[allow(dead_code, unused_imports)]
mod support;
#[path = "../../../portage/benches/speed/table.rs"]
#[allow(dead_code)]
mod table;

use std::error::Error;
use std::process::ExitCode;

use support::Broker;
use table::Table;

#[tokio::main]
async fn main() -> ExitCode {
    outcome::exit_code(run().await)
}

/// Whether every limit is kept.
async fn run() -> Result<bool, Box<dyn Error>> {
    let broker = Broker::start();
    let mut table = Table::default();
    publish::measure(&broker, &mut table).await?;
    consume::measure(&broker, &mut table).await?;
    handing::measure(&broker, &mut table).await?;
    idle::measure(&broker, &mut table).await?;
    print!("{table}");
    Ok(table.is_kept())
}
