//! `schedule` without a broker, as processes.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{command, run};

/// A fleet whose one machine has no Portage, so that each run ends soon, with a failure.
fn fleet(schedules: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    let text = format!(
        "state_directory = {:?}\n[builders.b1]\naddress = \"local\"\n[guests.g1]\naddress = \
         \"local\"\n[policy]\nattempts = 1\n{schedules}",
        folder.path().join("state")
    );
    std::fs::write(folder.path().join("fleet.toml"), text).unwrap();
    folder
}

const NIGHTLY: &str =
    "[schedules.nightly]\ncalendar = \"30 3 * * *\"\ntime_zone = \"Europe/Berlin\"\n";

/// A `schedule serve`, killed when a test fails.
struct Serving(Child);

impl Serving {
    fn start(fleet: &TempDir) -> Self {
        Self::of(fleet, command(fleet, &["schedule", "serve"]))
    }

    fn of(fleet: &TempDir, mut command: Command) -> Self {
        let log = std::fs::File::create(fleet.path().join("serve.log")).unwrap();
        Self(command.stderr(log).spawn().unwrap())
    }

    /// Tells it to stop, and gives its exit code.
    fn stop(mut self) -> Option<i32> {
        let pid = self.0.id().to_string();
        let told = Command::new("kill").args(["-s", "TERM", &pid]).status();
        assert!(told.unwrap().success());
        self.0.wait().unwrap().code()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended already, as it should.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks until the schedule is as wanted.
fn until(fleet: &TempDir, wanted: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let (code, out, err) = run(fleet, &["schedule", "list", "--json"]);
        assert_eq!(code, Some(0), "{err}");
        let view: Value = serde_json::from_str(&out).unwrap();
        let schedule = &view["schedules"].as_object().unwrap()["nightly"];
        if wanted(schedule) {
            return schedule.clone();
        }
        let log = std::fs::read_to_string(fleet.path().join("serve.log"));
        assert!(
            begun.elapsed() < Duration::from_secs(180),
            "{view}\n{log:?}"
        );
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn schedules_are_listed_before_anything_has_happened() {
    let fleet = fleet(NIGHTLY);
    let (code, out, err) = run(&fleet, &["schedule", "list"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("nightly   30 3 * * * Europe/Berlin"), "{out}");
    assert!(out.contains("03:30:00"), "{out}");
    assert!(err.contains("`gentoo-updater schedule serve`"), "{err}");
}

#[test]
fn a_fleet_without_schedules_and_a_calendar_that_is_none_are_wrong_usage() {
    let without = fleet("");
    let (code, _, err) = run(&without, &["schedule", "list"]);
    assert_eq!(code, Some(64), "{err}");
    assert!(err.contains("[schedules.nightly]"), "{err}");
    let wrong = fleet("[schedules.nightly]\ncalendar = \"at night\"\n");
    let (code, _, err) = run(&wrong, &["config", "check"]);
    assert_eq!(code, Some(64), "{err}");
    assert!(
        err.contains("schedules.nightly: \"at night\" is no calendar"),
        "{err}"
    );
}

#[test]
fn one_process_begins_what_is_due_and_takes_the_runs_of_others() {
    let every_minute = "[schedules.nightly]\ncalendar = \"* * * * *\"\nforce = true\n";
    let fleet = fleet(every_minute);
    let serving = Serving::start(&fleet);
    until(&fleet, |schedule| schedule["adopted"] == true);
    // A run beside it is handed to it, and its report is this one's.
    let (code, out, err) = run(&fleet, &["run", "--json"]);
    assert_eq!(code, Some(1), "{err}");
    assert!(
        err.contains("is asked for the run") || err.contains("goes on"),
        "{err}"
    );
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["guests"]["g1"]["outcome"], "Failed", "{report}");

    let schedule = until(&fleet, |schedule| {
        schedule["last"]["outcome"] == "with_failures"
    });
    let begun: jiff::Timestamp = schedule["last"]["at"].as_str().unwrap().parse().unwrap();
    assert_eq!(begun.as_second() % 60, 0);
    assert_eq!(serving.stop(), Some(0));

    // Another one goes on where the first one has stopped, and nothing of it begins anew.
    let serving = Serving::start(&fleet);
    let again = until(&fleet, |now| now["last"]["at"] != schedule["last"]["at"]);
    assert_ne!(again["last"]["run"], schedule["last"]["run"]);
    assert_eq!(serving.stop(), Some(0));
}

#[test]
fn a_service_manager_and_a_monitor_are_told_that_it_lives() {
    let fleet = fleet(NIGHTLY);
    let socket = fleet.path().join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    let wait = Some(Duration::from_secs(60));
    manager.set_read_timeout(wait).unwrap();
    let heard = |wanted: &str| {
        let begun = Instant::now();
        loop {
            let mut datagram = [0; 4096];
            let length = manager.recv(&mut datagram).unwrap();
            let said = String::from_utf8_lossy(&datagram[..length]).into_owned();
            if said.contains(wanted) {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{said}");
        }
    };
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let monitor = free.local_addr().unwrap();
    drop(free);
    let address = monitor.to_string();
    let mut command = command(&fleet, &["schedule", "serve", "--metrics", &address]);
    command
        .env("NOTIFY_SOCKET", &socket)
        .env("WATCHDOG_USEC", "2000000");
    let serving = Serving::of(&fleet, command);
    heard("READY=1");
    heard("WATCHDOG=1");

    let answer = |path: &str| {
        let mut stream = TcpStream::connect(monitor).unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {monitor}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    };
    // Its machine cannot build, which is said there, too.
    let health = answer("/health");
    assert!(
        health.contains(r#"{"check":"bus","status":"pass"}"#),
        "{health}"
    );
    let metrics = answer("/metrics");
    assert!(metrics.contains("gentoo_updater_"), "{metrics}");
    assert_eq!(serving.stop(), Some(0));
    heard("STOPPING=1");
}
