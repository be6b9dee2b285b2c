use std::collections::BTreeSet;

use gentoo_updater_fleet::inspect::{TraceSpan, TraceView};
use gentoo_updater_fleet::message::{CommandIssued, Event, WorkKey, WorkStarted};
use gentoo_updater_fleet::state::Fleet;
use serde_json::Value;

use super::{otlp, waterfall};
use crate::testing::{self, batch, built, claimed, failed, golden, golden_text, now, run_of_batch};

/// Some time in the middle: `lib` is built by the first builder after all, which had fallen silent so that
/// another one was told to; one `app` is worked on. The other one failed before anybody said that it was
/// begun, so nothing is known of its times.
fn half() -> Fleet {
    let mut events: Vec<(i64, Event)> = batch().into_iter().map(|event| (500, event)).collect();
    let fleet = testing::fleet(&events);
    let jobs = fleet.runs[&run_of_batch()].jobs.clone().unwrap();
    let mut apps = jobs
        .values()
        .filter(|job| job.key.cpv.to_string() == "a/app-2");
    let lib = testing::job_of_batch(&fleet, "a/lib-2");
    let Event::WorkStarted(WorkStarted { work, .. }) = claimed(&lib) else {
        panic!("a claim");
    };
    let issued = |attempt| {
        let work = WorkKey {
            attempt,
            ..work.clone()
        };
        Event::CommandIssued(CommandIssued {
            command: "6b1f4f0e-53c7-5f9b-9d0e-0d5a6f1b7c21".parse().unwrap(),
            work,
            queue: "build.default".to_owned(),
        })
    };
    let started = |attempt, worker: &str| {
        Event::WorkStarted(WorkStarted {
            work: WorkKey {
                attempt,
                ..work.clone()
            },
            worker: worker.parse().unwrap(),
            builder: None,
        })
    };
    events.push((480, issued(1)));
    events.push((470, started(1, "builder@spare")));
    events.push((400, issued(2)));
    events.push((390, started(2, "builder@b1")));
    events.push((300, built(&lib, 90_000)));
    events.push((120, claimed(apps.next().unwrap())));
    events.push((60, failed(apps.next().unwrap())));
    testing::fleet(&events)
}

fn view() -> TraceView {
    let fleet = half();
    TraceView::of(&fleet, &fleet.runs[&run_of_batch()])
}

#[test]
fn a_run_is_shown_with_what_waited_what_was_lost_and_what_goes_on() {
    let view = view();
    golden("trace", &view);
    golden_text("trace.txt", &waterfall::text(&view, now()));
}

fn ids<'a>(span: &'a TraceSpan, ids: &mut Vec<&'a str>) {
    ids.push(&span.span_id);
    span.children.iter().for_each(|child| self::ids(child, ids));
}

#[test]
fn no_two_spans_of_a_trace_have_the_same_id() {
    let view = view();
    let mut all = Vec::new();
    ids(&view.rounds[0].root, &mut all);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
}

#[test]
fn tracing_systems_get_what_has_ended_each_below_a_span_of_its_trace() {
    let view = view();
    let document = otlp::document(&view);
    golden("trace-otlp", &document);
    let mut known = Vec::new();
    ids(&view.rounds[0].root, &mut known);
    let services = document["resourceSpans"].as_array().unwrap();
    let spans = services
        .iter()
        .flat_map(|service| service["scopeSpans"][0]["spans"].as_array().unwrap());
    for span in spans {
        let text = |key: &str| span[key].as_str().unwrap();
        assert_eq!(text("traceId").len(), 32);
        assert!(known.contains(&text("spanId")) && known.contains(&text("parentSpanId")));
        let nanoseconds = |key: &str| text(key).parse::<i128>().unwrap();
        assert!(nanoseconds("startTimeUnixNano") <= nanoseconds("endTimeUnixNano"));
        let is_open = |value: &Value| value.as_str() == Some("a/app-2");
        let about = &span["attributes"][2]["value"]["stringValue"];
        assert!(!is_open(about) || span["status"]["code"] == 2, "{span}");
    }
}
