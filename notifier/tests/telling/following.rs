//! A notifier that follows the history.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use axum::http::StatusCode;
use gentoo_updater_bus::Inspect;
use gentoo_updater_fleet::message::{Command, Envelope};
use gentoo_updater_notifier::{Telling, undelivered};
use gentoo_updater_runtime::Context;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::hook::{Answer, Hook, webhook};
use crate::scene::{Fleet, settings, until};

/// A notifier at work.
struct Notifier {
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Notifier {
    fn start(context: Context) -> Self {
        let stop = context.stop.clone();
        let serve = async move { gentoo_updater_notifier::serve(&context, "test").await };
        let task = tokio::spawn(serve);
        Self { stop, task }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

/// What is told by a process that ends.
pub(crate) async fn pass(fleet: &Fleet) {
    let telling = Telling::begin(&fleet.context(), "test").await.unwrap();
    let left = telling.unwrap().end(Duration::from_secs(60)).await.unwrap();
    assert_eq!(left, 0);
}

fn note(folder: &Path) -> std::path::PathBuf {
    folder.join("state/workers/notifier@test/ops.json")
}

/// Whether nothing is being told, and what was is noted.
fn is_noted(folder: &Path) -> bool {
    let told = std::fs::read(note(folder)).unwrap();
    let told: serde_json::Value = serde_json::from_slice(&told).unwrap();
    told["found"].as_object().unwrap().is_empty()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notifier_tells_what_comes_and_nothing_of_before_also_over_restarts() {
    let (folder, hook) = (TempDir::new().unwrap(), Hook::default());
    let address = hook.serve().await;
    let fleet = Fleet::new(settings(folder.path(), &webhook("ops", address))).await;
    fleet.run().await;
    let notifier = Notifier::start(fleet.context());
    until("it listens", || note(folder.path()).exists()).await;
    // The first answer is none, and it is told again under its id.
    hook.answers(Answer::Status(StatusCode::SERVICE_UNAVAILABLE));
    fleet.run().await;
    until("it is told", || hook.ids().len() == 2).await;
    assert_eq!(hook.ids()[0], hook.ids()[1]);
    let document = hook.taken()[1].document();
    assert_eq!(document["occasion"], "failed");
    assert!(document["run"]["report"]["guests"]["g1"].is_object());
    // Who is killed between the two tells it again.
    until("it is noted", || is_noted(folder.path())).await;
    notifier.stop().await;

    // What came while it was away is told when it is back, also what the state has forgotten by then.
    let mut wanted = BTreeSet::new();
    for _ in 0..7 {
        wanted.insert(fleet.run().await.to_string());
    }
    let notifier = Notifier::start(fleet.context());
    until("the rest is told", || hook.ids().len() == 9).await;
    let taken = hook.taken().split_off(2);
    let told = taken.into_iter().map(|taken| {
        let document = taken.document();
        document["run"]["id"].as_str().unwrap().to_owned()
    });
    assert_eq!(told.collect::<BTreeSet<_>>(), wanted);
    until("the last is noted", || is_noted(folder.path())).await;
    notifier.stop().await;
    pass(&fleet).await;
    assert_eq!(hook.ids().len(), 9, "something is told twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_notifier_has_told_and_not_noted_is_told_again_under_its_id() {
    let (folder, hook) = (TempDir::new().unwrap(), Hook::default());
    let address = hook.serve().await;
    let fleet = Fleet::new(settings(folder.path(), &webhook("ops", address))).await;
    pass(&fleet).await;
    let before = std::fs::read(note(folder.path())).unwrap();
    fleet.run().await;
    pass(&fleet).await;
    // As if it had died between the two.
    std::fs::write(note(folder.path()), before).unwrap();
    pass(&fleet).await;
    pass(&fleet).await;
    let ids = hook.ids();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_delivered_is_kept_and_holds_up_nothing() {
    let (folder, hook) = (TempDir::new().unwrap(), Hook::default());
    let address = hook.serve().await;
    let fleet = Fleet::new(settings(folder.path(), &webhook("ops", address))).await;
    pass(&fleet).await;
    hook.answers(Answer::Echo);
    fleet.run().await;
    fleet.run().await;
    pass(&fleet).await;
    assert_eq!(hook.ids().len(), 2);
    let kept = undelivered(&fleet.settings).unwrap().notices;
    let [kept] = &kept[..] else {
        panic!("{kept:?}")
    };
    assert_eq!(
        (kept.tries, kept.id.to_string()),
        (1, hook.ids()[0].clone())
    );
    assert!(kept.cause.contains("404 Not Found"), "{}", kept.cause);
    let written = serde_json::to_string(&kept).unwrap();
    assert!(!written.contains("hunter"), "{written}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_told_in_time_is_left_to_the_next_process() {
    let (folder, hangs, hook) = (TempDir::new().unwrap(), Hook::default(), Hook::default());
    let ways = [("a", hangs.serve().await), ("ops", hook.serve().await)];
    let text = ways.map(|(name, address)| webhook(name, address)).concat();
    let fleet = Fleet::new(settings(folder.path(), &text)).await;
    pass(&fleet).await;
    for _ in 0..2 {
        hangs.answers(Answer::Never);
        fleet.run().await;
    }
    let telling = Telling::begin(&fleet.context(), "test").await.unwrap();
    until("the one hangs", || hangs.ids().len() == 1).await;
    until("the other is told all", || hook.ids().len() == 2).await;
    let left = telling.unwrap().end(Duration::from_millis(100)).await;
    assert_eq!(left.unwrap(), 2);
    assert!(undelivered(&fleet.settings).unwrap().notices.is_empty());
    hangs.answer_from_now_on();
    pass(&fleet).await;
    let ids = hangs.ids();
    assert_eq!((ids.len(), hook.ids().len()), (3, 2));
    assert_eq!(ids[0], ids[1], "it has another id");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_to_end_does_not_wait_for_a_long_pause_between_tries() {
    let (folder, hook) = (TempDir::new().unwrap(), Hook::default());
    let address = hook.serve().await;
    let fleet = Fleet::new(settings(folder.path(), &webhook("ops", address))).await;
    pass(&fleet).await;
    for _ in 0..2 {
        hook.answers(Answer::Status(StatusCode::SERVICE_UNAVAILABLE));
    }
    let telling = Telling::begin(&fleet.context(), "test").await.unwrap();
    fleet.run().await;
    // The pause after the second try is 8 s.
    until("it was tried twice", || hook.ids().len() == 2).await;
    let left = telling.unwrap().end(Duration::from_secs(5)).await.unwrap();
    assert_eq!((left, hook.ids().len()), (0, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_read_silences_nobody() {
    let (folder, refuses, hook) = (TempDir::new().unwrap(), Hook::default(), Hook::default());
    let ways = [("a", refuses.serve().await), ("ops", hook.serve().await)];
    let text = ways.map(|(name, address)| webhook(name, address)).concat();
    let fleet = Fleet::new(settings(folder.path(), &text)).await;
    pass(&fleet).await;
    let own = folder.path().join("state/workers/notifier@test");
    let damaged = own.join("undelivered/0000.json");
    std::fs::create_dir_all(own.join("undelivered")).unwrap();
    std::fs::write(&damaged, "").unwrap();
    refuses.answers(Answer::Status(StatusCode::NOT_FOUND));
    fleet.run().await;
    pass(&fleet).await;
    pass(&fleet).await;
    assert_eq!((refuses.ids().len(), hook.ids().len()), (1, 1));
    let all = undelivered(&fleet.settings).unwrap();
    assert_eq!(all.notices.len(), 1);
    assert_eq!(all.unreadable.len(), 1);
    assert_eq!(all.unreadable[0].path, damaged);

    // Nobody can say what this one was told.
    std::fs::write(own.join("a.json"), "").unwrap();
    fleet.run().await;
    pass(&fleet).await;
    assert_eq!((refuses.ids().len(), hook.ids().len()), (1, 2));
    std::fs::write(own.join("ops.json"), "").unwrap();
    let telling = Telling::begin(&fleet.context(), "test").await;
    let error = format!("{:#}", telling.err().unwrap());
    assert!(
        error.contains("ops.json cannot be read; remove it"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_kept_does_not_hold_up_what_comes_after_it() {
    let (folder, hook) = (TempDir::new().unwrap(), Hook::default());
    let address = hook.serve().await;
    let fleet = Fleet::new(settings(folder.path(), &webhook("ops", address))).await;
    pass(&fleet).await;
    // A file where the folder should be.
    let own = folder.path().join("state/workers/notifier@test");
    std::fs::write(own.join("undelivered"), "").unwrap();
    hook.answers(Answer::Status(StatusCode::NOT_FOUND));
    fleet.run().await;
    fleet.run().await;
    pass(&fleet).await;
    pass(&fleet).await;
    assert_eq!(hook.ids().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_that_hangs_does_not_hold_up_another() {
    let (folder, hangs, hook) = (TempDir::new().unwrap(), Hook::default(), Hook::default());
    let ways = [("a", hangs.serve().await), ("ops", hook.serve().await)];
    let text = ways.map(|(name, address)| webhook(name, address)).concat();
    let fleet = Fleet::new(settings(folder.path(), &text)).await;
    hangs.answers(Answer::Never);
    let notifier = Notifier::start(fleet.context());
    until("it listens", || note(folder.path()).exists()).await;
    fleet.run().await;
    until("the one hangs", || hangs.ids().len() == 1).await;
    fleet.run().await;
    until("the other is told all", || hook.ids().len() == 2).await;
    assert_eq!(hangs.ids().len(), 1);
    notifier.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_told_once_and_again_when_more_come() {
    let (folder, hook) = (TempDir::new().unwrap(), Hook::default());
    let address = hook.serve().await;
    let fleet = Fleet::new(settings(folder.path(), &webhook("ops", address))).await;
    let golden = "../shared/fleet/tests/golden/ScanGuest.v1.json";
    let body = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(golden)).unwrap();
    let command = Envelope::<Command>::decode(&body).unwrap();
    let headlines = || -> Vec<String> {
        let taken = hook.taken().into_iter().map(|taken| taken.document());
        taken
            .map(|it| it["headline"].as_str().unwrap().to_owned())
            .collect()
    };
    let bury = || async {
        use gentoo_updater_bus::Bus as _;
        let cause = "a test".to_owned();
        fleet.bus.bury("scan", &command, cause).await.unwrap();
    };
    pass(&fleet).await;
    bury().await;
    pass(&fleet).await;
    pass(&fleet).await;
    let one = "1 dead letter waits: messages that nobody could use";
    assert_eq!(headlines(), [one]);
    bury().await;
    pass(&fleet).await;
    let two = "2 dead letters wait: messages that nobody could use";
    assert_eq!(headlines(), [one, two]);
    // Those that come after they were looked after are others.
    let letters = fleet.bus.dead_letters(10).await.unwrap();
    let ids = letters.into_iter().map(|letter| letter.id).collect();
    fleet.bus.drop_dead(&ids).await.unwrap();
    pass(&fleet).await;
    bury().await;
    pass(&fleet).await;
    assert_eq!(headlines(), [one, two, one]);
    let ids: BTreeSet<String> = hook.ids().into_iter().collect();
    assert_eq!(ids.len(), 3);
}
