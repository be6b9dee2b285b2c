//! The dashboard in a real browser, beside a real run.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use gentoo_updater_bus::topology;
use gentoo_updater_test_browser::Browser;
use gentoo_updater_tests::actions::{self, Gate, Workers};
use gentoo_updater_tests::assertions;
use gentoo_updater_tests::fixtures::{Process, Program, Scene, wait_until};
use serde_json::{Value, json};

const TOKEN: &str = "a token that nobody in this lab guesses";
const OWN: &str = "http://127.0.0.1:8090";
const READ_ONLY: &str = "http://127.0.0.1:8091";

#[test]
fn a_run_is_seen_as_it_goes_on_with_its_graph_its_logs_and_its_failures_and_a_dead_letter_goes_back()
 {
    let scene = Scene::with_broker(3, 1);
    let lab = &scene.lab;
    lab.must(&["fill", "v1"]);
    lab.must(&["publish", "v2b"]);
    actions::slow_down(lab, "b1", 0);
    actions::want_only(
        lab,
        "g1",
        &["app-misc/slowpoke", "app-misc/failer", "app-misc/leaner"],
    );
    actions::want_only(lab, "g2", &["app-misc/slowpoke", "dev-libs/slotted"]);
    actions::want_only(lab, "g3", &["dev-libs/slotted"]);
    let gate = Gate::before_phase(lab, "b1", "compile", "slowpoke");
    let mut workers = Workers::start(&scene);
    let dashboards = [
        serve(&scene, "dashboard", OWN, true),
        serve(&scene, "read-only", READ_ONLY, false),
    ];
    let mut browser = Browser::start(Some(lab.netns()));
    browser.size(1280, 800);
    browser.open(&format!("{OWN}/"));
    browser.until("document.querySelectorAll('.cell').length === 3");
    browser.until_text(".now", "There was no run yet");
    browser.until_text("#connection", "live");

    let running = actions::start_run(&scene, "run");
    // Without a reload.
    browser.until(
        "document.querySelector('.cell[href=\"/guests/g2\"]').dataset.outcome === 'Building'",
    );
    browser.until_text(".now", "goes on");
    gate.wait_until_reached();
    the_graph_is_reached_by_keyboard(&mut browser);
    a_log_is_read_while_it_is_written(&mut browser);
    gate.open();
    browser.open(&format!("{OWN}/"));
    let run = running.to_the_end();
    assertions::exit_code_is(&run, 1);
    let id = run.report["run"].as_str().expect("a run").to_owned();

    browser.until(
        "document.querySelector('.cell[href=\"/guests/g3\"]').dataset.outcome === 'Updated'",
    );
    browser.until_text(".now", "finished with failures");
    picture(&mut browser, "fleet");
    a_failure_shows_its_cause_and_what_to_do(&mut browser, &id);
    a_dead_letter_goes_back_for_who_has_the_token(&scene, &mut browser);
    assert_eq!(
        browser.problems(OWN),
        refusals(OWN),
        "what the pages complained about"
    );
    every_page_fits_a_telephone(&mut browser, &id, &run.report);
    the_keys_are_listed_and_the_theme_changes(&mut browser);
    assert_eq!(
        browser.problems(OWN),
        [""; 0],
        "what the pages complained about"
    );
    nothing_is_changed_without_a_token(&mut browser);
    workers.all_still_run();
    for dashboard in dashboards {
        assert!(dashboard.terminate(Duration::from_secs(20)).success());
    }
}

/// A dashboard, with a token or read-only.
fn serve(scene: &Scene, name: &str, address: &str, with_token: bool) -> Process {
    let listen = address.strip_prefix("http://").expect("an address");
    let mut arguments = vec![
        "dashboard".to_owned(),
        "--listen".to_owned(),
        listen.to_owned(),
    ];
    if with_token {
        let path = scene.file("token");
        fs::write(&path, TOKEN).expect("a token is written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("it is the owner's");
        arguments.extend(["--token-file".to_owned(), path.display().to_string()]);
    }
    let process = scene.start(name, Program::Command, &arguments);
    let log = process.stderr.clone();
    wait_until("the dashboard listens", Duration::from_secs(60), || {
        fs::read_to_string(&log).is_ok_and(|text| text.contains("the dashboard is at"))
    });
    process
}

/// `g n` leads to the newest run; the arrow keys lead along what jobs need.
fn the_graph_is_reached_by_keyboard(browser: &mut Browser) {
    browser.press("g");
    browser.press("n");
    browser.until("location.pathname.startsWith('/runs/')");
    browser.until("document.activeElement === document.querySelector('main')");
    let building = "[...document.querySelectorAll('.job')].find((job) => \
                    job.getAttribute('aria-label') === 'app-misc/slowpoke-2.0: building')";
    browser.until(building);
    browser.press("/");
    browser.type_in("slowpoke");
    browser.until_text(".graph .details", "app-misc/slowpoke-2.0");
    browser.size(1280, 1060);
    browser.evaluate("document.activeElement.blur(), scrollTo(0, 0)");
    picture(browser, "run");
    browser.size(1280, 800);
    browser.evaluate(&format!("{building}.focus()"));
    browser.press("Home");
    browser.until("document.activeElement.classList.contains('job')");
    browser.press("ArrowDown");
    browser.press("ArrowUp");
    browser.until("document.activeElement.classList.contains('chosen')");
}

fn a_log_is_read_while_it_is_written(browser: &mut Browser) {
    browser.press("g");
    browser.press("b");
    browser.until_text("[data-builder=b1]", "app-misc/slowpoke-2.0");
    browser.evaluate("document.querySelector('.slot-log summary').click()");
    // What comes before the gate is in it, and the build still goes on.
    browser.until_text(".log", "@@ gentoo-updater: build");
    browser.until_text(".log-of", "still written");
    picture(browser, "builders");
}

fn a_failure_shows_its_cause_and_what_to_do(browser: &mut Browser, run: &str) {
    browser.open(&format!("{OWN}/runs/{run}"));
    browser.until_text(".failure", "build app-misc/failer-2.0");
    let told = browser.text(".failure");
    assert!(
        told.contains("in its compile phase: failer.c:1:24: error: "),
        "the words of the command line: {told}"
    );
    assert!(
        told.contains("Next step: ") && told.contains("gentoo-updater retry"),
        "{told}"
    );
    browser.evaluate("document.querySelector('.failure summary').click()");
    browser.until_text(".failure pre", "undeclared_thing");
    picture(browser, "failures");
    // Its own page has the whole log, out of the store.
    browser.evaluate("document.querySelector('.failure h3 a').click()");
    browser.until("location.pathname.includes('/jobs/')");
    browser.until_text(".log", "undeclared_thing");
    browser.until_text(".log-of", ".log.gz");
    picture(browser, "job");
}

fn a_dead_letter_goes_back_for_who_has_the_token(scene: &Scene, browser: &mut Browser) {
    actions::publish_raw(
        scene.broker(),
        topology::COMMANDS,
        topology::SCAN,
        "{\"v\":1,\"type\":\"<b>ScanGuest</b>\"}",
    );
    browser.open(&format!("{OWN}/dead"));
    browser.until("document.querySelectorAll('[data-letter]').length === 1");
    browser.until_text("[data-letter]", "cannot be decoded");
    // What a message says is text, and nothing else.
    browser.until_text("[data-letter]", "<b>ScanGuest</b>");
    let first = browser.evaluate("document.querySelector('[data-letter]').dataset.letter");
    picture(browser, "dead");
    let (status, words) = post(browser, "/api/dead/retry", &json!({ "letters": [first] }));
    assert_eq!(status, 401, "without the token: {words}");

    browser.evaluate("document.querySelector('[data-letter] button').click()");
    browser.until("document.activeElement.id === 'token'");
    browser.type_in("not the token at all");
    browser.press("Enter");
    browser.until_text("#token-wrong", "this is not the token");
    browser.evaluate("document.getElementById('token').value = ''");
    browser.type_in(TOKEN);
    browser.press("Enter");
    browser.until("!document.querySelector('dialog')");
    browser.until_text("#session", "Log out");
    browser.evaluate("document.querySelector('[data-letter] button').click()");
    browser.until_text("#said", "1 dead letter put back where it came from");
    // It is as bad as before, and comes back as another letter.
    browser.until(&format!(
        "document.querySelector('[data-letter]') && document.querySelector('[data-letter]').dataset.letter !== {first}"
    ));
    browser.evaluate("document.getElementById('session').click()");
    browser.until_text("#session", "Log in");
}

/// What the browser says of the two answers that refuse something on purpose.
fn refusals(own: &str) -> [String; 2] {
    ["401 (Unauthorized)", "403 (Forbidden)"].map(|status| {
        let address = match status.starts_with("401") {
            true => "/api/dead/retry",
            false => "/api/login",
        };
        let words =
            format!("Failed to load resource: the server responded with a status of {status}");
        format!("log: {} {}", json!(words), json!(format!("{own}{address}")))
    })
}

fn every_page_fits_a_telephone(browser: &mut Browser, run: &str, report: &Value) {
    let job = report["jobs"][0]["job"].as_str().expect("a job").to_owned();
    let pages = [
        "/".to_owned(),
        "/runs".to_owned(),
        format!("/runs/{run}"),
        format!("/runs/{run}/jobs/{job}"),
        "/guests/g1".to_owned(),
        "/packages/app-misc/slowpoke".to_owned(),
        "/builders".to_owned(),
        "/queues".to_owned(),
        "/dead".to_owned(),
    ];
    for (scheme, width) in [("light", 360), ("dark", 1280)] {
        browser.prefer(scheme);
        browser.size(width, 780);
        for page in &pages {
            browser.open(&format!("{OWN}{page}"));
            browser.until("document.querySelector('h1').innerText !== 'Not here'");
            browser.until("document.querySelector('main .page').children.length > 1");
            assert_eq!(
                browser.evaluate("document.documentElement.scrollWidth <= innerWidth"),
                true,
                "{page} is as wide as a window of {width}"
            );
            let name = page.trim_matches('/').split('/').next().unwrap_or_default();
            picture(
                browser,
                &format!("{scheme}-{}-{}", page.matches('/').count(), name),
            );
        }
        every_control_has_a_name(browser);
    }
}

/// What a screen reader would read of what can be operated.
fn every_control_has_a_name(browser: &mut Browser) {
    let tree = browser.call("Accessibility.getFullAXTree", json!({}));
    let nodes = tree["nodes"].as_array().expect("a tree");
    for node in nodes {
        let role = node["role"]["value"].as_str().unwrap_or_default();
        if ["button", "link", "textbox", "searchbox", "checkbox"].contains(&role) {
            let name = node["name"]["value"].as_str().unwrap_or_default();
            assert!(!name.trim().is_empty(), "a {role} has no name: {node:#}");
        }
    }
    let landmarks = ["banner", "navigation", "main"];
    for landmark in landmarks {
        let is_there = nodes.iter().any(|node| node["role"]["value"] == landmark);
        assert!(is_there, "there is no {landmark}");
    }
}

fn the_keys_are_listed_and_the_theme_changes(browser: &mut Browser) {
    browser.prefer("light");
    browser.open(&format!("{OWN}/"));
    browser.press("?");
    browser.until_text("dialog", "Keyboard shortcuts");
    browser.press("Escape");
    browser.until("!document.querySelector('dialog')");
    let page = "getComputedStyle(document.documentElement).backgroundColor";
    let light = browser.evaluate(page);
    browser.press("t");
    browser.press("t");
    browser.until("document.documentElement.dataset.theme === 'dark'");
    assert_ne!(browser.evaluate(page), light, "dark is not light");
    browser.press("t");
    // Everything is reached by the key that goes on, and seen when it is.
    for _ in 0..3 {
        browser.press("Tab");
    }
    browser.until("getComputedStyle(document.activeElement).outlineStyle !== 'none'");
    // A filter is kept in the address.
    browser.press("/");
    browser.type_in("g2");
    browser.until(
        "[...document.querySelectorAll('.matrix li')].filter((it) => !it.hidden).length === 1",
    );
    browser.until("location.search === '?name=g2'");
}

fn nothing_is_changed_without_a_token(browser: &mut Browser) {
    browser.open(&format!("{READ_ONLY}/dead"));
    browser.until("document.querySelectorAll('[data-letter]').length === 1");
    assert_eq!(
        browser.evaluate("document.querySelectorAll('main button').length"),
        0
    );
    browser.until_text("main", "gentoo-updater dead retry");
    let letter = browser.evaluate("document.querySelector('[data-letter]').dataset.letter");
    let (status, words) = post(browser, "/api/dead/retry", &json!({ "letters": [letter] }));
    assert_eq!(status, 403, "{words}");
    assert!(words.contains("--token-file"), "{words}");
}

/// Sends what a page of this server would send.
fn post(browser: &mut Browser, path: &str, body: &Value) -> (u64, String) {
    let told = browser.evaluate(&format!(
        "(async () => {{
            const session = await (await fetch('/api/session')).json();
            const headers = {{ 'content-type': 'application/json', 'x-csrf-token': session.csrf_token }};
            const answer = await fetch('{path}', {{ method: 'POST', headers, body: {} }});
            return [answer.status, await answer.text()];
        }})()",
        json!(body.to_string())
    ));
    let words = told[1].as_str().unwrap_or_default().to_owned();
    (told[0].as_u64().expect("a status"), words)
}

/// Keeps what is to be seen, where somebody wants to look at it: in the folder that
/// `GENTOO_UPDATER_PICTURES` names.
fn picture(browser: &mut Browser, name: &str) {
    if let Some(folder) = std::env::var_os("GENTOO_UPDATER_PICTURES") {
        let path = PathBuf::from(folder).join(format!("{name}.png"));
        browser.screenshot(&path);
    }
}
