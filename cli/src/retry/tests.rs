use std::sync::Arc;

use gentoo_updater_bus::embedded::Embedded;
use gentoo_updater_bus::{Bus, Inspect, Speaker, SystemClock};
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::message::{Event, RunFinished, RunOutcome};

use super::{Action, Said, say};
use crate::open::Opened;
use crate::testing::{batch, built, failed, fleet, golden, job_of_batch, run_of_batch};
use crate::{NotThere, WrongUsage};

struct Desk {
    opened: Opened,
    settings: Arc<Settings>,
}

impl Desk {
    /// A history in memory with these events.
    async fn with(events: Vec<Event>) -> Self {
        let bus = Arc::new(Embedded::in_memory());
        let (bus, inspect): (Arc<dyn Bus>, Arc<dyn Inspect>) = (bus.clone(), bus);
        let desk = Self {
            opened: Opened {
                bus,
                inspect,
                is_beside: false,
            },
            settings: settings(),
        };
        for event in events {
            desk.hears(event).await;
        }
        desk
    }

    async fn hears(&self, event: Event) {
        let speaker = Speaker::new("test@1".parse().unwrap(), Arc::new(SystemClock));
        self.opened.bus.publish(&speaker.say(event)).await.unwrap();
    }

    async fn retry(&self, target: &str) -> anyhow::Result<Said> {
        say(&self.settings, &self.opened, Some(target)).await
    }
}

fn settings() -> Arc<Settings> {
    let text = r#"
        [platforms.default]
        store = "/var/cache/binpkgs"
        [builders.b1]
        address = "local"
        [guests.db]
        address = "ssh://root@db"
        [guests.web]
        address = "ssh://root@web"
    "#;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fleet.toml");
    std::fs::write(&path, text).unwrap();
    Arc::new(gentoo_updater_fleet::config::load(&path).unwrap())
}

/// The batch, of which `lib` has failed.
fn without_lib() -> Vec<Event> {
    let events: Vec<(i64, Event)> = batch().into_iter().map(|event| (1, event)).collect();
    let lib = job_of_batch(&fleet(&events), "a/lib-2");
    let mut events = batch();
    events.push(failed(&lib));
    events
}

fn finished() -> Event {
    Event::RunFinished(RunFinished {
        run: run_of_batch(),
        outcome: RunOutcome::WithFailures,
        retries: 0,
    })
}

#[tokio::test]
async fn a_job_is_named_by_its_package_its_version_its_id_and_by_what_waits_for_it() {
    let names = ["a/lib", "=a/lib-2", "a/lib-2", "a/doc"];
    let id = {
        let events: Vec<(i64, Event)> = batch().into_iter().map(|event| (1, event)).collect();
        job_of_batch(&fleet(&events), "a/lib-2")
            .id
            .short()
            .to_owned()
    };
    for name in names.into_iter().chain([id.as_str()]) {
        let desk = Desk::with(without_lib()).await;
        let said = desk.retry(name).await;
        // What only needs it when it runs is built all the same.
        if name == "a/doc" {
            let said = said.unwrap();
            assert_eq!(said.document.action, Action::Attempts, "{}", said.words);
            continue;
        }
        let said = said.unwrap();
        assert_eq!(said.document.action, Action::Attempts);
        assert_eq!(said.document.events.len(), 1);
        assert!(said.words.contains("build of a/lib-2"), "{}", said.words);
    }
}

#[tokio::test]
async fn what_is_tried_again_once_is_not_tried_again_twice() {
    let desk = Desk::with(without_lib()).await;
    desk.retry("a/lib").await.unwrap();
    let said = desk.retry("a/lib").await.unwrap();
    assert_eq!(said.document.action, Action::Nothing);
    assert!(said.words.contains("a/lib-2"), "{}", said.words);
    let said = desk.retry(&run_of_batch().to_string()).await.unwrap();
    assert_eq!(said.document.action, Action::Nothing);
}

#[tokio::test]
async fn without_a_name_it_is_all_that_failed_in_the_newest_update() {
    let desk = Desk::with(without_lib()).await;
    let said = say(&desk.settings, &desk.opened, None).await.unwrap();
    assert_eq!(said.document.action, Action::Attempts);
    assert_eq!(said.document.run, Some(run_of_batch()));
    assert!(said.words.contains("build of a/lib-2"), "{}", said.words);
    let nothing = Desk::with(Vec::new()).await;
    let refused = say(&nothing.settings, &nothing.opened, None).await;
    let refused = refused.map(|said| said.words).unwrap_err();
    assert!(refused.is::<NotThere>(), "{refused}");
}

#[tokio::test]
async fn of_a_run_that_is_over_a_further_run_is_asked_for_once() {
    let mut events = without_lib();
    events.push(finished());
    let desk = Desk::with(events).await;
    let said = desk.retry(&run_of_batch().short()).await.unwrap();
    assert_eq!(said.document.action, Action::Run);
    assert_eq!(said.document.of, Some(run_of_batch()));
    let names: Vec<&str> = said.document.guests.iter().map(|g| g.as_str()).collect();
    assert_eq!(names, ["db", "web"]);
    let again = desk.retry(&run_of_batch().short()).await.unwrap();
    assert_eq!(again.document.action, Action::Nothing);
    assert_eq!(again.document.run, said.document.run);
}

#[tokio::test]
async fn several_jobs_of_one_package_are_listed_and_a_strange_name_is_refused() {
    let events: Vec<(i64, Event)> = batch().into_iter().map(|event| (1, event)).collect();
    let state = fleet(&events);
    let jobs = state.runs[&run_of_batch()].jobs.clone().unwrap();
    let mut events = batch();
    events.push(built(&job_of_batch(&state, "a/lib-2"), 1_000));
    let apps = jobs
        .values()
        .filter(|job| job.key.cpv.to_string() == "a/app-2");
    events.extend(apps.map(failed));
    let desk = Desk::with(events).await;
    let error = desk.retry("a/app").await.err().unwrap();
    assert!(error.is::<WrongUsage>());
    let text = error.to_string();
    assert!(
        text.contains("a/app-2  ssl") && text.contains("a/app-2  -ssl"),
        "{text}"
    );
    let error = desk.retry("a/none").await.err().unwrap();
    assert!(error.is::<NotThere>(), "{error}");
    assert!(
        desk.retry("two words")
            .await
            .err()
            .unwrap()
            .is::<WrongUsage>()
    );
}

#[tokio::test]
async fn what_was_said_is_told_to_programs() {
    let desk = Desk::with(without_lib()).await;
    let mut said = desk.retry("a/lib").await.unwrap();
    // It is new each time.
    said.document.events = vec![gentoo_updater_fleet::name::EventId(uuid::Uuid::nil())];
    golden("retry", &said.document);
}
