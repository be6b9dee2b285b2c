//! Every process of a fleet at work tells how it is: metrics that count, health, and log lines that
//! name their work.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use gentoo_updater_tests::actions;
use gentoo_updater_tests::assertions;
use gentoo_updater_tests::assertions::metrics::Scraped;
use gentoo_updater_tests::fixtures::{Process, Program, Scene, enter_netns, wait_until};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(60);
/// The processes, and the port of each.
const PLANNER: u16 = 9180;
const SCANNER: u16 = 9181;
const BUILDER: u16 = 9182;
const INSTALLER: u16 = 9183;
const JANITOR: u16 = 9184;
const STORE: u16 = 9185;
const DASHBOARD: u16 = 9186;

#[test]
fn every_process_of_a_fleet_tells_what_it_does_and_the_numbers_count() {
    let scene = Scene::with_broker(1, 1);
    actions::prepare_for_v2(&scene.lab);
    actions::slow_down(&scene.lab, "b1", 0);
    actions::want_only(&scene.lab, "g1", &["app-misc/bigdata", "app-misc/slowpoke"]);
    let workers = start(&scene);
    for (port, ..) in &workers {
        wait_until(&format!("{port} is well"), SOON, || {
            let (code, health) = health(&scene, *port);
            code == 200 && health["status"] == "pass"
        });
    }

    let run = actions::run(&scene);

    assertions::exit_code_is(&run, 0);
    let jobs = run.report["jobs"].as_array().map_or(0, Vec::len);
    assert!(jobs > 0, "{:#}", run.report);
    let planner = scrape(&scene, "planner", PLANNER);
    let builder = scrape(&scene, "builder", BUILDER);
    for (name, port, kind, times) in [
        ("scanner", SCANNER, "scan", 1.0),
        ("builder", BUILDER, "search", 1.0),
        ("installer", INSTALLER, "install", 1.0),
        ("janitor", JANITOR, "clean", 1.0),
        ("janitor", JANITOR, "collect", 1.0),
    ] {
        // The run is over before its last worker has looked up from its work.
        wait_until(&format!("{name} is idle"), SOON, || {
            let scraped = scrape(&scene, name, port);
            let busy = [
                "gentoo_updater_work_in_progress",
                "gentoo_updater_worker_slots_taken",
            ];
            busy.iter().all(|metric| scraped.sum(metric, &[]) == 0.0)
        });
        let scraped = scrape(&scene, name, port);
        // A further round asks again, and installs again only what is new.
        let of_kind = [("kind", kind)];
        let done = [("kind", kind), ("outcome", "done")];
        at_least(&scraped, "gentoo_updater_work_begun_total", &of_kind, times);
        at_least(&scraped, "gentoo_updater_work_ended_total", &done, times);
        at_least(
            &scraped,
            "gentoo_updater_work_duration_seconds_count",
            &of_kind,
            times,
        );
        at_least(
            &scraped,
            "gentoo_updater_work_wait_seconds_count",
            &of_kind,
            times,
        );
        at_least(
            &scraped,
            "gentoo_updater_claims_total",
            &[("result", "won")],
            times,
        );
        let begun = scraped.sum("gentoo_updater_work_begun_total", &of_kind);
        at_least(
            &planner,
            "gentoo_updater_planner_commands_issued_total",
            &of_kind,
            begun,
        );
    }
    let built = [("kind", "build"), ("outcome", "done")];
    at_least(&builder, "gentoo_updater_work_ended_total", &built, 1.0);
    let built = builder.sum("gentoo_updater_work_ended_total", &built);
    at_least(
        &planner,
        "gentoo_updater_jobs",
        &[("state", "built")],
        built,
    );
    assert_eq!(planner.sum("gentoo_updater_guests", &[]), 1.0);
    assert_eq!(
        planner.sum("gentoo_updater_runs", &[("state", "going_on")]),
        0.0
    );
    at_least(
        &planner,
        "gentoo_updater_runs",
        &[("state", "complete")],
        1.0,
    );
    assert_eq!(planner.sum("gentoo_updater_dead_letters", &[]), 0.0);
    assert!(planner.has("gentoo_updater_planner_last_beat_timestamp_seconds"));
    let ended = [("outcome", "complete")];
    at_least(
        &planner,
        "gentoo_updater_last_run_ended_timestamp_seconds",
        &ended,
        1e9,
    );
    for (port, name, _) in &workers {
        let scraped = scrape(&scene, name, *port);
        at_least(&scraped, "process_resident_memory_bytes", &[], 1e6);
        assert_eq!(scraped.sum("gentoo_updater_build_info", &[]), 1.0, "{name}");
        if *port != STORE {
            // That one only shows.
            if *port != DASHBOARD {
                confirmed_is_published(&scraped);
            }
            assert_eq!(
                scraped.sum("gentoo_updater_bus_connected", &[]),
                1.0,
                "{name}"
            );
            wait_until(
                &format!("{name} has read what the planner has"),
                SOON,
                || {
                    let offset = |name, port| {
                        let scraped = scrape(&scene, name, port);
                        scraped.sum("gentoo_updater_history_offset", &[])
                    };
                    let read = offset(name, *port);
                    read > 0.0 && read == offset("planner", PLANNER)
                },
            );
        }
    }
    the_server_counts_what_it_sends(&scene);
    a_paused_worker_is_well_and_says_so(&scene);
    log_lines_name_their_work(&scene, &run.report);
    the_trace_of_the_run_has_all_its_work(&scene, &run.report);
}

fn start(scene: &Scene) -> Vec<(u16, &'static str, Process)> {
    let all: [(u16, &'static str, Program, &[&str]); 7] = [
        (PLANNER, "planner", Program::Planner, &[]),
        (
            SCANNER,
            "scanner",
            Program::Scanner,
            &["--log-format", "json"],
        ),
        (BUILDER, "builder", Program::Builder, &["--builder", "b1"]),
        (INSTALLER, "installer", Program::Installer, &[]),
        (JANITOR, "janitor", Program::Janitor, &[]),
        (
            STORE,
            "store",
            Program::Command,
            &["store", "serve", "--listen", "127.0.0.1:8080"],
        ),
        (
            DASHBOARD,
            "dashboard",
            Program::Command,
            &["dashboard", "--listen", "127.0.0.1:8090"],
        ),
    ];
    // The store of the lab lies on its machines; what is served here is a folder of the test.
    let store = scene.file("served");
    std::fs::create_dir_all(&store).expect("a folder to serve");
    std::fs::write(store.join("Packages"), "PACKAGES: 0\n\n").expect("an index");
    let serving = scene.file("store.toml");
    let text = format!(
        "[platforms.default]\nstore = {store:?}\n[builders.b1]\naddress = \"local\"\n\
         [guests.g1]\naddress = \"local\"\n"
    );
    std::fs::write(&serving, text).expect("a configuration is written");
    let start = |(port, name, program, arguments): (u16, &'static str, Program, &[&str])| {
        let metrics = format!("127.0.0.1:{port}");
        let serving = serving.display().to_string();
        let mut all = arguments.to_vec();
        all.extend(["--metrics", &metrics]);
        let process = match port {
            STORE => {
                let mut all = all.clone();
                all.extend(["--config", &serving]);
                let binary = gentoo_updater_tests::fixtures::program(program);
                Process::start(name, scene.lab.netns(), &binary, all, &scene.file("logs"))
            }
            _ => scene.start(name, program, all),
        };
        (port, name, process)
    };
    all.into_iter().map(start).collect()
}

fn asked(scene: &Scene, port: u16, path: &str) -> (u16, String) {
    let (netns, path) = (scene.lab.netns().to_owned(), path.to_owned());
    let asking = std::thread::spawn(move || {
        enter_netns(&netns);
        let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        let request = format!("GET {path} HTTP/1.0\r\nHost: test\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    });
    // Not there yet, perhaps.
    let answer = asking
        .join()
        .expect("a thread that asks")
        .unwrap_or_default();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    (code.unwrap_or(0), body.to_owned())
}

fn health(scene: &Scene, port: u16) -> (u16, Value) {
    let (code, body) = asked(scene, port, "/health");
    (code, serde_json::from_str(&body).unwrap_or_default())
}

fn scrape(scene: &Scene, name: &str, port: u16) -> Scraped {
    let (code, text) = asked(scene, port, "/metrics");
    assert_eq!(code, 200, "{name}: {text}");
    // Prometheus itself has nothing to say against it.
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool, which tests/setup.sh installs");
    let mut input = promtool.stdin.take().expect("a pipe");
    input.write_all(text.as_bytes()).expect("promtool reads");
    drop(input);
    let output = promtool.wait_with_output().expect("promtool ends");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{name}: {said}");
    Scraped::read(name, &text)
}

fn at_least(scraped: &Scraped, metric: &str, labels: &[(&str, &str)], least: f64) {
    let sum = scraped.sum(metric, labels);
    assert!(
        sum >= least,
        "{}: {metric} {labels:?} is {sum}",
        scraped.name
    );
}

/// On a broker that is well each message is confirmed at its first try, but for what is on its way.
fn confirmed_is_published(scraped: &Scraped) {
    let published = scraped.sum("gentoo_updater_bus_messages_published_total", &[]);
    let confirmed = scraped.sum("gentoo_updater_bus_messages_confirmed_total", &[]);
    assert!(confirmed > 0.0, "{}", scraped.name);
    assert!(
        (0.0..=2.0).contains(&(published - confirmed)),
        "{}",
        scraped.name
    );
    for none in [
        "gentoo_updater_bus_messages_returned_total",
        "gentoo_updater_bus_dead_letters_total",
    ] {
        assert_eq!(scraped.sum(none, &[]), 0.0, "{}: {none}", scraped.name);
    }
}

fn the_server_counts_what_it_sends(scene: &Scene) {
    let before = scrape(scene, "store", STORE);
    let (found, body) = asked(scene, 8080, "/default/Packages");
    let (missing, _) = asked(scene, 8080, "/default/nothing");
    assert_eq!((found, missing), (200, 404), "{body}");
    let after = scrape(scene, "store", STORE);
    let more = |metric: &str, labels: &[(&str, &str)]| {
        after.sum(metric, labels) - before.sum(metric, labels)
    };
    let requests = "gentoo_updater_store_requests_total";
    assert_eq!(more(requests, &[("status", "200")]), 1.0);
    assert_eq!(more(requests, &[("status", "404")]), 1.0);
    #[allow(clippy::cast_precision_loss)]
    let length = body.len() as f64;
    assert_eq!(more("gentoo_updater_store_sent_bytes_total", &[]), length);
    let of = [("platform", "default")];
    let free = after.sum("gentoo_updater_store_filesystem_free_bytes", &of);
    assert!(free > 0.0 && free <= after.sum("gentoo_updater_store_filesystem_size_bytes", &of));
}

fn a_paused_worker_is_well_and_says_so(scene: &Scene) {
    let paused = scene.command(
        "pause",
        &["pause", "scanner", "--reason", "new disks"],
        SOON,
    );
    assert_eq!(paused.status.code(), Some(0), "{}", paused.stderr);
    wait_until("the scanner says that it is paused", SOON, || {
        let (code, health) = health(scene, SCANNER);
        code == 200 && health["status"] == "warn" && health.to_string().contains("new disks")
    });
    wait_until("the scanner counts that it is paused", SOON, || {
        let scraped = scrape(scene, "scanner", SCANNER);
        scraped.sum("gentoo_updater_workers_paused", &[("role", "scanner")]) == 1.0
    });
}

/// The trace of a run is its id without hyphens.
fn trace_of(report: &Value) -> (String, String) {
    let run = report["run"].as_str().expect("a run").to_owned();
    (run.replace('-', ""), run)
}

fn log_lines_name_their_work(scene: &Scene, report: &Value) {
    let (trace, run) = trace_of(report);
    let log = std::fs::read_to_string(scene.file("logs").join("scanner.err")).expect("a log");
    let lines = log.lines().map(|line| {
        serde_json::from_str::<BTreeMap<String, Value>>(line)
            .unwrap_or_else(|error| panic!("{error}: {line}"))
    });
    let lines: Vec<_> = lines.collect();
    for line in &lines {
        for key in ["time", "level", "message", "target"] {
            assert!(line.contains_key(key), "{line:?}");
        }
    }
    let begun = lines.iter().find(|line| line["message"] == "begun");
    let begun = begun.unwrap_or_else(|| panic!("{log}"));
    assert_eq!(begun["trace_id"], trace.as_str());
    assert_eq!(begun["run"], run.as_str());
    assert_eq!(
        (&begun["kind"], &begun["task"]),
        (&"scan".into(), &"g1".into())
    );
    assert_eq!(begun["attempt"], 1);
    let log = std::fs::read_to_string(scene.file("logs").join("builder.err")).expect("a log");
    let begun = log
        .lines()
        .find(|line| line.contains("kind=\"build\"") && line.ends_with("begun"));
    let begun = begun.unwrap_or_else(|| panic!("no build was begun: {log}"));
    assert!(begun.contains(&format!("trace_id={trace}")), "{begun}");
}

fn the_trace_of_the_run_has_all_its_work(scene: &Scene, report: &Value) {
    let (trace, run) = trace_of(report);
    let shown = scene.command("trace", &["trace", &run, "--json"], SOON);
    let view: Value = serde_json::from_str(&shown.stdout).expect("a trace as JSON");
    assert_eq!(view["rounds"][0]["trace_id"], trace.as_str());
    let phases = view["rounds"][0]["root"]["children"]
        .as_array()
        .expect("phases");
    let kinds: Vec<&str> = phases
        .iter()
        .filter_map(|phase| phase["kind"].as_str())
        .collect();
    for kind in ["scan", "plan", "search", "build", "install", "clean"] {
        assert!(kinds.contains(&kind), "{kind} is not among {kinds:?}");
    }
    let otlp = scene.command("otlp", &["trace", &run, "--format", "otlp-json"], SOON);
    let otlp: Value = serde_json::from_str(&otlp.stdout).expect("a trace for others");
    let services = otlp["resourceSpans"].as_array().map_or(0, Vec::len);
    assert_eq!(services, 5, "{otlp:#}");
}
