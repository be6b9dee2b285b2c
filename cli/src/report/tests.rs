use gentoo_updater_fleet::message::{Event, FailureClass};
use gentoo_updater_fleet::report::Report;

use crate::testing::{batch, built, event, failed, fleet, golden_text, job_of_batch, run_of_batch};

/// A run in which something was built, something failed with words of a machine, and a builder is unfit.
fn report() -> Report {
    let mut events: Vec<(i64, Event)> = batch().into_iter().map(|event| (600, event)).collect();
    let state = fleet(&events);
    events.push((300, built(&job_of_batch(&state, "a/lib-2"), 65_000)));
    let mut failure = failed(&job_of_batch(&state, "a/doc-1"));
    if let Event::BuildFailed(failed) = &mut failure {
        failed.failure.message = "a/doc-1 could not be built: <b> & `make` said \"no\"".to_owned();
        let lines = [
            "main.c:1: error: 'x' <undeclared>",
            "\u{1b}[31mred\u{1b}[0m",
        ];
        let lines = lines.map(str::to_owned).into();
        failed.failure = failed
            .failure
            .clone()
            .with_log(lines, "b1:/var/log/doc.log");
    }
    events.push((200, failure));
    events.push((100, event("WorkerRegistered")));
    events.push((90, event("WorkerPaused")));
    let state = fleet(&events);
    Report::of(&state, &state.runs[&run_of_batch()])
}

#[test]
fn one_outline_is_written_as_text_as_markdown_and_as_a_page() {
    let outline = report()
        .outline()
        .with_notices(&["2 dead letters: see `gentoo-updater dead list`".to_owned()]);
    let (text, markdown, page) = (outline.to_text(), outline.to_markdown(), outline.to_html());
    golden_text("report.txt", &text);
    golden_text("report.md", &markdown);
    golden_text("report.html", &page);
    for text in [text, markdown, page] {
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}

#[test]
fn a_page_fetches_nothing_and_has_no_script() {
    let page = report().outline().to_html();
    for part in [
        "<script", "http://", "https://", "url(", "@import", "src=", "onload",
    ] {
        assert!(!page.contains(part), "{part} is in {page}");
    }
    assert!(page.contains("prefers-color-scheme: dark"), "{page}");
    assert!(page.contains("&lt;b&gt; &amp; <code>make</code>"), "{page}");
}

#[test]
fn programs_are_told_of_each_failure_with_the_next_step() {
    let document = serde_json::to_value(report()).unwrap();
    let failures = document["failures"].as_array().unwrap();
    let told: Vec<_> = failures
        .iter()
        .map(|it| (it["step"].as_str().unwrap(), it["cause"].as_str().unwrap()))
        .collect();
    assert_eq!(told[0], ("build", "CompileFailure"));
    assert_eq!(told[1].0, "machine");
    for failure in failures {
        assert!(
            !failure["next_step"].as_str().unwrap().is_empty(),
            "{failure}"
        );
        let class: FailureClass = serde_json::from_value(failure["class"].clone()).unwrap();
        assert_ne!(class, FailureClass::Transient);
    }
}
