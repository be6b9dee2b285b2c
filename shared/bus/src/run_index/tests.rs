use std::sync::Arc;

use gentoo_updater_fleet::inspect::RunIndex;
use gentoo_updater_fleet::message::{Event, GuestUpdated, RunFinished, RunOutcome, ScanGuest};
use gentoo_updater_fleet::name::RunId;
use tempfile::TempDir;

use super::{Indexed, RunIndexCache, run_told, up_to_date};
use crate::embedded::Embedded;
use crate::seam::Bus;
use crate::testing::{guest, run_requested, said, scanned, within};

/// A history in a folder, and the cache beside it.
struct Scene {
    folder: TempDir,
    bus: Embedded,
}

impl Scene {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let bus = Embedded::open(folder.path().join("journal.sqlite")).await;
        Self {
            bus: bus.unwrap(),
            folder,
        }
    }

    fn cache(&self) -> RunIndexCache {
        RunIndexCache::in_directory(self.folder.path())
    }

    fn file(&self) -> std::path::PathBuf {
        self.folder.path().join("run-index.cache")
    }

    async fn say(&self, event: Event) {
        self.bus.publish(&said(event)).await.unwrap();
    }

    /// A run of one guest, whole or up to its scan.
    async fn run(&self, is_whole: bool) -> RunId {
        let run = RunId::generate();
        self.bus.publish(&run_requested(run)).await.unwrap();
        let scan = ScanGuest {
            run,
            attempt: 1,
            guest: guest(),
            force: false,
            sync: false,
        };
        self.say(scanned(&scan)).await;
        if is_whole {
            self.say(Event::GuestUpdated(GuestUpdated {
                run,
                guest: guest(),
                attempt: 1,
                changes: Vec::new(),
                held: Vec::new(),
                findings: Vec::new(),
            }))
            .await;
            self.say(Event::RunFinished(RunFinished {
                run,
                outcome: RunOutcome::Complete,
                retries: 0,
            }))
            .await;
        }
        run
    }

    async fn indexed(&self) -> Indexed {
        let kept = self.cache().load().await;
        within(up_to_date(&self.bus, kept, |_, _| {}))
            .await
            .unwrap()
    }

    /// The index, kept.
    async fn kept(&self) -> Indexed {
        let indexed = self.indexed().await;
        self.cache().keep(&indexed.index).await.unwrap();
        indexed
    }
}

fn written(index: &RunIndex) -> RunIndex {
    RunIndex::decode(&index.encode().unwrap()).unwrap()
}

#[tokio::test]
async fn a_kept_index_is_gone_on_with_and_is_what_one_made_anew_is() {
    let scene = Scene::new().await;
    scene.run(true).await;
    let open = scene.run(false).await;
    let first = scene.kept().await;
    assert_eq!((first.read, first.made_anew.is_some()), (6, true));
    scene.run(true).await;
    let second = scene.indexed().await;
    assert_eq!((second.read, second.made_anew), (4, None));
    // The run that goes on is in it, and those that are over are not.
    assert!(second.index.fleet().runs.contains_key(&open));
    std::fs::remove_file(scene.file()).unwrap();
    let anew = scene.indexed().await;
    assert_eq!(written(&anew.index), written(&second.index));
}

#[tokio::test]
async fn a_damaged_an_older_and_a_foreign_index_are_made_anew() {
    let scene = Scene::new().await;
    scene.run(true).await;
    scene.kept().await;
    let good = std::fs::read(scene.file()).unwrap();
    let mut flipped = good.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let elsewhere = Scene::new().await;
    elsewhere.run(true).await;
    elsewhere.run(true).await;
    elsewhere.kept().await;
    let foreign = std::fs::read(elsewhere.file()).unwrap();
    let shorter = Scene::new().await;
    shorter.run(true).await;
    shorter.kept().await;
    let of_another = std::fs::read(shorter.file()).unwrap();
    for (content, why) in [
        (good[..middle].to_vec(), "unpacked"),
        (flipped, ""),
        (b"no index".to_vec(), "unpacked"),
        (Vec::new(), ""),
        (foreign, "begun anew"),
        (of_another, "another history"),
    ] {
        std::fs::write(scene.file(), content).unwrap();
        let indexed = scene.kept().await;
        let told = indexed.made_anew.unwrap();
        assert!(told.contains(why), "{told:?} has no {why:?}");
        assert_eq!(indexed.read, 4);
        let again = scene.indexed().await;
        assert_eq!((again.read, again.made_anew), (0, None));
    }
}

#[tokio::test]
async fn an_index_of_another_version_is_made_anew() {
    let scene = Scene::new().await;
    scene.run(true).await;
    let indexed = scene.kept().await;
    let mut document = serde_json::to_value(&indexed.index).unwrap();
    for field in ["index_version", "state_version"] {
        let version = document[field].as_u64().unwrap();
        document[field] = (version - 1).into();
        let error = RunIndex::from_json(document.to_string()).unwrap_err();
        assert!(error.to_string().contains("it has version"), "{error}");
        document[field] = version.into();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reads_while_others_replace_it_reads_a_whole_one() {
    let scene = Scene::new().await;
    scene.run(true).await;
    let index = Arc::new(scene.kept().await.index);
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let (cache, index) = (scene.cache(), index.clone());
            tokio::spawn(async move {
                for _ in 0..50 {
                    cache.keep(&index).await.unwrap();
                }
            })
        })
        .collect();
    while writers.iter().any(|writer| !writer.is_finished()) {
        scene.cache().load().await.unwrap();
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let files = std::fs::read_dir(scene.folder.path()).unwrap();
    let left = files.filter(|file| {
        let name = file.as_ref().unwrap().file_name();
        name.to_string_lossy().ends_with(".new")
    });
    assert_eq!(left.count(), 0);
}

#[tokio::test]
async fn a_run_that_is_over_is_told_by_the_history_between_its_offsets() {
    let scene = Scene::new().await;
    let run = scene.run(true).await;
    let open = scene.run(false).await;
    scene.kept().await;
    let index = scene.indexed().await.index;
    assert!(!index.fleet().runs.contains_key(&run));
    let place = index.find(|it| it == run).unwrap();
    assert_eq!((place.first, place.last), (1, 4));
    let told = within(run_told(&scene.bus, &index, place, |_| true)).await;
    let (fleet, had) = told.unwrap().unwrap();
    assert!(fleet.runs[&run].finished.is_some());
    assert!(fleet.runs.contains_key(&open));
    assert!(had.contains_key(&guest()));
}

/// The cache is a help, and an answer without it is as good.
#[tokio::test]
async fn where_the_folder_cannot_be_written_that_is_said_and_nothing_is_lost() {
    let scene = Scene::new().await;
    scene.run(true).await;
    let indexed = scene.indexed().await;
    let nowhere = RunIndexCache::in_directory(&scene.folder.path().join("nowhere"));
    let error = nowhere.keep(&indexed.index).await.unwrap_err();
    assert!(error.to_string().contains("cannot be written"), "{error}");
    assert!(nowhere.load().await.is_err());
}
