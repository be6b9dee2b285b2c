//! What is packaged for Prometheus and Grafana fits what the programs serve: `docs/reference/metrics.md`
//! says what that is, and is compared with the programs by a test of `cli`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use gentoo_updater_tests::assertions::metrics::described;
use serde_json::Value;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn text_of(path: &str) -> String {
    let path = repository().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn promtool(arguments: &[&str]) -> String {
    let output = Command::new("promtool")
        .args(arguments)
        .current_dir(repository())
        .output()
        .expect("promtool, which tests/setup.sh installs");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "promtool {arguments:?}: {said}");
    said
}

/// Our metrics that an expression names, as they are described: of a histogram not its parts.
fn named_in(expression: &str) -> BTreeSet<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = expression.split(|c| !is_word(c));
    let ours = words.filter(|word| {
        let is_ours = word.starts_with("gentoo_updater_") || word.starts_with("process_");
        is_ours && *word != "gentoo_updater_"
    });
    let metric = |word: &str| {
        let parts = ["_bucket", "_sum", "_count"];
        let whole = parts.iter().find_map(|part| word.strip_suffix(part));
        whole.unwrap_or(word).to_owned()
    };
    ours.map(metric).collect()
}

fn all_are_described(named: &BTreeSet<String>, place: &str) {
    let described = described();
    let unknown: Vec<&String> = named
        .iter()
        .filter(|name| !described.contains_key(*name))
        .collect();
    assert!(unknown.is_empty(), "{place} names {unknown:?}");
}

#[test]
fn alerts_are_good_rules_and_fire_when_they_are_to() {
    promtool(&["check", "rules", "packaging/prometheus/alerts.yml"]);
    for tests in ["alerts_test.yml", "alerts_of_days_test.yml"] {
        let path = format!("tests/tests/monitoring/{tests}");
        promtool(&["test", "rules", &path]);
    }
}

#[test]
fn the_configuration_for_prometheus_is_one_and_finds_the_rules() {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = repository().join("packaging/prometheus/alerts.yml");
    let rules = rules.canonicalize().expect("the rules are there");
    let installed = "/etc/prometheus/gentoo-updater/alerts.yml";
    let configuration = text_of("packaging/prometheus/scrape.yml");
    assert!(configuration.contains(installed), "{configuration}");
    let path = folder.path().join("prometheus.yml");
    let here = configuration.replace(installed, &rules.display().to_string());
    std::fs::write(&path, here).expect("a configuration is written");
    let said = promtool(&["check", "config", &path.display().to_string()]);
    let number = text_of("packaging/prometheus/alerts.yml")
        .matches("- alert: ")
        .count();
    assert!(number > 0, "there are alerts");
    assert!(said.contains(&format!("{number} rules found")), "{said}");
}

#[test]
fn every_alert_names_metrics_that_there_are_and_says_what_to_do() {
    let program = "import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))";
    let path = repository().join("packaging/prometheus/alerts.yml");
    let output = Command::new("python3")
        .args(["-c", program])
        .stdin(std::fs::File::open(path).expect("the rules"))
        .output()
        .expect("python3");
    let rules: Value = serde_json::from_slice(&output.stdout).expect("rules as JSON");
    let tested = text_of("tests/tests/monitoring/alerts_test.yml")
        + &text_of("tests/tests/monitoring/alerts_of_days_test.yml");
    let rules = rules["groups"][0]["rules"].as_array().expect("rules");
    for rule in rules {
        let name = rule["alert"].as_str().expect("a name");
        let named = named_in(rule["expr"].as_str().expect("an expression"));
        all_are_described(&named, name);
        assert!(
            tested.contains(&format!("\"{name}\"")),
            "{name} has no test"
        );
        for annotation in ["summary", "description", "runbook"] {
            let words = rule["annotations"][annotation].as_str();
            assert!(
                words.is_some_and(|words| words.len() > 10),
                "{name} has no {annotation}"
            );
        }
        let severity = rule["labels"]["severity"].as_str();
        assert!(matches!(severity, Some("page" | "ticket")), "{name}");
    }
}

fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match (key.as_str(), value) {
                    ("expr" | "definition" | "query", Value::String(text)) => {
                        found.push(text.clone());
                    }
                    _ => expressions(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

#[test]
fn the_dashboard_names_metrics_that_there_are_in_expressions_that_prometheus_takes() {
    let dashboard: Value = serde_json::from_str(&text_of("packaging/grafana/gentoo-updater.json"))
        .expect("a dashboard is JSON");
    let mut found = Vec::new();
    expressions(&dashboard, &mut found);
    let named: BTreeSet<String> = found.iter().flat_map(|text| named_in(text)).collect();
    assert!(named.len() > 20, "{named:?}");
    all_are_described(&named, "the dashboard");

    // As rules of recording, which promtool can check.
    let mut rules = "groups:\n  - name: dashboard\n    rules:\n".to_owned();
    let expressions = found.iter().filter(|text| !named_in(text).is_empty());
    for (number, text) in expressions
        .filter(|text| !text.starts_with("label_values("))
        .enumerate()
    {
        let text = text.replace("$__rate_interval", "5m").replace("$job", ".*");
        let text = serde_json::to_string(&text).expect("a string");
        rules.push_str(&format!(
            "      - record: panel_{number}\n        expr: {text}\n"
        ));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("rules.yml");
    std::fs::write(&path, rules).expect("rules are written");
    promtool(&["check", "rules", &path.display().to_string()]);
}

#[test]
fn each_metric_of_the_fleet_is_shown_or_watched() {
    let shown = text_of("packaging/grafana/gentoo-updater.json")
        + &text_of("packaging/prometheus/alerts.yml");
    let shown = named_in(&shown);
    // What is there for who looks closer.
    let left_out = [
        "gentoo_updater_history_events_read",
        "gentoo_updater_history_left_out_events",
        "gentoo_updater_bus_messages_published_total",
        "gentoo_updater_bus_messages_delivered_total",
        "gentoo_updater_bus_dead_letters_total",
        "gentoo_updater_work_begun_total",
        "gentoo_updater_work_retried_total",
        "gentoo_updater_work_resumed_total",
        "gentoo_updater_notifier_tries_total",
        "gentoo_updater_store_request_duration_seconds",
        "gentoo_updater_store_connections",
        "gentoo_updater_store_refused_connections_total",
        "process_virtual_memory_bytes",
        "process_threads",
    ];
    for name in described().keys() {
        let is_left_out = left_out.contains(&name.as_str());
        assert_ne!(shown.contains(name), is_left_out, "{name}");
    }
}
