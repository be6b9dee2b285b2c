//! How soon the next job of a chain is begun in an idle slot when the one before it is built, over a
//! private RabbitMQ, against its limit.
//!
//! `make bench` runs it. Exit code 1: a limit is missed; another one: it could not run.
//!
//! Planner, scanner, installer and janitor are processes, the builder is the loop of every worker in
//! this one. Each job needs the one before, and its build takes no time: what is measured is the time
//! from the making of `PackageBuilt`, as its envelope tells it, until the handler of the next job is
//! called. In between the result goes to the disk of the builder and to the broker, the planner reads
//! it back from the history, decides and sends the command, and the builder keeps its claim on its
//! disk, publishes it and reads it back.

mod builder;
mod hop;

#[path = "../../tests/chaos/support/mod.rs"]
#[allow(dead_code, unused_imports)]
mod support;

#[path = "../../../../shared/portage/benches/speed/outcome.rs"]
mod outcome;
#[path = "../../../../shared/portage/benches/speed/quantile.rs"]
mod quantile;
#[path = "../../../../shared/portage/benches/speed/table.rs"]
#[allow(dead_code)]
mod table;

use std::error::Error;
use std::process::ExitCode;

use gentoo_updater_chaos::Role;
use gentoo_updater_chaos::scene::Scene;
use gentoo_updater_test_broker::Broker;

use builder::{Builder, HandOver};
use hop::Hops;
use quantile::{middle, quantile};
use support::{Fleet, Policy};
use table::{Limit, Table};

/// How many runs there are for each number of slots.
const RUNS: usize = 4;
/// How many jobs a run has, one after another.
const JOBS: usize = 41;
/// What the middle of all may take, and nine of ten, and 99 of 100, in milliseconds. The one slot that
/// there is takes its place in the queue anew after each job.
const LIMITS: [(&str, f64, f64); 3] = [
    ("  the middle", 0.5, 50.0),
    ("  90 of 100", 0.9, 100.0),
    ("  99 of 100", 0.99, 200.0),
];

#[tokio::main]
async fn main() -> ExitCode {
    outcome::exit_code(run().await)
}

/// Whether every limit is kept.
async fn run() -> Result<bool, Box<dyn Error>> {
    let broker = Broker::start();
    let mut table = Table::default();
    let (mut hops, mut middles) = (Vec::new(), Vec::new());
    let ways = [
        ("PackageBuilt to the next job, another slot idle", 2),
        ("PackageBuilt to the next job, the only slot", 1),
    ];
    for (what, slots) in ways {
        let vhost = broker.vhost();
        let measured = chains(&vhost.url(), slots, &mut hops).await?;
        let mut all: Vec<f64> = measured.iter().map(|one| one.milliseconds).collect();
        table.show(what, all.len() as f64, "times");
        for (name, part, limit) in LIMITS {
            table.check(name, quantile(&mut all, part), "ms", Limit::Below(limit));
        }
        let claimed = measured.iter().map(|one| one.until_claim).collect();
        table.show("  of it until the builder claims it", middle(claimed), "ms");
        middles.push(middle(all));
    }
    table.show("a bare hop over the broker", hops.len() as f64, "times");
    table.show("  the middle", quantile(&mut hops, 0.5), "ms");
    table.show("  99 of 100", quantile(&mut hops, 0.99), "ms");
    let ratio = middles.iter().copied().fold(0.0, f64::max) / middle(hops);
    table.show("the next job, in bare hops, the middle", ratio, "");
    print!("{table}");
    Ok(table.is_kept())
}

/// The runs of a fleet whose builder has so many slots, and bare hops between them.
async fn chains(
    url: &str,
    slots: u16,
    hops: &mut Vec<f64>,
) -> Result<Vec<HandOver>, Box<dyn Error>> {
    let others = [Role::Planner, Role::Scanner, Role::Installer, Role::Janitor];
    let scene = |folder: &_| Scene::chain(folder, JOBS);
    let fleet = Fleet::start_with(url.to_owned(), Policy::default(), others.to_vec(), scene).await;
    let builder = Builder::start(&fleet, slots).await?;
    fleet.until_registered(others.len() + 1).await;
    let mut between = Hops::open(url).await?;
    let mut measured = Vec::new();
    for _ in 0..RUNS {
        let run = fleet.request_run().await;
        let is_over = |run: &gentoo_updater_fleet::state::Run| run.finished.is_some();
        fleet.until("the end of a run", run, is_over).await;
        let chain = builder.hand_overs(&fleet, run).await?;
        assert_eq!(chain.len(), JOBS - 1, "each job was handed over once");
        measured.extend(chain);
        hops.extend(between.measure(JOBS - 1).await?);
    }
    between.close().await?;
    builder.end().await?;
    fleet.end().await;
    Ok(measured)
}
