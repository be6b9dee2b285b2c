use std::collections::BTreeSet;

use gentoo_updater_fleet::inspect::{Signs, workers};
use gentoo_updater_fleet::message::{Envelope, Event, PauseRequested, PauseTarget, Role};
use gentoo_updater_fleet::report::paused;
use gentoo_updater_fleet::state::Fleet;

use super::WorkersDocument;
use super::table::{pauses_of_nobody, text};
use crate::testing::{before, event, fleet, golden, now};

/// builder@b1 came up 10 min ago and builds dev-libs/libbeta for 2.
fn history(further: &[(i64, Event)]) -> Fleet {
    let mut events: Vec<(i64, Event)> = [
        (700, "RunRequested"),
        (600, "WorkerRegistered"),
        (490, "BatchPlanned"),
        (240, "CommandIssued"),
        (120, "WorkStarted"),
    ]
    .map(|(seconds, kind)| (seconds, event(kind)))
    .into();
    events.extend_from_slice(further);
    fleet(&events)
}

fn heard() -> Signs {
    let mut signs = Signs::nobody_heard();
    for (seconds, kind) in [(4, "WorkerAlive"), (1, "PlannerAlive")] {
        let sender = "test@1".parse().unwrap();
        signs.hear(&Envelope::new(sender, before(seconds), event(kind)));
    }
    signs
}

#[test]
fn a_busy_worker_shows_its_work_and_for_how_long() {
    let table = text(&workers(&history(&[]), &heard()), now());
    assert_eq!(
        table,
        "WORKER      STATE  LAST SEEN  WHAT\n\
         planner@1   idle   1 s ago    -\n\
         builder@b1  busy   4 s ago    build dev-libs/libbeta-1.0 for g1, for 2 min\n\
         \u{20}                             its bus: low on memory\n"
    );
}

#[test]
fn a_paused_worker_shows_its_work_who_paused_it_and_what_is_wrong_with_its_machine() {
    let own = Event::PauseRequested(PauseRequested {
        target: PauseTarget::Worker("builder@b1".parse().unwrap()),
        reason: None,
    });
    let further = [
        (60, event("PauseRequested")),
        (50, own),
        (40, event("WorkerPaused")),
    ];
    let fleet = history(&further);
    let views = workers(&fleet, &heard());
    assert_eq!(
        text(&views[1..], now()),
        "WORKER      STATE   LAST SEEN  WHAT\n\
         builder@b1  paused  4 s ago    build dev-libs/libbeta-1.0 for g1, for 2 min\n\
         \u{20}                              its bus: low on memory\n\
         \u{20}                              paused by test@1 50 s ago\n\
         \u{20}                              every builder is paused by test@1 1 min ago: the room is too hot\n\
         \u{20}                              machine b1 is unfit: CompileFailure: it does not work\n"
    );
    golden(
        "workers",
        &WorkersDocument {
            listened_seconds: Some(12),
            process: None,
            workers: views,
            pauses: paused(&fleet),
        },
    );
}

#[test]
fn a_pause_of_whom_nobody_has_seen_is_told_below_the_workers() {
    let pause = |target, reason: Option<&str>| {
        Event::PauseRequested(PauseRequested {
            target,
            reason: reason.map(str::to_owned),
        })
    };
    let b2 = PauseTarget::Worker("builder@b2".parse().unwrap());
    let fleet = history(&[
        (60, event("PauseRequested")),
        (
            50,
            pause(PauseTarget::Role(Role::Janitor), Some("new\ndisks")),
        ),
        (40, pause(b2, None)),
    ]);
    let views = workers(&fleet, &heard());
    assert_eq!(
        pauses_of_nobody(&paused(&fleet), &views, now()),
        "every janitor is paused by test@1 50 s ago: new disks (no janitor has come up)\n\
         builder@b2 is paused by test@1 40 s ago (it has not come up)\n"
    );
}

#[test]
fn a_silent_worker_shows_when_it_came_up_and_what_it_still_holds() {
    let table = text(
        &workers(&history(&[]), &Signs::Process(BTreeSet::new())),
        now(),
    );
    assert_eq!(
        table,
        "WORKER      STATE   LAST SEEN  WHAT\n\
         builder@b1  silent  2 min ago  last came up 10 min ago\n\
         \u{20}                              claimed 2 min ago and without a result: \
         build dev-libs/libbeta-1.0 for g1\n"
    );
}
