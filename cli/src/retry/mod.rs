//! `retry`: what failed for good is tried again, within its run or by a further one.

mod arguments;
#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use gentoo_updater_bus::follow::{FleetView, one_run};
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::inspect::{
    KnownJobs, Retry, RunName, TaskView, UnknownRetry, retry as what_to_retry,
};
use gentoo_updater_fleet::message::{
    Event, RetryRequested, RunKind, RunRequested, ToSync, WorkKey,
};
use gentoo_updater_fleet::name::{EventId, GuestName, PlatformName, RunId};
use gentoo_updater_fleet::request::MORE_ROUNDS;
use gentoo_updater_fleet::state::Fleet;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::open::{self, BROKER_LIMIT, Opened};
use crate::{NotThere, WrongUsage, output, run};

pub(crate) use arguments::RetryOptions;

/// The document of `retry --json`.
#[derive(Debug, Serialize)]
struct RetryDocument {
    /// What was said.
    action: Action,
    /// The run in which it is done; absent where nothing is to be done.
    run: Option<RunId>,
    /// The run that is over and that the other one makes up for.
    of: Option<RunId>,
    /// What gets further attempts. `attempt` is the last one before them.
    work: Vec<TaskView>,
    /// The guests of a further run, or those that further attempts do not help.
    guests: Vec<GuestName>,
    /// The events that say it.
    events: Vec<EventId>,
}

/// What was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    /// Further attempts within the run.
    Attempts,
    /// A further run.
    Run,
    /// Nothing.
    Nothing,
}

/// What was said, and in words.
struct Said {
    document: RetryDocument,
    words: String,
}

/// Has tried again what an operator names.
pub(crate) async fn retry(settings: Arc<Settings>, options: &RetryOptions) -> anyhow::Result<u8> {
    let opened = open::to_change(&settings).await?;
    let said = say(&settings, &opened, options.target.as_deref()).await;
    opened.bus.close().await;
    let Said { document, words } = said?;
    let run = document.run.filter(|_| options.wait);
    match run {
        Some(_) => eprintln!("{words}"),
        None if options.json => output::print_json(&document)?,
        None => println!("{words}"),
    }
    if let Some(run) = run {
        return run::follow_one(settings, run, options.json).await;
    }
    if settings.broker.is_none() && !document.events.is_empty() {
        eprintln!(
            "No broker is configured: it is in the journal, and `gentoo-updater run` goes on with \
             it."
        );
    }
    Ok(crate::EXIT_DONE)
}

async fn say(settings: &Settings, opened: &Opened, target: Option<&str>) -> anyhow::Result<Said> {
    let view = FleetView::follow(opened.bus.clone(), CancellationToken::new()).await?;
    let newest = || view.read(|fleet| fleet.newest_update().map(|run| run.id.to_string()));
    let target = target.map(str::to_owned).or_else(newest);
    let target = target.ok_or_else(|| NotThere("there was no run yet".to_owned()))?;
    let target = target.as_str();
    loop {
        let fleet = known(&view, opened, target).await?;
        match what_to_retry(&fleet, target).map_err(refused)? {
            Retry::Again { work, left } => {
                let events = again(&view, opened, &work).await?;
                let open = work
                    .iter()
                    .all(|work| view.read(|fleet| is_open(fleet, work)));
                // Whoever says it in the moment in which the run ends asks for another run.
                if !open {
                    continue;
                }
                let run = work.first().and_then(|work| fleet.runs.get(&work.run));
                let words = run.map(|run| words::again(run, &work, &left));
                let jobs = KnownJobs::of(&fleet);
                let document = RetryDocument {
                    action: Action::Attempts,
                    run: run.map(|run| run.id),
                    of: None,
                    work: work.iter().map(|work| TaskView::of(work, &jobs)).collect(),
                    guests: left.into_iter().collect(),
                    events,
                };
                let words = words.unwrap_or_default();
                return Ok(Said { document, words });
            }
            Retry::Further { of, kind, guests } => {
                return further(settings, &view, opened, of, kind, guests).await;
            }
            Retry::Ending(run) => wait_for_the_end(settings, &view, run).await?,
            Retry::Covered(run) => {
                let document = document(Action::Nothing, Some(run));
                let words = words::covered(run);
                return Ok(Said { document, words });
            }
            Retry::Nothing(nothing) => {
                let document = document(Action::Nothing, None);
                let words = words::nothing(&nothing);
                return Ok(Said { document, words });
            }
        }
    }
}

/// The state, with the run that is named also where it was forgotten.
async fn known(view: &FleetView, opened: &Opened, target: &str) -> anyhow::Result<Fleet> {
    let mut fleet = view.read(Fleet::clone);
    let name = target.parse::<RunName>().ok();
    if let Some(run) = name.and_then(|name| name.forgotten(&fleet)) {
        let mut old = one_run(opened.bus.as_ref(), run).await?;
        fleet.runs.append(&mut old.runs);
    }
    Ok(fleet)
}

fn document(action: Action, run: Option<RunId>) -> RetryDocument {
    RetryDocument {
        action,
        run,
        of: None,
        work: Vec::new(),
        guests: Vec::new(),
        events: Vec::new(),
    }
}

fn refused(error: UnknownRetry) -> anyhow::Error {
    let text = error.to_string();
    match error {
        UnknownRetry::Malformed(_) | UnknownRetry::Ambiguous { .. } => WrongUsage(text).into(),
        UnknownRetry::NoRun | UnknownRetry::UnknownRun(_) | UnknownRetry::NoJob { .. } => {
            NotThere(text).into()
        }
    }
}

/// Says of each that it gets further attempts.
async fn again(
    view: &FleetView,
    opened: &Opened,
    work: &[WorkKey],
) -> anyhow::Result<Vec<EventId>> {
    let mut events = Vec::new();
    for work in work {
        let work = work.clone();
        let event = Event::RetryRequested(RetryRequested { work });
        let envelope = open::operator()?.say(event);
        open::say(view, opened, &envelope).await?;
        events.push(envelope.id);
    }
    Ok(events)
}

/// Whether a retry was taken up.
fn is_open(fleet: &Fleet, work: &WorkKey) -> bool {
    let run = fleet.runs.get(&work.run);
    let state = run.and_then(|run| run.tasks.get(&work.task));
    state.is_some_and(|state| state.before_retry >= work.attempt)
}

async fn further(
    settings: &Settings,
    view: &FleetView,
    opened: &Opened,
    of: RunId,
    kind: RunKind,
    wanted: BTreeMap<GuestName, PlatformName>,
) -> anyhow::Result<Said> {
    let mut guests = BTreeMap::new();
    for name in wanted.into_keys() {
        match settings.guest(&name) {
            Ok(guest) => {
                guests.insert(name, guest.platform.clone());
            }
            Err(_) => eprintln!("{name} is no guest of the configuration any more, and left out."),
        }
    }
    if guests.is_empty() {
        let text = format!("no guest of run {of} that lacks something is in the configuration");
        return Err(NotThere(text).into());
    }
    let run = RunId::generate();
    let names: Vec<GuestName> = guests.keys().cloned().collect();
    let rollout = settings.rollout(&names);
    let event = Event::RunRequested(RunRequested {
        run,
        kind,
        guests,
        force: false,
        // The same state of the ebuild repositories, so that what is built fits.
        sync: ToSync::default(),
        more_rounds: MORE_ROUNDS,
        follows: None,
        retries: 0,
        rollout,
        schedule: None,
    });
    let envelope = open::operator()?.say(event);
    open::say(view, opened, &envelope).await?;
    let words = words::further(run, of, &names);
    let document = RetryDocument {
        of: Some(of),
        guests: names,
        events: vec![envelope.id],
        ..document(Action::Run, Some(run))
    };
    Ok(Said { document, words })
}

/// A run that cleans its builders ends soon, where somebody works on it.
async fn wait_for_the_end(settings: &Settings, view: &FleetView, run: RunId) -> anyhow::Result<()> {
    if settings.broker.is_some() {
        let over = view.wait_until(|fleet| fleet.is_over(run));
        if let Ok(over) = tokio::time::timeout(BROKER_LIMIT, over).await {
            return Ok(over?);
        }
    }
    anyhow::bail!(words::ending(run))
}
