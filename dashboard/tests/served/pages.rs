//! Pages, files and documents.

use std::time::Duration;

use gentoo_updater_fleet::message::{Event, RunFinished, RunOutcome};
use gentoo_updater_fleet::name::RunId;
use gentoo_updater_fleet::state::KEPT_RUNS;

use super::support::{Answer, Served};

#[tokio::test]
async fn every_answer_forbids_what_is_not_from_here() {
    let served = Served::read_only().await;
    for path in [
        "/",
        "/runs/x",
        "/assets/main.js",
        "/api/fleet",
        "/nowhere",
        "/api/guests/nobody",
    ] {
        let answer = served.get(path).await;
        let policy = answer.header("content-security-policy").unwrap();
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
            "img-src 'self' data:",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
    }
    served.end().await;
}

#[tokio::test]
async fn a_page_holds_no_script_and_no_style_of_its_own_and_names_no_other_server() {
    let served = Served::read_only().await;
    let page = served.get("/").await;
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let text = page.body();
    for wrong in [
        "style=",
        "onclick",
        "javascript:",
        "<style",
        "http://",
        "https://",
    ] {
        assert!(!text.contains(wrong), "{wrong} in {text}");
    }
    let own = text.matches("src=\"/assets/").count() + text.matches("href=\"/assets/").count();
    assert!(own >= 4, "{text}");
    // Every file that the page and its scripts name is there.
    let mut names: Vec<String> = vec![
        "main.js".into(),
        "theme.js".into(),
        "style.css".into(),
        "icon.svg".into(),
    ];
    let mut read = 0;
    while read < names.len() {
        let answer = served.get(&format!("/assets/{}", names[read])).await;
        assert_eq!(answer.status(), 200, "{}", names[read]);
        for part in answer.body().split("\"./").skip(1) {
            let name = part.split('"').next().unwrap().to_owned();
            if name.ends_with(".js") && !names.contains(&name) {
                names.push(name);
            }
        }
        read += 1;
    }
    assert!(names.len() > 15, "{names:?}");
    for page in [
        "/runs",
        "/builders",
        "/queues",
        "/dead",
        "/guests/g1",
        "/packages/a/b",
        "/runs/x/jobs/y",
    ] {
        assert_eq!(served.get(page).await.status(), 200, "{page}");
    }
    for other in [
        "/nowhere",
        "/assets/nothing.js",
        "/assets/../Cargo.toml",
        "/api/nothing",
    ] {
        assert_eq!(served.get(other).await.status(), 404, "{other}");
    }
    served.end().await;
}

#[tokio::test]
async fn a_document_that_the_browser_has_is_not_sent_again_until_something_happens() {
    let served = Served::read_only().await;
    let first = served.get("/api/fleet").await;
    let tag = first.header("etag").unwrap().to_owned();
    assert_eq!(first.json()["guests"]["g1"]["configured"], true);
    let known = format!("If-None-Match: {tag}\r\n");
    let again = served.ask("GET", "/api/fleet", &known, "").await;
    assert_eq!((again.status(), again.body()), (304, ""));
    let run = served.request().await;
    let is_asked = |answer: &Answer| answer.json()["guests"]["g1"]["outcome"] == "Scanning";
    until(&served, "/api/fleet", is_asked).await;
    let changed = served.ask("GET", "/api/fleet", &known, "").await;
    assert_eq!(changed.status(), 200);
    assert_ne!(changed.header("etag"), Some(tag.as_str()));
    // By its short name it is the same run.
    let short = served.get(&format!("/api/runs/{}", run.short())).await;
    assert_eq!(short.json()["run"], run.to_string());
    served.end().await;
}

#[tokio::test]
async fn what_is_not_known_is_not_there_and_what_cannot_be_asked_says_why() {
    let served = Served::read_only().await;
    for path in [
        "/api/runs/0123456789ab",
        "/api/runs/x/graph",
        "/api/guests/g9",
        "/api/packages/a/b",
        "/api/runs/0123456789ab/jobs/0123456789ab/log",
    ] {
        let answer = served.get(path).await;
        assert_eq!(answer.status(), 404, "{path}");
        assert!(answer.json()["error"].is_string(), "{path}");
    }
    let away = served.get("/api/dead").await;
    assert_eq!(away.status(), 503);
    assert_eq!(away.json()["error"], "the broker is away; start it");
    served.end().await;
}

#[tokio::test]
async fn a_run_that_the_state_has_forgotten_is_shown_as_the_history_tells_of_it() {
    let served = Served::read_only().await;
    let mut runs = Vec::new();
    for _ in 0..KEPT_RUNS + 2 {
        let run = served.request().await;
        served
            .say(Event::RunFinished(RunFinished {
                run,
                outcome: RunOutcome::Complete,
                retries: 0,
            }))
            .await;
        runs.push(run);
    }
    let (oldest, newest) = (runs[0], runs[KEPT_RUNS + 1].to_string());
    let is_over = |answer: &Answer| answer.json()["runs"][newest.as_str()]["outcome"] == "Complete";
    until(&served, "/api/history", is_over).await;
    for name in [oldest.to_string(), oldest.short()] {
        let path = format!("/api/runs/{name}");
        let page = until(&served, &path, |answer| answer.status() == 200).await;
        assert_eq!(page.json()["run"], oldest.to_string());
        let graph = served.get(&format!("{path}/graph")).await;
        assert_eq!(graph.status(), 200, "{}", graph.body());
        let tag = page.header("etag").unwrap();
        let known = format!("If-None-Match: {tag}\r\n");
        assert_eq!(served.ask("GET", &path, &known, "").await.status(), 304);
        let job = served.get(&format!("{path}/jobs/0123456789ab")).await;
        assert_eq!(job.status(), 404);
    }
    let unknown = served
        .get(&format!("/api/runs/{}", RunId::generate()))
        .await;
    assert_eq!(unknown.status(), 404);
    served.end().await;
}

#[tokio::test]
async fn whatever_is_refused_is_refused_in_json() {
    let served = Served::with(true).await;
    let page = served.get("/api/session").await.page(served.address);
    let form = page.replace("application/json", "text/plain");
    let large = "x".repeat(64 * 1024 + 1);
    let long = format!("{{\"token\":\"{large}\"}}");
    for (method, path, headers, body, status) in [
        ("GET", "/api/nothing", "", "", 404),
        ("GET", "/api/fleet/more", "", "", 404),
        ("GET", "/api/runs/%ff", "", "", 400),
        ("GET", "/api/runs/x/jobs/y/log?from=-1", "", "", 400),
        ("GET", "/events?after=abc", "", "", 400),
        ("POST", "/api/fleet", page.as_str(), "", 405),
        ("GET", "/api/login", "", "", 405),
        ("POST", "/api/login", page.as_str(), "no JSON", 400),
        ("POST", "/api/login", page.as_str(), "{}", 422),
        ("POST", "/api/login", page.as_str(), long.as_str(), 413),
        ("POST", "/api/login", form.as_str(), "{}", 415),
    ] {
        let answer = served.ask(method, path, headers, body).await;
        assert_eq!(answer.status(), status, "{method} {path}: {}", answer.0);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let words = answer.json()["error"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert!(!words.is_empty(), "{method} {path}: {}", answer.0);
        assert!(
            !words.contains("page") && !words.contains("buffer"),
            "{words}"
        );
        assert!(answer.header("content-security-policy").is_some());
        assert_eq!(
            answer.header("allow").is_some(),
            status == 405,
            "{}",
            answer.0
        );
    }
    served.end().await;
}

/// Asks until the answer is as wanted.
pub(crate) async fn until(served: &Served, path: &str, is: impl Fn(&Answer) -> bool) -> Answer {
    let asking = async {
        loop {
            let answer = served.get(path).await;
            if is(&answer) {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    };
    let asked = tokio::time::timeout(Duration::from_secs(30), asking).await;
    asked.unwrap_or_else(|_| panic!("{path} is not as wanted"))
}
