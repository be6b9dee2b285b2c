//! The fleet at one glance, the report, and the chain of a package.

use std::process::Command;

use crate::looking::scene::{Scene, json};
use crate::looking::{NOT_THERE, WRONG_USAGE};

#[tokio::test]
async fn a_report_is_written_in_the_format_that_is_asked_for() {
    let scene = Scene::at_work().await;
    let text = scene.shown(&["report"]);
    assert!(text.contains("\nPackages: 1 building\n"), "{text}");
    assert_eq!(scene.shown(&["report", "--format", "text"]), text);
    let markdown = scene.shown(&["report", "--format", "markdown"]);
    assert!(markdown.starts_with("# Run 01900000"), "{markdown}");
    assert!(
        markdown.contains("| dev-libs/libbeta-1.0 | building |"),
        "{markdown}"
    );
    let page = scene.shown(&["report", "--format", "html", "--guest", "g1"]);
    assert!(page.starts_with("<!DOCTYPE html>"), "{page}");
    let document = json(&scene.shown(&["report", "--json"]));
    assert_eq!(
        document,
        json(&scene.shown(&["report", "--format", "json"]))
    );
    let words = scene.refused(&["report", "--guest", "g7"], NOT_THERE);
    assert!(words.contains("has no guest g7; it has g1"), "{words}");
    scene.refused(&["report", "--format", "pdf"], WRONG_USAGE);
}

#[tokio::test]
async fn status_shows_all_at_one_glance_and_leads_to_the_report() {
    let scene = Scene::at_work().await;
    let status = scene.shown(&["status"]);
    for part in [
        "goes on",
        "waiting for builds: g1",
        "build dev-libs/libbeta-1.0",
        "no process works on this fleet",
        "`gentoo-updater run` goes on with it",
    ] {
        assert!(status.contains(part), "{part:?} is not in {status}");
    }
    let document = json(&scene.shown(&["status", "--json"]));
    assert_eq!(
        document["at_work"][0]["task"]["subject"],
        "dev-libs/libbeta-1.0"
    );
    assert_eq!(document["going_on"][0]["guests"][0]["outcome"], "Building");
    assert_eq!(document["fleet"]["dead_letters"], 0);
    for (arguments, command) in [
        (
            ["--run", "000000000001"],
            "`gentoo-updater report 000000000001`",
        ),
        (["--guest", "g1"], "`gentoo-updater report --guest g1`"),
    ] {
        let words = scene.refused(&[&["status"], &arguments[..]].concat(), WRONG_USAGE);
        assert!(words.contains(command), "{words}");
    }
}

#[tokio::test]
async fn a_failure_is_shown_with_its_cause_and_the_next_step_at_a_glance_and_in_the_report() {
    let scene = Scene::after(&[
        "RunRequested",
        "GuestScanned",
        "BatchPlanned",
        "CommandIssued",
        "WorkStarted",
        "TaskAbandoned",
    ])
    .await;
    for command in ["status", "report"] {
        let shown = scene.shown(&[command]);
        for part in ["CompileFailure", "next step: read its log"] {
            assert!(shown.contains(part), "{part:?} is not in {shown}");
        }
    }
    let why = scene.shown(&["why", "libbeta"]);
    for part in [
        "FAILED: CompileFailure",
        "its build failed: CompileFailure",
        "next step: read its log",
    ] {
        assert!(why.contains(part), "{part:?} is not in {why}");
    }
}

#[tokio::test]
async fn watching_needs_a_terminal() {
    let scene = Scene::at_work().await;
    let words = scene.refused(&["status", "--watch"], WRONG_USAGE);
    for part in ["needs a terminal", "`gentoo-updater status` shows it once"] {
        assert!(words.contains(part), "{part:?} is not in {words}");
    }
}

/// `script` gives the program a terminal, and writes down what it prints there.
#[tokio::test]
async fn a_watched_status_fills_the_terminal_and_gives_it_back_however_it_ends() {
    const TAKEN: &str = "\u{1b}[?1049h";
    const GIVEN_BACK: &str = "\u{1b}[?1049l";
    let scene = Scene::at_work().await;
    let program = format!(
        "stty rows 24 columns 80; exec {} --config {} status --watch",
        env!("CARGO_BIN_EXE_gentoo-updater"),
        scene.folder.path().join("fleet.toml").display()
    );
    for end in ["q", "\u{3}"] {
        let mut script = Command::new("script")
            .args([
                "--quiet",
                "--flush",
                "--return",
                "--command",
                &program,
                "/dev/null",
            ])
            .env("TERM", "xterm-256color")
            .env_remove("RUST_LOG")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = script.stdin.take().unwrap();
        let mut output = script.stdout.take().unwrap();
        let mut shown = String::new();
        let mut buffer = [0; 4096];
        let mut asked = false;
        // Ends when the program does.
        while let Ok(length @ 1..) = std::io::Read::read(&mut output, &mut buffer) {
            shown.push_str(&String::from_utf8_lossy(&buffer[..length]));
            if !asked && shown.contains("q quit") {
                asked = true;
                std::io::Write::write_all(&mut input, end.as_bytes()).unwrap();
            }
        }
        let status = script.wait().unwrap();
        assert!(status.success(), "{status}: {shown}");
        assert!(shown.contains("libbeta"), "{shown}");
        let (taken, given) = (shown.find(TAKEN).unwrap(), shown.rfind(GIVEN_BACK).unwrap());
        assert!(taken < given, "{shown}");
    }
}

#[tokio::test]
async fn why_tells_the_chain_and_keeps_an_index_that_may_be_thrown_away() {
    let scene = Scene::at_work().await;
    let told = scene.shown(&["why", "dev-libs/libbeta"]);
    for part in [
        "Job 60bf7bf32182",
        "is being built by builder@b1",
        "Guest g1",
        "its plan has",
    ] {
        assert!(told.contains(part), "{part:?} is not in {told}");
    }
    let index = scene.folder.path().join("state/run-index.cache");
    let good = std::fs::read(&index).unwrap();
    for content in [&good[..good.len() / 2], b"damaged", b""] {
        std::fs::write(&index, content).unwrap();
        // What is told since when moves on by itself.
        let again = scene.shown(&["why", "libbeta", "--json"]);
        assert_eq!(json(&again)["jobs"][0]["cpv"], "dev-libs/libbeta-1.0");
        assert_eq!(std::fs::read(&index).unwrap(), good);
    }
    let document = json(&scene.shown(&["why", "libbeta", "--guest", "g1", "--json"]));
    assert_eq!(
        document["guests"][0]["updates"][0]["answer"]["state"],
        "building"
    );
    assert_eq!(document["run"], "01900000-0000-7000-8000-000000000001");
    let words = scene.refused(&["why", "libbta"], NOT_THERE);
    assert!(words.contains("did you mean dev-libs/libbeta?"), "{words}");
    let words = scene.refused(&["why", "libbeta", "--guest", "g7"], NOT_THERE);
    assert!(words.contains("has no guest g7; it has g1"), "{words}");
    let words = scene.refused(&["why", "libbeta", "--run", "0123456789ab"], NOT_THERE);
    assert!(words.contains("knows no run 0123456789ab"), "{words}");
    scene.refused(&["why", "two words/x"], WRONG_USAGE);
}
