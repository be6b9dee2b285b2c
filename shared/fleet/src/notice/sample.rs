//! Notices that could come, for trials: so that what is made of one is known before it comes. Pure.

use std::collections::BTreeSet;
use std::str::FromStr;

use jiff::Timestamp;

use super::{Attention, Notice, Occasion, Subject, key_of};
use crate::config::Settings;
use crate::message::{
    Envelope, Event, Failure, FailureClass, GuestScanned, Identity, MissedCause, OccurrencesMissed,
    RunFinished, RunKind, RunOutcome, ScanFailed,
};
use crate::name::{InvalidName, RunId, WorkerId};
use crate::report::Report;
use crate::request::Request;
use crate::state::Fleet;

/// A notice that could come.
#[derive(Debug, Clone)]
pub struct Sample {
    /// It.
    pub notice: Notice,
    /// The report of its run, where it is about one.
    pub report: Option<Report>,
}

/// One notice of each kind that who is told at these occasions could get, as if it had come of this fleet at this
/// time.
///
/// # Errors
/// When a name cannot be one, which is a mistake of this function.
pub fn samples(
    settings: &Settings,
    on: &BTreeSet<Occasion>,
    at: Timestamp,
) -> Result<Vec<Sample>, InvalidName> {
    let samples = [
        of_run(settings, Occasion::Finished, at)?,
        of_run(settings, Occasion::Failed, at)?,
        of_attention(),
        of_missed(settings, at)?,
    ];
    let wanted = samples
        .into_iter()
        .filter(|sample| sample.notice.is_wanted(on));
    Ok(wanted.collect())
}

/// Of a run of all guests: they were asked, and where it failed the first of them could not be.
fn of_run(settings: &Settings, occasion: Occasion, at: Timestamp) -> Result<Sample, InvalidName> {
    let run = RunId::generate();
    let guests = settings.guests.iter();
    let guests = guests.map(|(name, guest)| (name.clone(), guest.platform.clone()));
    let request = Request {
        kind: RunKind::Update,
        guests: guests.collect(),
        force: false,
        sync: Default::default(),
        rollout: settings.rollout(settings.guests.keys()),
    };
    let has_failed = occasion == Occasion::Failed;
    let answers = settings.guests.keys().enumerate();
    let answers = answers.map(|(place, guest)| match has_failed && place == 0 {
        true => Event::ScanFailed(ScanFailed {
            run,
            guest: guest.clone(),
            attempt: 1,
            failure: Failure::new(
                FailureClass::Permanent,
                "Unreachable",
                "nothing has failed: this is a trial",
            ),
        }),
        false => Event::GuestScanned(GuestScanned {
            run,
            guest: guest.clone(),
            attempt: 1,
            identity: Identity::default(),
            updates: Vec::new(),
            installed: Vec::new(),
            findings: Vec::new(),
            unchanged_since: None,
            unsettled: false,
        }),
    });
    let finished = Event::RunFinished(RunFinished {
        run,
        outcome: match has_failed {
            true => RunOutcome::WithFailures,
            false => RunOutcome::Complete,
        },
        retries: 0,
    });
    let (mut fleet, sender) = (Fleet::default(), WorkerId::from_str("planner@trial")?);
    let events = std::iter::once(Event::RunRequested(request.requested(run, None)))
        .chain(answers)
        .chain([finished]);
    for (offset, event) in (0..).zip(events) {
        fleet.apply(offset, &Envelope::new(sender.clone(), at, event));
    }
    let report = fleet.runs.get(&run).map(|run| Report::of(&fleet, run));
    let notice = Notice {
        key: key_of(run),
        occasion,
        subject: Subject::Run(run),
    };
    Ok(Sample { notice, report })
}

fn of_attention() -> Sample {
    let attention = Attention {
        what: "nothing: this is a trial, asked for by `gentoo-updater notify test`".to_owned(),
        remedy: "nothing".to_owned(),
    };
    Sample {
        notice: Notice {
            key: "trial".to_owned(),
            occasion: Occasion::NeedsAttention,
            subject: Subject::Attention(attention),
        },
        report: None,
    }
}

fn of_missed(settings: &Settings, at: Timestamp) -> Result<Sample, InvalidName> {
    let schedule = match settings.schedules.keys().next() {
        Some(name) => name.clone(),
        None => "nightly".parse()?,
    };
    let missed = OccurrencesMissed {
        schedule,
        first: at,
        last: at,
        count: 1,
        cause: MissedCause::NobodyThere,
    };
    Ok(Sample {
        notice: Notice {
            key: "trial".to_owned(),
            occasion: Occasion::Missed,
            subject: Subject::Missed(missed),
        },
        report: None,
    })
}
