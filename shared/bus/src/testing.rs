//! Messages for the tests of this crate.

use std::future::Future;
use std::panic::Location;
use std::time::Duration;

use gentoo_updater_fleet::message::{
    Command, Envelope, Event, Failure, GuestScanned, Identity, RunKind, RunRequested, ScanGuest,
};
use gentoo_updater_fleet::name::{GuestName, PlatformName, RunId};
use jiff::Timestamp;

/// How long a test waits for what must happen: no limit to be met, but the end of a test that hangs.
const PATIENCE: Duration = Duration::from_secs(180);

/// Fails a test that would otherwise wait for ever, and names the line that waited.
#[track_caller]
pub(crate) fn within<F: Future>(what: F) -> impl Future<Output = F::Output> {
    let place = Location::caller();
    async move {
        match tokio::time::timeout(PATIENCE, what).await {
            Ok(output) => output,
            Err(_) => panic!("what {place} waits for did not happen within {PATIENCE:?}"),
        }
    }
}

pub(crate) fn guest() -> GuestName {
    "g1".parse().unwrap()
}

pub(crate) fn said(event: Event) -> Envelope<Event> {
    Envelope::new("operator@test".parse().unwrap(), Timestamp::now(), event)
}

pub(crate) fn run_requested(run: RunId) -> Envelope<Event> {
    let platform: PlatformName = "amd64".parse().unwrap();
    let guests = [(guest(), platform)].into();
    said(Event::RunRequested(RunRequested {
        run,
        kind: RunKind::Update,
        more_rounds: 0,
        follows: None,
        retries: 0,
        guests,
        force: false,
        sync: Default::default(),
        rollout: Default::default(),
        schedule: None,
    }))
}

pub(crate) fn scan_command(run: RunId, attempt: u32) -> Envelope<Command> {
    let command = Command::ScanGuest(ScanGuest {
        run,
        attempt,
        guest: guest(),
        force: false,
        sync: false,
    });
    Envelope::new("planner@test".parse().unwrap(), Timestamp::now(), command)
}

pub(crate) fn scanned(scan: &ScanGuest) -> Event {
    Event::GuestScanned(GuestScanned {
        run: scan.run,
        guest: scan.guest.clone(),
        attempt: scan.attempt,
        identity: Identity::default(),
        updates: Vec::new(),
        installed: Vec::new(),
        findings: Vec::new(),
        unchanged_since: None,
        unsettled: false,
    })
}

pub(crate) fn scan_failed(command: &Command, failure: Failure) -> Event {
    match command {
        Command::ScanGuest(scan) => scan.failed(failure),
        other => panic!("no test issues {}", other.kind()),
    }
}
