use std::io::Write as _;
use std::process::{Command, Stdio};

use gentoo_updater_fleet::inspect::{PlanProgress, PlanView};
use gentoo_updater_fleet::message::Event;
use gentoo_updater_fleet::report::{BarrierReport, UnapprovedReport};
use gentoo_updater_fleet::state::Fleet;

use super::{dot, table};
use crate::testing::{self, batch, built, claimed, failed, golden, golden_text, now, run_of_batch};

/// Some time in the middle: `lib` is built, `app` with ssl is worked on, the other one failed, the
/// ring has not begun.
fn half() -> Fleet {
    let mut events: Vec<(i64, Event)> = batch().into_iter().map(|event| (500, event)).collect();
    let fleet = testing::fleet(&events);
    let jobs = fleet.runs[&run_of_batch()].jobs.clone().unwrap();
    let mut apps = jobs
        .values()
        .filter(|job| job.key.cpv.to_string() == "a/app-2");
    let lib = testing::job_of_batch(&fleet, "a/lib-2");
    events.push((300, built(&lib, 90_000)));
    events.push((120, claimed(apps.next().unwrap())));
    events.push((60, failed(apps.next().unwrap())));
    testing::fleet(&events)
}

fn view(fleet: &Fleet) -> PlanView {
    PlanView::of(fleet, &fleet.runs[&run_of_batch()])
}

#[test]
fn a_plan_is_shown_with_what_was_guessed_what_is_critical_and_which_ring_was_broken() {
    let view = view(&half());
    golden("plan", &view);
    golden_text("plan.txt", &table::text(&view, now()));
}

#[test]
fn a_plan_names_what_goes_first_and_what_waits_for_an_approval_before_its_jobs() {
    let guests = || ["db", "web"].map(|name| name.parse().unwrap()).into();
    let mut view = view(&half());
    view.barriers = vec![BarrierReport {
        package: "a/lib-2".parse().unwrap(),
        why: "another subslot".to_owned(),
        guests: guests(),
    }];
    view.unapproved = vec![UnapprovedReport {
        package: "a/app-2".parse().unwrap(),
        guests: guests(),
    }];
    let text = table::text(&view, now());
    let jobs = text.find("JOB").unwrap();
    for words in [
        "First, as a step of its own: a/lib-2: another subslot, for 2 guests; the rest follows by itself",
        "Not without an approval: a/app-2: cannot be undone on 2 guests; `gentoo-updater approve package \
         =a/app-2` lets it come.\n",
    ] {
        let place = text.find(words);
        assert!(place.is_some_and(|place| place < jobs), "{words}:\n{text}");
    }
}

#[test]
fn a_graph_tells_needs_progress_and_the_critical_path() {
    golden_text("plan.dot", &dot::graph(&view(&half())));
}

#[test]
fn a_graph_is_the_same_text_each_time() {
    assert_eq!(dot::graph(&view(&half())), dot::graph(&view(&half())));
}

#[test]
fn graphviz_draws_a_graph_and_finds_nothing_wrong_with_it() {
    let mut child = Command::new("dot")
        .arg("-Tsvg")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("dot, of graphviz: tests/setup.sh installs it");
    let text = dot::graph(&view(&half()));
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let drawn = child.wait_with_output().unwrap();
    let complaints = String::from_utf8_lossy(&drawn.stderr);
    assert!(
        drawn.status.success() && complaints.is_empty(),
        "{complaints}"
    );
    let svg = String::from_utf8_lossy(&drawn.stdout);
    assert_eq!(svg.matches(r#"class="node""#).count(), 6);
    assert!(svg.contains(">a/app&#45;2<"), "{svg}");
}

#[test]
fn a_run_without_a_batch_tells_what_it_waits_for() {
    let events = batch().into_iter().take(2).map(|event| (500, event));
    let fleet = testing::fleet(&events.collect::<Vec<_>>());
    let words = table::not_planned(&view(&fleet));
    assert!(words.ends_with("it waits for scan of web."), "{words}");
}

#[test]
fn a_plan_tells_what_builds_need_of_a_machine_and_who_could_not_be_asked() {
    let mut view = view(&half());
    view.not_asked = vec!["db".parse().unwrap()];
    for job in &mut view.jobs {
        job.progress = PlanProgress::Ready;
        job.needs.memory_megabytes = Some(16_000);
    }
    view.jobs[0].too_large = true;
    let text = table::text(&view, now());
    for words in [
        "Without db, which could not be asked",
        "ready, needs 16000 MB of memory",
        "ready, and no builder has the 16000 MB of memory that it needs",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    view.jobs.clear();
    let text = table::text(&view, now());
    assert!(
        text.contains("nothing is to be built") && text.contains("Without db"),
        "{text}"
    );
}
