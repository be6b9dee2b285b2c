use gentoo_updater_dashboard::view::Overview;
use gentoo_updater_fleet::inspect::PlanProgress;
use gentoo_updater_fleet::report::GuestOutcome;

use super::*;

fn look(history: &History) -> Overview {
    Overview::of(&history.fleet, &configured(), history.now())
}

#[test]
fn every_guest_of_the_configuration_is_there_also_one_that_no_run_has() {
    let overview = look(&planned());
    let outcomes: Vec<_> = overview.guests.values().map(|cell| cell.outcome).collect();
    let building = Some(GuestOutcome::Building);
    assert_eq!(outcomes, [building, building, None]);
    let run = &overview.runs[&run_id()];
    assert_eq!(run.guests, [("Building", 2)].into());
    assert_eq!(run.jobs, [("ready", 1), ("waiting", 1)].into());
}

#[test]
fn only_what_has_moved_is_told_and_it_leads_from_one_overview_to_the_next() {
    let mut history = planned();
    let before = look(&history);
    begin(&mut history, "dev-libs/openssl-3.0");
    let claimed = look(&history).since(&before);
    assert!(claimed.guests.is_empty(), "{claimed:?}");
    let moved = &claimed.jobs[&run_id()];
    let place = history.run().graph().unwrap();
    let place = place
        .place(&history.job("dev-libs/openssl-3.0").id)
        .unwrap();
    assert!(
        matches!(moved.as_slice(), [(own, PlanProgress::Claimed { .. })] if *own == place),
        "{moved:?}"
    );
    assert_eq!(claimed.runs.len(), 1);

    let before = look(&history);
    history.say(built(&history.job("dev-libs/openssl-3.0")));
    let built = look(&history).since(&before);
    assert_eq!(
        built.jobs[&run_id()].len(),
        2,
        "the job, and what waited for it"
    );
    let (overview, mut led) = (look(&history), before);
    for (place, progress) in &built.jobs[&run_id()] {
        led.jobs.get_mut(&run_id()).unwrap()[*place] = progress.clone();
    }
    assert_eq!(led.jobs, overview.jobs);
}

#[test]
fn what_failed_has_its_cause_and_what_needs_it_is_held_back() {
    let mut history = planned();
    fail(&mut history, "dev-libs/openssl-3.0");
    let overview = look(&history);
    assert_eq!(
        overview.runs[&run_id()].jobs,
        [("failed", 1), ("held_back", 1)].into()
    );
    history.say(Event::ScanFailed(ScanFailed {
        run: run_id(),
        guest: guest("g2"),
        attempt: 1,
        failure: permanent("HostKeyChanged"),
    }));
    let mut history = History::requested(&["g2"]);
    history.say(Event::ScanFailed(ScanFailed {
        run: run_id(),
        guest: guest("g2"),
        attempt: 1,
        failure: permanent("HostKeyChanged"),
    }));
    let cell = &look(&history).guests[&guest("g2")];
    assert_eq!(cell.outcome, Some(GuestOutcome::Failed));
    assert_eq!(cell.cause.as_deref(), Some("HostKeyChanged"));
}

#[test]
fn a_guest_that_nobody_knows_any_more_is_told_to_be_gone() {
    let before = look(&planned());
    let after = Overview::of(
        &History::default().fleet,
        &configured(),
        History::default().now(),
    );
    let change = after.since(&before);
    assert_eq!(change.gone, [run_id().to_string()]);
    let without = Overview::of(
        &History::default().fleet,
        &Default::default(),
        History::default().now(),
    );
    assert_eq!(without.since(&after).gone, ["g1", "g2", "g3"]);
}
