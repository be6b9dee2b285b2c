//! `run` and `scan`: start a run, or join the one that goes on, and follow it to its end.

use std::collections::BTreeMap;
use std::sync::Arc;

use gentoo_updater_bus::Bus;
use gentoo_updater_bus::embedded::{Embedded, OpenError};
use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::message::{Envelope, Event, RunKind, RunOutcome, RunRequested};
use gentoo_updater_fleet::name::{GuestName, PlatformName, RunId};
use gentoo_updater_fleet::report::Report;
use gentoo_updater_runtime::{Context, host_name, stop_on_signals, worker_id};
use jiff::Timestamp;

use crate::arguments::RunOptions;
use crate::follow::{self, End};
use crate::open;
use crate::roles::Roles;

/// `run`.
pub(crate) async fn run(settings: Arc<Settings>, options: RunOptions) -> anyhow::Result<u8> {
    start(settings, options, RunKind::Update).await
}

/// `scan`.
pub(crate) async fn scan(settings: Arc<Settings>, options: RunOptions) -> anyhow::Result<u8> {
    start(settings, options, RunKind::ScanOnly).await
}

async fn start(settings: Arc<Settings>, options: RunOptions, kind: RunKind) -> anyhow::Result<u8> {
    let guests = chosen(&settings, &options.guests)?;
    if settings.broker_url.is_some() {
        return with_broker(settings, options, kind, guests).await;
    }
    let journal = open::journal(&settings);
    match Embedded::open(&journal).await {
        Ok(bus) => embedded(settings, Arc::new(bus), options, kind, guests).await,
        Err(OpenError::InUse { .. }) => follow_other(&settings, &options).await,
        Err(error) => Err(error.into()),
    }
}

fn chosen(
    settings: &Settings,
    names: &[GuestName],
) -> anyhow::Result<BTreeMap<GuestName, PlatformName>> {
    let mut guests = BTreeMap::new();
    if names.is_empty() {
        let all = settings.guests.iter();
        guests.extend(all.map(|(name, guest)| (name.clone(), guest.platform.clone())));
    }
    for name in names {
        let Some(guest) = settings.guests.get(name) else {
            let known: Vec<&str> = settings.guests.keys().map(GuestName::as_str).collect();
            anyhow::bail!(
                "the configuration names no guest {name}; it names {}",
                known.join(", ")
            );
        };
        guests.insert(name.clone(), guest.platform.clone());
    }
    Ok(guests)
}

/// All roles in this process.
async fn embedded(
    settings: Arc<Settings>,
    bus: Arc<dyn Bus>,
    options: RunOptions,
    kind: RunKind,
    guests: BTreeMap<GuestName, PlatformName>,
) -> anyhow::Result<u8> {
    let context = Context::new(settings, bus.clone());
    stop_on_signals(context.stop.clone());
    let view = FleetView::follow(bus.clone(), context.stop.clone()).await?;
    let mut roles = Roles::start(&context);
    let end = tokio::select! {
        end = drive(&context, &view, kind, guests, &options) => end,
        stopped = roles.first_stop() => match (stopped, context.stop.is_cancelled()) {
            (Ok(()), true) => Ok(End::Interrupted),
            (Ok(()), false) => Err(anyhow::anyhow!("a role stopped before the run was over")),
            (Err(error), _) => Err(error),
        },
    };
    context.stop.cancel();
    let joined = roles.join().await;
    bus.close().await;
    let end = end?;
    joined?;
    Ok(conclude(end, &options))
}

/// The roles are processes of their own; this one asks and watches.
async fn with_broker(
    settings: Arc<Settings>,
    options: RunOptions,
    kind: RunKind,
    guests: BTreeMap<GuestName, PlatformName>,
) -> anyhow::Result<u8> {
    let context = open::with_broker(settings).await?;
    stop_on_signals(context.stop.clone());
    let view = FleetView::follow(context.bus.clone(), context.stop.clone()).await?;
    let end = drive(&context, &view, kind, guests, &options).await;
    context.bus.close().await;
    Ok(conclude(end?, &options))
}

/// Another process holds the journal: its run is followed.
async fn follow_other(settings: &Settings, options: &RunOptions) -> anyhow::Result<u8> {
    eprintln!("Another gentoo-updater works on this fleet; its run is followed.");
    let stop = tokio_util::sync::CancellationToken::new();
    stop_on_signals(stop.clone());
    let reader = open::reader(settings).await?;
    let view = FleetView::follow(Arc::new(reader), stop.clone()).await?;
    let run = tokio::select! {
        run = open::unfinished_run(&view) => run?,
        () = stop.cancelled() => return Ok(crate::EXIT_WITH_FAILURES),
    };
    let end = follow::to_the_end(&view, run, &stop, !options.json).await?;
    Ok(conclude(end, options))
}

/// Follows a new run to its end. A run that is not over, because it was interrupted or somebody
/// else asked for it, comes first; where it covers what is asked for, no other is needed.
async fn drive(
    context: &Context,
    view: &FleetView,
    kind: RunKind,
    guests: BTreeMap<GuestName, PlatformName>,
    options: &RunOptions,
) -> anyhow::Result<End> {
    let show = !options.json;
    loop {
        let unfinished = view.read(|fleet| {
            fleet.unfinished().next().map(|run| {
                let covers = run.kind == kind && guests.keys().all(|g| run.guests.contains_key(g));
                (run.id, run.requested_at, covers)
            })
        });
        let Some((run, at, covers)) = unfinished else {
            break;
        };
        eprintln!("Run {run} of {at:.0} is not over; it goes on.");
        let end = follow::to_the_end(view, run, &context.stop, show).await?;
        if covers || matches!(end, End::Interrupted) {
            return Ok(end);
        }
    }
    let run = RunId::generate();
    let operator = worker_id("operator", &host_name())?;
    let event = Event::RunRequested(RunRequested { run, kind, guests });
    let envelope = Envelope::new(operator, Timestamp::now(), event);
    context.bus.publish(&envelope).await?;
    view.wait_for_event(envelope.id).await?;
    follow::to_the_end(view, run, &context.stop, show).await
}

/// Prints the report and says how it went.
fn conclude(end: End, options: &RunOptions) -> u8 {
    let End::Finished(report) = end else {
        eprintln!("Interrupted. The run is kept; `gentoo-updater run` goes on with it.");
        return gentoo_updater_runtime::EXIT_COULD_NOT_RUN;
    };
    print_report(&report, options.json);
    match report.outcome {
        Some(RunOutcome::Complete) => crate::EXIT_ALL_UPDATED,
        Some(RunOutcome::WithFailures) | None => crate::EXIT_WITH_FAILURES,
    }
}

fn print_report(report: &Report, json: bool) {
    if json {
        match serde_json::to_string_pretty(report) {
            Ok(text) => println!("{text}"),
            Err(error) => eprintln!("the report cannot be written as JSON: {error}"),
        }
    } else {
        print!("{}", report.to_text());
    }
}
