use gentoo_updater_fleet::inspect::{Had, WhyView};
use gentoo_updater_fleet::message::Event;

use super::WhyDocument;
use super::words::text;
use crate::testing::{
    batch, built, claimed, failed, fleet, golden, golden_text, job_of_batch, now, run_of_batch,
};

/// The chain of `a/app` after its library was built, one of its jobs failed and the other goes on.
fn view() -> WhyView {
    let mut events: Vec<(i64, Event)> = batch().into_iter().map(|event| (600, event)).collect();
    let state = fleet(&events);
    let jobs = state.runs[&run_of_batch()].jobs.as_ref().unwrap();
    let mut apps = jobs
        .values()
        .filter(|job| job.key.cpv.to_string() == "a/app-2");
    let (first, second) = (apps.next().unwrap().clone(), apps.next().unwrap().clone());
    let lib = job_of_batch(&state, "a/lib-2");
    events.extend([(500, claimed(&lib)), (400, built(&lib, 65_000))]);
    events.extend([(300, claimed(&first)), (100, failed(&first))]);
    events.push((90, claimed(&second)));
    let state = fleet(&events);
    let run = &state.runs[&run_of_batch()];
    let had: Had = [("db", vec!["a/app-1"]), ("web", vec!["a/app-1"])]
        .map(|(guest, had)| {
            let had = had.into_iter().map(|cpv| cpv.parse().unwrap());
            (guest.parse().unwrap(), had.collect())
        })
        .into();
    WhyView::of(&state, run, &"a/app".parse().unwrap(), None, &had, now())
}

#[test]
fn the_chain_is_told_from_the_job_to_each_guest() {
    let view = view();
    golden_text("why.txt", &text(&view, &[run_of_batch()], now()));
    golden(
        "why",
        &WhyDocument {
            why: &view,
            other_runs: vec![run_of_batch()],
        },
    );
}

#[test]
fn guests_with_the_same_to_tell_are_told_of_together_and_nothing_commands_the_terminal() {
    let mut view = view();
    view.guests[1] = view.guests[0].clone();
    view.guests[1].guest = "web".parse().unwrap();
    view.guests[0].updates[0].because = vec!["\u{1b}[2J".to_owned()];
    view.guests[1].updates[0].because = vec!["\u{1b}[2J".to_owned()];
    let text = text(&view, &[], now());
    assert!(text.contains("\nGuests db web\n"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
}
