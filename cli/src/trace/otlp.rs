//! A trace in the file form of OpenTelemetry: `TracesData` of OTLP as JSON
//! (<https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/>).
//!
//! Only what has ended is in it: whoever takes spans takes them for whole. The ids are the same each
//! time, so a run that is sent again when it is over replaces itself.

use std::collections::BTreeMap;

use gentoo_updater_fleet::inspect::{RunTrace, SpanStatus, TraceSpan, TraceView};
use gentoo_updater_fleet::trace::{SpanId, TraceId};
use serde_json::{Value, json};

/// `SPAN_KIND_INTERNAL` and `SPAN_KIND_CONSUMER`.
const INTERNAL: u8 = 1;
const CONSUMER: u8 = 5;
/// `STATUS_CODE_OK` and `STATUS_CODE_ERROR`.
const OK: u8 = 1;
const ERROR: u8 = 2;

/// All spans that have ended, by the program that they stand for.
pub(super) fn document(view: &TraceView) -> Value {
    let mut services: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for round in &view.rounds {
        collect(&mut services, round, &round.root, None);
    }
    let resource = |(service, spans): (&str, Vec<Value>)| {
        let version = env!("CARGO_PKG_VERSION");
        json!({
            "resource": {"attributes": [
                text("service.name", service),
                text("service.version", version),
            ]},
            "scopeSpans": [{
                "scope": {"name": "gentoo-updater", "version": version},
                "spans": spans,
            }],
        })
    };
    let resources: Vec<Value> = services.into_iter().map(resource).collect();
    json!({ "resourceSpans": resources })
}

fn collect(
    services: &mut BTreeMap<&'static str, Vec<Value>>,
    round: &RunTrace,
    span: &TraceSpan,
    parent: Option<&TraceSpan>,
) {
    if let Some(written) = written(round, span, parent) {
        services.entry(service(span)).or_default().push(written);
    }
    for child in &span.children {
        collect(services, round, child, Some(span));
    }
}

fn written(round: &RunTrace, span: &TraceSpan, parent: Option<&TraceSpan>) -> Option<Value> {
    let end = span.end?;
    let mut written = json!({
        "traceId": round.trace_id,
        "spanId": span.span_id,
        "name": name(span),
        "kind": if span.level == "attempt" { CONSUMER } else { INTERNAL },
        // Numbers of 64 bits are strings in JSON of protocol buffers.
        "startTimeUnixNano": span.start.as_nanosecond().to_string(),
        "endTimeUnixNano": end.as_nanosecond().to_string(),
        "attributes": attributes(round, span),
        "status": status(span),
    });
    if let Some(parent) = parent {
        written["parentSpanId"] = json!(parent.span_id);
    } else if let Some(before) = round.follows {
        written["links"] = json!([{
            "traceId": TraceId::of(before).to_string(),
            "spanId": SpanId::of_run(before).to_string(),
        }]);
    }
    Some(written)
}

/// Of few different words, as those who read them ask for: what it is about is an attribute.
fn name(span: &TraceSpan) -> String {
    match span.level {
        "run" => span.level.to_owned(),
        "phase" => span.kind.to_owned(),
        level => format!("{} {level}", span.kind),
    }
}

fn service(span: &TraceSpan) -> &'static str {
    match (span.level, span.kind) {
        ("attempt", "scan") => "gentoo-updater-scanner",
        ("attempt", "build" | "search") => "gentoo-updater-builder",
        ("attempt", "install") => "gentoo-updater-installer",
        ("attempt", "sync" | "clean" | "collect") => "gentoo-updater-janitor",
        _ => "gentoo-updater-planner",
    }
}

fn attributes(round: &RunTrace, span: &TraceSpan) -> Vec<Value> {
    let mut attributes = vec![
        text("gentoo_updater.run", &round.run.to_string()),
        text("gentoo_updater.kind", span.kind),
        text("gentoo_updater.subject", &span.name),
    ];
    if let Some(attempt) = span.attempt {
        let attempt = attempt.to_string();
        attributes.push(json!({
            "key": "gentoo_updater.attempt",
            "value": {"intValue": attempt},
        }));
    }
    if let Some(worker) = &span.worker {
        attributes.push(text("gentoo_updater.worker", worker.as_str()));
    }
    if let Some(cause) = &span.cause {
        attributes.push(text("error.type", cause));
    }
    attributes
}

fn status(span: &TraceSpan) -> Value {
    match span.status {
        SpanStatus::Open => json!({}),
        SpanStatus::Done => json!({"code": OK}),
        SpanStatus::Failed => {
            json!({"code": ERROR, "message": span.cause.clone().unwrap_or_default()})
        }
        SpanStatus::Lost => json!({"code": ERROR, "message": "its worker fell silent"}),
    }
}

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}
