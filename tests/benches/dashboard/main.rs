//! The dashboard of 1,000 guests and a batch of 5,000 jobs in a real browser, against its limits.
//!
//! `make bench` runs it. Exit code 1: a limit is missed; 2: it could not run.
//!
//! This process holds the journal, as a run does, and the dashboard follows it as another process.

#[path = "../../../shared/fleet/benches/batch/fleets.rs"]
mod fleets;
#[path = "../../../shared/portage/benches/speed/table.rs"]
#[allow(dead_code)]
mod table;

mod history;
mod latency;
mod server;

use std::process::ExitCode;

use gentoo_updater_test_browser::Browser;
use serde_json::{Value, json};

use self::history::Fleet;
use self::latency::quantile;
use self::server::Server;
use self::table::{Limit, Table};

/// How often a page is loaded. The middle counts.
const LOADS: usize = 7;
/// How many browsers watch beside the one that is measured.
const WATCHERS: usize = 20;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let table = measure(&runtime);
    print!("{table}");
    match table.is_kept() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn measure(runtime: &tokio::runtime::Runtime) -> Table {
    let folder = tempfile::tempdir().expect("a folder");
    let fleet = runtime.block_on(Fleet::begin(folder.path()));
    let mut server = Server::start(folder.path());
    let mut table = Table::default();
    let guests = number(fleet.guests.len());
    table.show("guests", guests, "");
    table.show("jobs of the batch", number(fleet.jobs.len()), "");
    let begun = server.resident();
    table.show(
        "memory of the dashboard before a page is loaded",
        begun,
        "MB",
    );
    server.watch(WATCHERS);

    let mut browser = Browser::start(None);
    browser.size(1280, 900);
    let mut page = |path: &str, what: &str| {
        let address = format!("{}{path}", server.address);
        let loads: Vec<[f64; 2]> = (0..LOADS).map(|_| load(&mut browser, &address)).collect();
        let middle =
            |of: usize| quantile(&loads.iter().map(|load| load[of]).collect::<Vec<_>>(), 0.5);
        table.check(
            &format!("{what}: first contentful paint"),
            middle(0),
            "s",
            Limit::Below(1.0),
        );
        table.show(&format!("{what}: drawn with all data"), middle(1), "s");
    };
    page("/", "the fleet");
    page(&format!("/runs/{}", fleet.run), "the run with its graph");

    let guests = latency::of_guests(runtime, &fleet, &mut browser, &server.address);
    let jobs = latency::of_jobs(runtime, &fleet, &mut browser, &server.address);
    for (what, taken) in [("a guest", guests), ("a job", jobs)] {
        let middle = quantile(&taken, 0.5) * 1000.0;
        table.show(
            &format!("from the event of {what} to the page, the middle"),
            middle,
            "ms",
        );
        let most = quantile(&taken, 0.95) * 1000.0;
        let words = format!("from the event of {what} to the page, 95 of 100");
        table.check(&words, most, "ms", Limit::Below(100.0));
    }
    let watched = format!("memory of the dashboard with {} browsers", WATCHERS + 1);
    table.check(&watched, server.resident(), "MB", Limit::Below(100.0));
    table.check(
        "the most that it was",
        server.peak(),
        "MB",
        Limit::Below(100.0),
    );
    server.end();
    table
}

/// Loads a page anew; the times until its first paint and until all of it is drawn, in seconds.
fn load(browser: &mut Browser, address: &str) -> [f64; 2] {
    // Nothing of the page before is left.
    browser.call("Page.navigate", json!({ "url": "about:blank" }));
    browser.open(address);
    let paint = "performance.getEntriesByName('first-contentful-paint')[0]";
    browser.until(paint);
    let times = browser.evaluate(&format!(
        "[{paint}.startTime, performance.getEntriesByName('drawn')[0].startTime]"
    ));
    let seconds = |value: &Value| value.as_f64().expect("a time") / 1000.0;
    [seconds(&times[0]), seconds(&times[1])]
}

#[allow(clippy::cast_precision_loss)]
fn number(count: usize) -> f64 {
    count as f64
}
