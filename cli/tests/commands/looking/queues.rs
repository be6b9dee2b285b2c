//! Events, queues, workers, dead letters, the batch, and what can be tried again.

use gentoo_updater_bus::Bus;
use tempfile::TempDir;

use crate::looking::scene::{Scene, json, words};
use crate::looking::{COULD_NOT, NOT_THERE, WRONG_USAGE};

#[tokio::test]
async fn events_are_chosen_by_package_guest_run_kind_and_time() {
    let scene = Scene::at_work().await;
    let of_jobs = [
        "GuestScanned",
        "BatchPlanned",
        "CommandIssued",
        "WorkStarted",
    ];
    assert_eq!(scene.kinds(&[]).len(), 6);
    assert_eq!(scene.kinds(&["--package", "dev-libs/libbeta"]), of_jobs);
    assert_eq!(scene.kinds(&["--package", ">=dev-libs/libbeta-2"]), [""; 0]);
    assert_eq!(scene.kinds(&["--guest", "g1"]).len(), 5);
    let since = ["--since", "2020-01-01", "--package", "dev-libs/libbeta"];
    assert_eq!(scene.kinds(&since), of_jobs);
    assert_eq!(scene.kinds(&["--since", "2h"]), [""; 0]);
    let of_run = [
        "--run",
        "000000000001",
        "--kind",
        "workstarted",
        "--kind",
        "BatchPlanned",
    ];
    assert_eq!(scene.kinds(&of_run), ["BatchPlanned", "WorkStarted"]);
    let shown = scene.shown(&["events", "--kind", "WorkStarted"]);
    assert!(
        shown.ends_with("claimed by builder@b1 (dev-libs/libbeta-1.0)\n"),
        "{shown}"
    );
}

/// The run of the history is of g1, which is not configured any more.
#[tokio::test]
async fn a_guest_that_only_the_history_knows_is_shown_and_one_that_nobody_knows_is_refused() {
    let scene = Scene::at_work().await;
    std::fs::write(
        scene.folder.path().join("fleet.toml"),
        scene.configuration().replace("guests.g1", "guests.web"),
    )
    .unwrap();
    assert_eq!(scene.kinds(&["--guest", "g1"]).len(), 5);
    assert_eq!(scene.kinds(&["--guest", "web"]), [""; 0]);
    let words = scene.refused(&["events", "--guest", "nope"], WRONG_USAGE);
    assert!(words.contains("a guest nope; they name g1, web"), "{words}");
}

#[tokio::test]
async fn what_no_event_can_be_chosen_by_is_wrong_usage() {
    let scene = Scene::at_work().await;
    for (arguments, remedy) in [
        (["--kind", "Nonsense"], "WorkStarted"),
        (["--since", "soon"], "2h"),
        (["--run", "12"], "last 12 characters"),
        (["--package", "openssl"], "openssl"),
    ] {
        let arguments = [&["events"], &arguments[..]].concat();
        let words = scene.refused(&arguments, WRONG_USAGE);
        assert!(words.contains(remedy), "{words}");
    }
}

#[tokio::test]
async fn a_pause_shows_in_status_and_workers_until_it_is_resumed() {
    let scene = Scene::at_work().await;
    let said = scene.shown(&["pause", "builder", "--reason", "new disks"]);
    assert!(said.contains("What is begun goes on"), "{said}");
    let report = scene.shown(&["report"]);
    assert!(
        report.contains("every builder: takes no new work, because operator@"),
        "{report}"
    );
    let status = scene.shown(&["status"]);
    for part in [
        "Waiting\n",
        "every builder: takes no new work, paused by",
        "resume builder`",
    ] {
        assert!(status.contains(part), "{part:?} is not in {status}");
    }
    let again = scene.shown(&["pause", "builder"]);
    assert!(
        again.contains("paused already") && again.contains("new disks"),
        "{again}"
    );
    assert_eq!(scene.kinds(&["--kind", "PauseRequested"]).len(), 1);
    let document = json(&scene.shown(&["pause", "builder", "--json"]));
    assert_eq!(document["event"], serde_json::Value::Null);
    assert_eq!(
        (&document["paused"], &document["reason"]),
        (&true.into(), &"new disks".into())
    );

    let workers = json(&scene.shown(&["workers", "--json"]));
    assert_eq!(workers["process"], false);
    let builder = &workers["workers"][0];
    assert_eq!(
        (&builder["worker"], &builder["state"]),
        (&"builder@b1".into(), &"silent".into())
    );
    assert_eq!(builder["paused"][0]["reason"], "new disks");

    let still = scene.shown(&["resume", "builder@b1"]);
    assert!(
        still.contains("STAYS PAUSED") && still.contains("resume builder`"),
        "{still}"
    );
    let document = json(&scene.shown(&["resume", "builder", "--json"]));
    assert_eq!(document["target"]["name"], "builder");
    assert!(document["event"].is_string(), "{document}");
    assert_eq!(document["paused"], false);
    assert!(!scene.shown(&["status"]).contains("takes no new work"));
}

#[tokio::test]
async fn a_second_pause_gives_a_new_reason() {
    let scene = Scene::at_work().await;
    scene.shown(&["pause", "builder", "--reason", "new disks"]);
    let again = scene.shown(&["pause", "builder", "--reason", "new roof"]);
    assert!(
        again.contains("stays paused: new roof") && again.contains("new disks"),
        "{again}"
    );
    let workers = json(&scene.shown(&["workers", "--json"]));
    let paused = workers["workers"][0]["paused"].as_array().unwrap();
    assert_eq!(
        (paused.len(), &paused[0]["reason"]),
        (1, &"new roof".into())
    );
}

#[tokio::test]
async fn an_unknown_worker_is_refused_with_a_name_that_is_like_it() {
    let scene = Scene::at_work().await;
    let words = scene.refused(&["pause", "buidler@b1"], WRONG_USAGE);
    assert!(words.contains("did you mean builder@b1"), "{words}");
    let words = scene.refused(&["pause", "planner"], WRONG_USAGE);
    assert!(words.contains("takes no work of its own"), "{words}");
}

#[tokio::test]
async fn where_another_process_holds_the_journal_a_pause_says_what_to_do() {
    let scene = Scene::at_work().await;
    let holder = scene.journal().await;
    let words = scene.refused(&["pause", "builder"], COULD_NOT);
    assert!(words.contains("Ctrl-C"), "{words}");
    let workers = json(&scene.shown(&["workers", "--json"]));
    assert_eq!(workers["process"], true);
    assert_eq!(workers["workers"][0]["state"], "busy");
    holder.close().await;
}

#[tokio::test]
async fn a_queue_that_is_not_there_is_refused_with_one_that_is() {
    let scene = Scene::at_work().await;
    let words = scene.refused(&["queue", "peek", "build.defautl"], WRONG_USAGE);
    assert!(words.contains("did you mean build.default?"), "{words}");
    for (name, remedy) in [
        ("history", "events"),
        ("dead", "dead list"),
        ("plan", "events"),
        ("snapshots", "status"),
    ] {
        let words = scene.refused(&["queue", "peek", name], WRONG_USAGE);
        assert!(words.contains("no work that waits"), "{words}");
        let words = scene.refused(&["queue", "purge", name, "--yes"], WRONG_USAGE);
        assert!(words.contains(remedy), "{words}");
    }
}

#[tokio::test]
async fn where_nobody_can_be_asked_nothing_is_purged() {
    let scene = Scene::at_work().await;
    let words = scene.refused(&["queue", "purge", "build.default"], WRONG_USAGE);
    assert!(
        words.contains("30 to 54 s after the purge") && words.contains("--yes"),
        "{words}"
    );
}

#[tokio::test]
async fn a_run_is_known_by_the_end_of_its_id_and_an_unknown_one_is_not_there() {
    let scene = Scene::at_work().await;
    let report = json(&scene.shown(&["report", "000000000001", "--json"]));
    assert_eq!(report["run"], "01900000-0000-7000-8000-000000000001");
    assert_eq!(report["fleet"]["bus"]["state"], "good");
    let words = scene.refused(&["report", "0123456789ab"], NOT_THERE);
    assert!(words.contains("knows no run 0123456789ab"), "{words}");
}

#[test]
fn before_the_first_run_there_is_nothing_to_be_shown() {
    let scene = Scene::new();
    for arguments in [
        &["queue", "list"][..],
        &["queue", "peek", "scan"],
        &["dead", "list"],
        &["events"],
        &["status"],
        &["workers"],
        &["report"],
        &["report", "--format", "html"],
        &["plan"],
        &["trace"],
        &["why", "openssl"],
    ] {
        let output = scene.run(arguments);
        // A list of nothing is one; a run or a package that is asked for is not there.
        let code = match arguments[0] {
            "report" | "plan" | "trace" | "why" => NOT_THERE,
            _ => 0,
        };
        assert_eq!(output.status.code(), Some(code), "{}", words(&output));
        let words = words(&output);
        for part in ["no run yet", "state/journal.sqlite", "[broker]"] {
            assert!(words.contains(part), "{words}");
        }
    }
    for arguments in [
        &["events", "--guest", "nope"][..],
        &["dead", "list", "--queue", "nope"],
    ] {
        let words = scene.refused(arguments, WRONG_USAGE);
        assert!(words.contains("nope") && words.contains("g1"), "{words}");
    }
    let words = scene.refused(&["dead", "show", "3f9a"], NOT_THERE);
    assert!(words.contains("dead list"), "{words}");
}

#[tokio::test]
async fn what_matches_no_dead_letter_is_said_without_a_table() {
    let scene = Scene::at_work().await;
    let drop = ["dead", "drop", "--dry-run"];
    for filter in [["--queue", "scan"], ["--kind", "ScanGuest"]] {
        let words = scene.refused(&[&drop[..], &filter].concat(), NOT_THERE);
        assert!(words.contains("no dead letter matches that"), "{words}");
    }
    let list = ["dead", "list"];
    for command in [&list[..], &drop, &["dead", "retry"]] {
        let words = scene.refused(&[command, &["--queue", "nope"]].concat(), WRONG_USAGE);
        assert!(words.contains("no queue nope; there are"), "{words}");
    }
}

#[test]
fn ids_and_filters_of_dead_letters_exclude_each_other() {
    let scene = Scene::new();
    for arguments in [
        ["3f9a", "--all"],
        ["--all", "--queue=scan"],
        ["3f9a", "--kind=X"],
    ] {
        let arguments = [&["dead", "drop"], &arguments[..]].concat();
        let words = scene.refused(&arguments, WRONG_USAGE);
        assert!(words.contains("cannot be used with"), "{words}");
    }
}

#[test]
fn manual_pages_are_written_for_every_command() {
    let folder = TempDir::new().unwrap();
    let scene = Scene::new();
    scene.shown(&["man", folder.path().to_str().unwrap()]);
    let page = folder.path().join("gentoo-updater-queue-peek.1");
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains(".SH EXAMPLES"), "{page}");
    assert!(folder.path().join("gentoo-updater-builder.1").exists());
}

#[tokio::test]
async fn a_plan_shows_who_builds_what_and_a_retry_what_was_given_up() {
    let working = [
        "RunRequested",
        "GuestScanned",
        "BatchPlanned",
        "CommandIssued",
        "WorkStarted",
    ];
    let scene = Scene::after(&working).await;
    let shown = scene.shown(&["plan"]);
    assert!(shown.contains("dev-libs/libbeta-1.0"), "{shown}");
    assert!(shown.contains("builder@b1, for "), "{shown}");
    let nothing = scene.shown(&["retry", "dev-libs/libbeta"]);
    assert!(nothing.contains("is under way"), "{nothing}");

    let scene = Scene::after(&[&working[..], &["TaskAbandoned"]].concat()).await;
    assert!(scene.shown(&["plan"]).contains("FAILED: CompileFailure"));
    let document = json(&scene.shown(&["retry", "dev-libs/libbeta", "--json"]));
    assert_eq!(document["action"], "attempts");
    assert_eq!(document["work"][0]["subject"], "dev-libs/libbeta-1.0");
    assert_eq!(scene.kinds(&["--kind", "RetryRequested"]).len(), 1);
    let plan = json(&scene.shown(&["plan", "--json"]));
    assert_eq!(plan["jobs"][0]["progress"]["state"], "ready");
    let again = scene.run(&["retry", "dev-libs/libbeta"]);
    assert_eq!(again.status.code(), Some(0));
    assert_eq!(scene.kinds(&["--kind", "RetryRequested"]).len(), 1);
    let graph = scene.shown(&["plan", "--graph"]);
    assert!(graph.starts_with("digraph batch {"), "{graph}");
}

#[tokio::test]
async fn a_retry_needs_the_journal_and_says_what_is_not_there() {
    let scene = Scene::at_work().await;
    let words = scene.refused(&["retry", "dev-libs/none"], NOT_THERE);
    assert!(words.contains("has no job dev-libs/none"), "{words}");
    scene.refused(&["retry", "two words"], WRONG_USAGE);
    let held = scene.journal().await;
    let words = scene.refused(&["retry", "dev-libs/libbeta"], COULD_NOT);
    assert!(words.contains("holds"), "{words}");
    // Who only looks is not in the way.
    scene.shown(&["plan"]);
    held.close().await;
}

#[tokio::test]
async fn a_run_without_a_batch_says_what_it_waits_for() {
    let scene = Scene::after(&["RunRequested"]).await;
    let words = scene.refused(&["plan"], NOT_THERE);
    assert!(words.contains("waits for scan of g1"), "{words}");
}
