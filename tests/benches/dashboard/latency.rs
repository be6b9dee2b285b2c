//! How long an event takes to the page: from the moment before it is published to the moment when the page
//! has changed. Both clocks are this machine's.

use std::time::{SystemTime, UNIX_EPOCH};

use gentoo_updater_test_browser::Browser;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::history::Fleet;

/// How many events are measured of each kind.
const EVENTS: usize = 60;

/// Of guests on the page of the fleet, in seconds.
pub(crate) fn of_guests(
    runtime: &Runtime,
    fleet: &Fleet,
    browser: &mut Browser,
    address: &str,
) -> Vec<f64> {
    browser.open(&format!("{address}/"));
    browser.until("document.getElementById('connection').innerText === 'live'");
    let guests = fleet.guests.iter().take(EVENTS);
    let measured = guests.map(|guest| {
        let changed = format!(
            "document.querySelector({}).dataset.outcome === 'Updated'",
            json!(format!(".cell[href=\"/guests/{guest}\"]"))
        );
        measure(browser, &changed, || runtime.block_on(fleet.update(guest)))
    });
    measured.collect()
}

/// Of jobs in the graph of the run, in seconds.
pub(crate) fn of_jobs(
    runtime: &Runtime,
    fleet: &Fleet,
    browser: &mut Browser,
    address: &str,
) -> Vec<f64> {
    browser.open(&format!("{address}/runs/{}", fleet.run));
    browser.until("document.getElementById('connection').innerText === 'live'");
    let places = (fleet.built..).take(EVENTS);
    let measured = places.map(|place| {
        // A job that waits for others is claimed by nobody; that it is built is seen of each.
        runtime.block_on(fleet.claim(place));
        let changed =
            format!("document.querySelectorAll('rect.job')[{place}].dataset.state === 'built'");
        measure(browser, &changed, || runtime.block_on(fleet.build(place)))
    });
    measured.collect()
}

/// The time from `say` to what it changes on the page, in seconds.
fn measure(browser: &mut Browser, changed: &str, say: impl FnOnce()) -> f64 {
    // The page notes the time itself: to ask it takes longer than what is measured.
    browser.evaluate(&format!(
        "window.changedAt = null;
         new MutationObserver((_, observer) => {{
             if ({changed}) {{ window.changedAt ??= performance.timeOrigin + performance.now(); observer.disconnect(); }}
         }}).observe(document.querySelector('main'), {{ subtree: true, attributes: true, attributeFilter: ['data-outcome', 'data-state'] }});
         0"
    ));
    let before = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock");
    say();
    browser.until("window.changedAt !== null");
    let after = browser
        .evaluate("window.changedAt")
        .as_f64()
        .expect("a time")
        / 1000.0;
    (after - before.as_secs_f64()).max(0.0)
}

/// The value below which this part of them is.
pub(crate) fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss
    )]
    let place = (part * (sorted.len() - 1) as f64).round() as usize;
    sorted[place]
}
