//! `run` and `scan`: start a run, or join the one that goes on, and follow it to its end. So does
//! `retry`, of the run that it has asked for.

use std::sync::Arc;
use std::time::Duration;

use gentoo_updater_bus::embedded::{Embedded, EmbeddedReader, OpenError};
use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_bus::{Bus, Speaker};
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::message::{Event, RunKind};
use gentoo_updater_fleet::name::RunId;
use gentoo_updater_fleet::request::Request;
use gentoo_updater_fleet::state::Fleet;
use gentoo_updater_fleet::words::counted;
use gentoo_updater_notifier::Telling;
use gentoo_updater_runtime::monitor::{Vitals, monitor};
use gentoo_updater_runtime::{Context, host_name, stop_on_signals, worker_id};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::WrongUsage;
use crate::arguments::RunOptions;
use crate::follow::{self, End};
use crate::open;
use crate::output;
use crate::planner::PlannerWatch;
use crate::roles::{INSTANCE, Roles};
use crate::schedule::is_served;

/// How often a process that waits for the journal looks whether it is free.
const LOCK_POLL: Duration = Duration::from_secs(1);
/// How long a process whose run is over goes on to tell of it.
const LAST_WORDS: Duration = Duration::from_secs(60);
/// After so long it says what it is about.
const SILENCE: Duration = Duration::from_secs(2);

/// `run`.
pub(crate) async fn run(settings: Arc<Settings>, options: RunOptions) -> anyhow::Result<u8> {
    start(settings, options, RunKind::Update).await
}

/// `scan`.
pub(crate) async fn scan(settings: Arc<Settings>, options: RunOptions) -> anyhow::Result<u8> {
    start(settings, options, RunKind::ScanOnly).await
}

async fn start(settings: Arc<Settings>, options: RunOptions, kind: RunKind) -> anyhow::Result<u8> {
    let request = Request::of(&settings, kind, &options.wishes());
    let asked = Asked {
        request: request.map_err(|error| WrongUsage(error.to_string()))?,
        json: options.json,
    };
    let stop = CancellationToken::new();
    stop_on_signals(stop.clone());
    let vitals = Vitals::default();
    let monitored = monitor(&options.monitor, open::NAME, &vitals, &stop).await;
    monitored.map_err(|error| WrongUsage(error.to_string()))?;
    vitals.await_bus();
    let goal = Goal::New(&asked);
    let end = if settings.broker.is_some() {
        with_broker(settings, goal, stop, vitals).await?
    } else {
        match Embedded::open_and_keep(open::journal(&settings), settings.history).await {
            Ok(bus) => embedded(settings, bus, goal, stop, vitals).await?,
            Err(OpenError::InUse { .. }) => beside_another(settings, &asked, stop, vitals).await?,
            Err(error) => return Err(error.into()),
        }
    };
    Ok(conclude(&end))
}

/// Follows a run that was asked for to its end, and prints its report. Without a broker all roles
/// work on it in this process.
pub(crate) async fn follow_one(
    settings: Arc<Settings>,
    run: RunId,
    json: bool,
) -> anyhow::Result<u8> {
    let stop = CancellationToken::new();
    stop_on_signals(stop.clone());
    let goal = Goal::Known { run, json };
    let vitals = Vitals::default();
    let end = if settings.broker.is_some() {
        with_broker(settings, goal, stop, vitals).await?
    } else {
        let bus = Embedded::open_and_keep(open::journal(&settings), settings.history).await?;
        embedded(settings, bus, goal, stop, vitals).await?
    };
    Ok(conclude(&end))
}

/// What is followed to its end.
#[derive(Clone, Copy)]
enum Goal<'a> {
    /// A new run, or one that does the same.
    New(&'a Asked),
    /// A run that was asked for.
    Known {
        run: RunId,
        /// Whether its report is printed as JSON, and no progress.
        json: bool,
    },
}

impl Goal<'_> {
    fn is_scan(&self) -> bool {
        matches!(self, Self::New(asked) if asked.request.kind == RunKind::ScanOnly)
    }

    fn json(&self) -> bool {
        match self {
            Self::New(asked) => asked.json,
            Self::Known { json, .. } => *json,
        }
    }
}

/// What the operator asks for.
struct Asked {
    request: Request,
    /// Whether the report is printed as JSON, and no progress.
    json: bool,
}

/// All roles in this process.
async fn embedded(
    settings: Arc<Settings>,
    bus: Embedded,
    goal: Goal<'_>,
    stop: CancellationToken,
    vitals: Vitals,
) -> anyhow::Result<End> {
    let bus: Arc<dyn Bus> = Arc::new(bus);
    let context = Context::new(settings, bus.clone(), stop).with_vitals(vitals);
    let view = FleetView::follow(bus.clone(), context.stop.clone()).await?;
    if goal.is_scan() {
        refuse_beside_a_run(&view)?;
    }
    context.forget_dead_workers().await;
    // What was over before is not told.
    let telling = Telling::begin(&context, INSTANCE).await;
    let telling = telling.unwrap_or_else(|error| {
        // That nobody hears of it keeps nobody from getting updates.
        tracing::error!("nobody is told of this: {error:#}");
        None
    });
    let mut roles = Roles::start(&context);
    let end = tokio::select! {
        end = drive(&context, &view, goal, PlannerWatch::unneeded()) => end,
        stopped = roles.first_stop() => match (stopped, context.stop.is_cancelled()) {
            (Ok(()), true) => Ok(End::Interrupted),
            (Ok(()), false) => Err(anyhow::anyhow!("a role stopped before the run was over")),
            (Err(error), _) => Err(error),
        },
    };
    if matches!(end, Ok(End::Interrupted)) {
        let grace = context.settings.policy.grace.as_secs();
        eprintln!(
            "Stopping. What goes on gets up to {grace} s to end; a second signal leaves it at once to \
             the next start."
        );
    }
    // Before anybody else is told, which may take long.
    let printed = end.as_ref().map(|end| print_report(end, goal.json()));
    if let Some(telling) = telling {
        end_telling(telling).await;
    }
    context.stop.cancel();
    let joined = roles.join().await;
    bus.close().await;
    if let Ok(printed) = printed {
        printed?;
    }
    let end = end?;
    joined?;
    Ok(end)
}

/// Tells what is left. The run is over, whether somebody hears of it or not.
async fn end_telling(telling: Telling) {
    let end = telling.end(LAST_WORDS);
    tokio::pin!(end);
    let ended = match timeout(SILENCE, &mut end).await {
        Ok(ended) => ended,
        Err(_) => {
            eprintln!(
                "Telling those of [notifications], for {} s at most.",
                LAST_WORDS.as_secs()
            );
            end.await
        }
    };
    match ended {
        Ok(0) => {}
        Ok(left) => tracing::warn!(
            "{} could not be delivered yet: the next `gentoo-updater run` or `schedule serve` tries again",
            counted(left, "notice")
        ),
        Err(error) => tracing::error!("not everybody is told of it: {error:#}"),
    }
}

/// All roles of this process work on every run that is not over. A scan, which changes nothing,
/// does not bring a run that was interrupted back to life.
fn refuse_beside_a_run(view: &FleetView) -> anyhow::Result<()> {
    let interrupted = view.read(|fleet| {
        let mut runs = fleet.unfinished();
        runs.find(|run| run.kind == RunKind::Update)
            .map(|run| run.id)
    });
    match interrupted {
        None => Ok(()),
        Some(run) => anyhow::bail!(
            "run {run} was interrupted and is not over: `gentoo-updater run` goes on with it; \
             `gentoo-updater status` shows how far it is. A scan is possible after that"
        ),
    }
}

/// The roles are processes of their own; this one asks and watches.
async fn with_broker(
    settings: Arc<Settings>,
    goal: Goal<'_>,
    stop: CancellationToken,
    vitals: Vitals,
) -> anyhow::Result<End> {
    let context = tokio::select! {
        context = open::with_broker(settings, stop.clone()) => context?.with_vitals(vitals),
        () = stop.cancelled() => return Ok(End::Interrupted),
    };
    let view = FleetView::follow(context.bus.clone(), context.stop.clone()).await?;
    let end = match PlannerWatch::start(context.bus.as_ref()).await {
        Ok(planners) => drive(&context, &view, goal, planners).await,
        Err(error) => Err(error.into()),
    };
    context.bus.close().await;
    let end = end?;
    print_report(&end, goal.json())?;
    Ok(end)
}

/// Another process holds the journal. Its run is followed where it does what is asked for; one that
/// serves takes the request of this one. When that process is gone, this one takes over.
async fn beside_another(
    settings: Arc<Settings>,
    asked: &Asked,
    stop: CancellationToken,
    vitals: Vitals,
) -> anyhow::Result<End> {
    let is_served = is_served(&settings);
    let reader: Arc<dyn Bus> = if is_served {
        eprintln!("`gentoo-updater schedule serve` works on this fleet, and is asked for the run.");
        Arc::new(EmbeddedReader::open_to_say(open::journal(&settings)).await?)
    } else {
        match asked.request.kind {
            RunKind::ScanOnly => eprintln!(
                "Another gentoo-updater works on this fleet; this scan begins when that has ended."
            ),
            _ => eprintln!("Another gentoo-updater works on this fleet; its run is followed."),
        }
        Arc::new(open::reader(&settings).await?)
    };
    vitals.bus(&reader);
    let view = FleetView::follow(reader.clone(), stop.clone()).await?;
    let context = Context::new(settings.clone(), reader.clone(), stop.clone());
    let follow = async {
        match is_served {
            true => drive(&context, &view, Goal::New(asked), PlannerWatch::unneeded()).await,
            false => follow_covering(&view, asked, &stop).await,
        }
    };
    let freed = tokio::select! {
        end = follow => {
            let end = end?;
            print_report(&end, asked.json)?;
            return Ok(end);
        }
        bus = journal_when_free(&settings) => bus?,
        () = stop.cancelled() => return Ok(End::Interrupted),
    };
    reader.close().await;
    eprintln!("The other gentoo-updater has ended, and this one goes on.");
    embedded(settings, freed, Goal::New(asked), stop, vitals).await
}

/// Follows the first run that does what is asked for, whoever asked for it.
async fn follow_covering(
    view: &FleetView,
    asked: &Asked,
    stop: &CancellationToken,
) -> anyhow::Result<End> {
    let covering = |fleet: &Fleet| {
        fleet
            .unfinished()
            .find(|run| asked.request.is_covered_by(run))
            .map(|run| run.id)
    };
    view.wait_until(|fleet| covering(fleet).is_some()).await?;
    match view.read(covering) {
        Some(run) => {
            let mut planners = PlannerWatch::unneeded();
            follow::to_the_end(view, run, stop, !asked.json, &mut planners).await
        }
        // It ended in this moment; whoever takes the journal over asks for another.
        None => std::future::pending().await,
    }
}

/// Waits until the process that holds the journal is gone.
pub(crate) async fn journal_when_free(settings: &Settings) -> anyhow::Result<Embedded> {
    loop {
        tokio::time::sleep(LOCK_POLL).await;
        match Embedded::open_and_keep(open::journal(settings), settings.history).await {
            Ok(bus) => return Ok(bus),
            Err(OpenError::InUse { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Follows a new run to its end. A run that is not over, because it was interrupted or somebody
/// else asked for it, comes first; where it does what is asked for, no other is needed.
async fn drive(
    context: &Context,
    view: &FleetView,
    goal: Goal<'_>,
    mut planners: PlannerWatch,
) -> anyhow::Result<End> {
    let asked = match goal {
        Goal::New(asked) => asked,
        Goal::Known { run, json } => {
            return follow::to_the_end(view, run, &context.stop, !json, &mut planners).await;
        }
    };
    loop {
        let unfinished = view.read(|fleet| {
            // A scan changes nothing, and so it waits for no run that does.
            let mut runs = fleet.unfinished();
            let kind = asked.request.kind;
            let run = runs.find(|run| kind == RunKind::Update || run.kind == kind);
            run.map(|run| {
                let guests = counted(run.guests.len(), "guest");
                let words = format!(
                    "Run {} of {:.0}, of {guests}, is not over; it goes on.",
                    run.id, run.requested_at
                );
                (run.id, words, asked.request.is_covered_by(run))
            })
        });
        let Some((run, words, covers)) = unfinished else {
            break;
        };
        eprintln!("{words}");
        if !covers {
            eprintln!("What is asked for now begins after it.");
        }
        let end = follow::to_the_end(view, run, &context.stop, !asked.json, &mut planners).await?;
        if covers || matches!(end, End::Interrupted) {
            return Ok(end);
        }
    }
    let run = RunId::generate();
    let operator = worker_id("operator", &host_name())?;
    let event = Event::RunRequested(asked.request.requested(run, None));
    let envelope = Speaker::new(operator, context.clock.clone()).say(event);
    tokio::select! {
        published = context.bus.publish(&envelope) => published?,
        () = context.stop.cancelled() => return Ok(End::Interrupted),
    }
    view.wait_for_event(envelope.id).await?;
    follow::to_the_end(view, run, &context.stop, !asked.json, &mut planners).await
}

/// Says how it went.
fn conclude(end: &End) -> u8 {
    let End::Finished(report) = end else {
        eprintln!(
            "Interrupted. A run that has begun is kept: `gentoo-updater run` goes on with it."
        );
        return gentoo_updater_runtime::EXIT_COULD_NOT_RUN;
    };
    match report.is_complete() {
        true => crate::EXIT_ALL_UPDATED,
        false => crate::EXIT_WITH_FAILURES,
    }
}

/// Prints the report of a run that is over.
fn print_report(end: &End, json: bool) -> anyhow::Result<()> {
    match end {
        End::Interrupted => Ok(()),
        End::Finished(report) if json => output::print_json(report),
        End::Finished(report) => {
            let text = report.to_text();
            output::print(|output| output.write_all(text.as_bytes()))
        }
    }
}
