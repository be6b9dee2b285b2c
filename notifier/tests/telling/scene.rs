//! A configuration with one way, a trial of it, and a fleet whose history is followed.

use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gentoo_updater_bus::Bus;
use gentoo_updater_bus::embedded::Embedded;
use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_fleet::config::{self, Settings};
use gentoo_updater_fleet::message::{Envelope, Event, RunFinished, RunKind, RunOutcome};
use gentoo_updater_fleet::name::RunId;
use gentoo_updater_fleet::request::{Request, Wishes};
use gentoo_updater_notifier::{Rendering, deliver};
use gentoo_updater_runtime::Context;
use tokio_util::sync::CancellationToken;
use tracing::instrument::WithSubscriber as _;

/// What signs, and the password.
pub(crate) const SECRET: &str = "hunter2hunter2hunter2";
/// What is in the address of a webhook.
pub(crate) const TOKEN: &str = "hunter3hunter3";

/// These notifications; `SECRET_FILE` in them is the file with the secret.
pub(crate) fn settings(folder: &Path, notifications: &str) -> Arc<Settings> {
    let secret = folder.join("secret");
    std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
    let notifications = notifications.replace("SECRET_FILE", secret.to_str().unwrap());
    let text = format!(
        "state_directory = {:?}\n[builders.b1]\naddress = \"local\"\n[guests.g1]\naddress = \
         \"local\"\n{notifications}",
        folder.join("state")
    );
    let path = folder.join("fleet.toml");
    std::fs::write(&path, text).unwrap();
    Arc::new(config::load(&path).unwrap())
}

/// Sends a trial, and gives what came of it in words. No secret is in it, nor in any log.
pub(crate) async fn trial(settings: &Settings) -> Result<String, String> {
    let (name, notification) = settings.notifications.iter().next().unwrap();
    let message = Rendering::trial(settings, name, notification).unwrap();
    let log = Log::default();
    let own = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || own.clone());
    let told = deliver(notification, &message)
        .with_subscriber(subscriber.finish())
        .await;
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let words = format!("{told:?} {settings:?} {log}");
    for secret in [SECRET, TOKEN] {
        assert!(!words.contains(secret), "a secret is shown: {words}");
    }
    told.map(|answer| answer.0).map_err(|failed| failed.cause)
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A fleet whose bus is in memory.
pub(crate) struct Fleet {
    pub(crate) bus: Arc<Embedded>,
    view: FleetView,
    pub(crate) settings: Arc<Settings>,
}

impl Fleet {
    pub(crate) async fn new(settings: Arc<Settings>) -> Self {
        let bus = Arc::new(Embedded::in_memory());
        let view = FleetView::follow(bus.clone(), CancellationToken::new());
        let view = view.await.unwrap();
        Self {
            bus,
            view,
            settings,
        }
    }

    async fn say(&self, event: Event) {
        let by = "operator@test".parse().unwrap();
        let event = Envelope::new(by, jiff::Timestamp::now(), event);
        self.bus.publish(&event).await.unwrap();
    }

    /// A run that is over, with failures.
    pub(crate) async fn run(&self) -> RunId {
        let run = RunId::generate();
        let request = Request::of(&self.settings, RunKind::Update, &Wishes::default()).unwrap();
        self.say(Event::RunRequested(request.requested(run, None)))
            .await;
        self.say(Event::RunFinished(RunFinished {
            run,
            outcome: RunOutcome::WithFailures,
            retries: 0,
        }))
        .await;
        let is_over = |fleet: &gentoo_updater_fleet::state::Fleet| fleet.is_over(run);
        self.view.wait_until(is_over).await.unwrap();
        run
    }

    /// What a process of this fleet works with.
    pub(crate) fn context(&self) -> Context {
        let stop = CancellationToken::new();
        Context::new(self.settings.clone(), self.bus.clone(), stop)
    }
}

pub(crate) async fn until(what: &str, wanted: impl Fn() -> bool) {
    let begun = Instant::now();
    while !wanted() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
