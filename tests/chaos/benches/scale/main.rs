//! A run of 1,000 guests with 500 updates each, over a private RabbitMQ that takes no message of more
//! than 16 MiB, from the request to the last guest. In one table.
//!
//! Exit code 1: a limit is missed; a run that does not end as it should panics.
//!
//! The planner is the real one, in a process of its own. Scans, builds and installations go through
//! the real loop of the workers, and what they find and do is made up and takes no time: so the
//! time is that of planner, broker and fold.
#![allow(missing_docs)]

#[path = "../../../../shared/fleet/benches/batch/fleets.rs"]
mod fleets;
mod history;
mod planner;
#[path = "../../../../shared/portage/benches/speed/table.rs"]
#[allow(dead_code)]
mod table;
mod workers;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_fleet::config;
use gentoo_updater_fleet::message::{Envelope, Event, RunKind, RunOutcome, RunRequested};
use gentoo_updater_fleet::name::RunId;
use gentoo_updater_fleet::report::{GuestOutcome, guest_outcome};
use gentoo_updater_fleet::state::Run;
use gentoo_updater_runtime::Context;
use gentoo_updater_test_broker::{Broker, owner};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use self::fleets::Plans;
use self::history::Sizes;
use self::planner::Planner;
use self::table::{Limit, Table};
use self::workers::Workers;

const UPDATES: usize = 500;
/// What a broker takes by default (`max_message_size` of RabbitMQ 4.0 and later), in bytes.
const LARGEST_MESSAGE: usize = 16 * 1024 * 1024;
const BUILDERS: usize = 4;
const SLOTS: u16 = 4;
/// How long all of it may take before it is given up, in seconds.
const PATIENCE: u64 = 3000;

fn main() -> ExitCode {
    // Fewer for whoever looks for something.
    let guests = std::env::var("SCALE_GUESTS").map_or(Ok(1000), |text| text.parse());
    let guests = guests.expect("SCALE_GUESTS is a number");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let table = runtime.block_on(measure(guests));
    print!("{table}");
    if table.is_kept() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

async fn measure(guests: usize) -> Table {
    let broker = Broker::start_with(&format!("max_message_size = {LARGEST_MESSAGE}"));
    // That of tests is for small messages.
    broker.control(&["set_vm_memory_high_watermark", "absolute", "2GB"]);
    let folder = owner::folder();
    let plans = Plans::draw(guests, UPDATES, true);
    let file = folder.path().join("fleet.toml");
    configure(&file, &broker.vhost().url(), &plans);
    let stop = CancellationToken::new();
    let settings = Arc::new(config::load(&file).expect("a configuration"));
    let context = Context::with_broker(settings, "scale", stop.clone()).await;
    let context = context.expect("a broker");
    let view = FleetView::follow(context.bus.clone(), stop.clone())
        .await
        .expect("a history");
    let workers = Workers::start(&context, &plans);
    let planner = Planner::start(folder.path(), &file);
    let all_are_there = view.wait_until(|fleet| fleet.workers.len() == BUILDERS + 4);
    within(120, all_are_there).await;

    let begun = Instant::now();
    let run = request(&context, &plans).await;
    let is_over = view.wait_until(|fleet| {
        let run = fleet.runs.get(&run);
        run.is_some_and(|run| run.finished.is_some())
    });
    tokio::select! {
        () = within(PATIENCE, is_over) => {}
        () = tell_of(&view, run) => {}
    }
    let took = begun.elapsed();
    let (peak, processor) = (planner.peak_mebibytes(), planner.processor_seconds());

    let ended = view.read(|fleet| fleet.runs.get(&run).cloned());
    let ended = ended.expect("the run is known");
    let jobs = check(&ended, &workers);
    let sizes = history::read(context.bus.as_ref()).await;
    let snapshot = context.bus.newest_snapshot().await.expect("a broker");
    let snapshot = snapshot.expect("the planner keeps a snapshot at the end of a run");
    let snapshot = snapshot.encode().expect("a snapshot").len();
    let commands = workers.sizes();
    workers.end().await;
    planner.stop();
    context.bus.close().await;

    let mut table = Table::default();
    let updates = format!("{guests} guests, {UPDATES} updates each: jobs");
    table.show(&updates, number(jobs), "");
    let below = |seconds| Limit::Below(seconds);
    table.check("the whole run", took.as_secs_f64(), "s", below(900.0));
    for (phase, seconds) in &sizes.phases {
        table.show(&format!("  {phase}"), *seconds, "s");
    }
    table.show("  processor time of the planner", processor, "s");
    table.check("  most memory of the planner", peak, "MiB", below(1024.0));
    tell_sizes(&mut table, &sizes, &commands, snapshot);
    table
}

/// The largest of each kind, in MiB; none may be more than a broker takes.
fn tell_sizes(table: &mut Table, sizes: &Sizes, commands: &Sizes, snapshot: usize) {
    let mebibytes = |bytes: usize| number(bytes) / 1024.0 / 1024.0;
    let limit = Limit::Below(mebibytes(LARGEST_MESSAGE));
    table.show("messages of the history", mebibytes(sizes.bytes), "MiB");
    let all = sizes.largest.iter().chain(&commands.largest);
    for (kind, bytes) in all.filter(|(_, bytes)| **bytes >= 64 * 1024) {
        table.check(
            &format!("  largest {kind}"),
            mebibytes(*bytes),
            "MiB",
            limit,
        );
    }
    let all = sizes.largest.values().chain(commands.largest.values());
    let largest = all.copied().max().unwrap_or_default();
    table.check("largest message", mebibytes(largest), "MiB", limit);
    table.check("snapshot of its end", mebibytes(snapshot), "MiB", limit);
}

/// Every job was built once, and every guest has what it wants. Gives the number of jobs.
fn check(run: &Run, workers: &Workers) -> usize {
    let finished = run.finished.as_ref().expect("it is over");
    assert_eq!(finished.outcome, RunOutcome::Complete);
    let jobs = run.jobs.as_ref().expect("a batch").len();
    assert_eq!(run.built.len(), jobs, "every job is built");
    let built = workers.built();
    assert_eq!(built.len(), jobs, "the jobs that were built");
    let twice = built.values().filter(|times| **times != 1).count();
    assert_eq!(twice, 0, "jobs that were built more than once");
    for (name, guest) in &run.guests {
        assert_eq!(guest_outcome(run, name), GuestOutcome::Updated, "{name}");
        let installation = guest.installation.as_ref().expect("it is installed");
        assert_eq!(installation.changes.len(), UPDATES, "updates of {name}");
    }
    jobs
}

async fn request(context: &Context, plans: &Plans) -> RunId {
    let run = RunId::generate();
    let guests = plans.guests.iter().map(|(name, _)| name.clone());
    let requested = Event::RunRequested(RunRequested {
        run,
        kind: RunKind::Update,
        more_rounds: 0,
        follows: None,
        retries: 0,
        guests: guests
            .map(|name| (name, "default".parse().expect("a platform")))
            .collect(),
        force: false,
        sync: Default::default(),
        rollout: Default::default(),
        schedule: None,
    });
    let sender = "operator@scale".parse().expect("a worker id");
    let envelope = Envelope::new(sender, Timestamp::now(), requested);
    let published = context.bus.publish(&envelope).await;
    published.expect("a broker that takes it");
    run
}

fn configure(file: &Path, url: &str, plans: &Plans) {
    let folder = file.parent().expect("a file in a folder").display();
    let mut text = format!(
        "state_directory = \"{folder}/state\"\n[broker]\nurl = \"{url}\"\n\
         [platforms.default]\nstore = \"{folder}/store\"\n\
         [policy]\nparallel_scans = 16\nparallel_installs = 16\n"
    );
    for number in 0..BUILDERS {
        let _ = writeln!(
            text,
            "[builders.b{number}]\naddress = \"local\"\nslots = {SLOTS}"
        );
    }
    for (name, _) in &plans.guests {
        let _ = writeln!(text, "[guests.{name}]\naddress = \"ssh://{name}\"");
    }
    fs::write(file, text).expect("a configuration is written");
}

/// Says once in a while how far it is, for whoever watches.
async fn tell_of(view: &FleetView, run: RunId) {
    let begun = Instant::now();
    loop {
        tokio::time::sleep(Duration::from_secs(15)).await;
        let far = view.read(|fleet| {
            let run = fleet.runs.get(&run)?;
            let scanned = run.guests.values().filter(|g| g.scan.is_some()).count();
            let installed = run.guests.values().filter(|g| g.installation.is_some());
            let jobs = run.jobs.as_ref().map(|jobs| jobs.len());
            Some((
                scanned,
                jobs,
                run.built.len(),
                installed.count(),
                fleet.offset,
            ))
        });
        eprintln!(
            "after {:.0} s: scanned, jobs, built, installed, offset: {far:?}",
            begun.elapsed().as_secs_f64()
        );
    }
}

async fn within<E: std::fmt::Debug>(seconds: u64, wanted: impl Future<Output = Result<(), E>>) {
    let ended = tokio::time::timeout(Duration::from_secs(seconds), wanted).await;
    ended
        .expect("it takes too long")
        .expect("the history goes on");
}

#[allow(clippy::cast_precision_loss)]
fn number(count: usize) -> f64 {
    count as f64
}
