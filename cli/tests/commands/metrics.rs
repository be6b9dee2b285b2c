//! The reference of all metrics is what the programs describe.

use std::collections::BTreeSet;
use std::path::Path;

use gentoo_updater_runtime::monitor::meters as process;
use gentoo_updater_telemetry::{Kind, Section, Values, reference};

const INTRO: &str = "\
# Metrics

What `/metrics` serves, by the name of each metric. Durations are in seconds, sizes in bytes, times in \
seconds since 1970-01-01 UTC. A counter begins with 0 when its process starts, so look at \
`rate(…)` or `increase(…)` of it. A histogram NAME is served as `NAME_bucket`, `NAME_sum` and \
`NAME_count`, as soon as something was observed. No label names a package, a run or a guest: how many \
there are has no bound; `gentoo-updater status` and `gentoo-updater trace` tell of them.

This page is written by `UPDATE_GOLDEN=1 cargo test -p gentoo-updater-cli --test commands metrics`.
";

const SECTIONS: [Section; 7] = [
    Section {
        title: "The process",
        served_by: "Served by every program that is started with `--metrics`.",
        metrics: process::PROCESS,
    },
    Section {
        title: "Connection and history",
        served_by: "Served by every worker and by `gentoo-updater run`, `scan`, `schedule serve` and `dashboard`. \
                    Without a broker the bus is in the process, and always connected. A guest's own agent \
                    does not read the history.",
        metrics: process::CONNECTED,
    },
    Section {
        title: "Messages",
        served_by: "Served by the same.",
        metrics: gentoo_updater_bus::meters::METRICS,
    },
    Section {
        title: "Work",
        served_by: "Served by scanners, builders, installers and janitors, and by `gentoo-updater run` \
                    and `schedule serve` without a broker, which are all of them.",
        metrics: gentoo_updater_bus::worker::meters::METRICS,
    },
    Section {
        title: "The planner and the fleet",
        served_by: "Served by planners, and by `gentoo-updater run` and `schedule serve` without a broker. Each planner \
                    knows the whole state of the fleet, also one that only stands by: take `max` over \
                    them, and not `sum`.",
        metrics: gentoo_updater_planner::meters::METRICS,
    },
    Section {
        title: "Notifications",
        served_by: "Served by notifiers.",
        metrics: gentoo_updater_notifier::meters::METRICS,
    },
    Section {
        title: "The server of stores",
        served_by: "Served by `gentoo-updater store serve`.",
        metrics: gentoo_updater_server::meters::METRICS,
    },
];

#[test]
fn the_reference_has_each_metric_as_the_programs_describe_it() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/metrics.md");
    let written = format!("{INTRO}{}", reference(&SECTIONS));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &written).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    assert_eq!(written, kept, "not as in {}", path.display());
}

/// <https://prometheus.io/docs/practices/naming/>
#[test]
fn names_follow_the_rules_of_prometheus() {
    let mut names = BTreeSet::new();
    for metric in SECTIONS.iter().flat_map(|section| section.metrics) {
        let name = metric.name;
        assert!(names.insert(name), "{name} is there twice");
        let is_character = |c: char| c.is_ascii_lowercase() || c == '_';
        assert!(name.chars().all(is_character), "{name}");
        let has_prefix = name.starts_with("gentoo_updater_") || name.starts_with("process_");
        assert!(has_prefix, "{name}");
        let is_counter = metric.kind == Kind::Counter;
        assert_eq!(name.ends_with("_total"), is_counter, "{name}");
        if metric.kind == Kind::Histogram {
            assert!(name.ends_with("_seconds"), "{name}");
        }
        for unit in ["_ms", "_milliseconds", "_minutes", "_megabytes", "_percent"] {
            assert!(!name.contains(unit), "{name} has no base unit");
        }
        assert!(
            !metric.help.is_empty() && !metric.help.ends_with('.'),
            "{name}"
        );
        assert!(!metric.help.contains(['|', '\n']), "{name}");
    }
}

#[test]
fn no_label_has_values_without_bound() {
    for metric in SECTIONS.iter().flat_map(|section| section.metrics) {
        let mut series = 1;
        for label in metric.labels {
            match label.values {
                Values::Of(values) => series *= values.len(),
                // Those of a configuration are few.
                Values::Named(_) => {
                    let known = ["platform", "program", "version"];
                    assert!(known.contains(&label.name), "{}", metric.name);
                }
            }
        }
        assert!(series <= 50, "{} has {series} series", metric.name);
    }
}
