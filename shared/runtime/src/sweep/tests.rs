use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use gentoo_updater_hosts::job::{JobHandle, JobOutcome, JobSpec, start_or_attach};
use gentoo_updater_hosts::{HostAddress, SshSettings, connect};
use std::sync::Arc;
use tempfile::TempDir;

use super::*;

/// A machine on which something is left.
struct Machine {
    folder: TempDir,
    host: Arc<dyn Host>,
    places: Places,
}

impl Machine {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let settings = SshSettings::default();
        let host = connect(&HostAddress::Local, &settings).await.unwrap();
        let places = Places {
            work: folder.path().join("work"),
            runs: folder.path().join("runs"),
            logs: folder.path().join("logs"),
            spool: folder.path().join("jobs"),
            groups: Vec::new(),
        };
        Self {
            folder,
            host,
            places,
        }
    }

    /// Leaves a file, and makes it and what it lies in so old.
    fn leave(&self, path: &str, days: u64) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "left").unwrap();
        let time = SystemTime::now() - Duration::from_secs(days * 24 * 3600);
        for path in path
            .ancestors()
            .take_while(|path| *path != self.folder.path())
        {
            File::open(path).unwrap().set_modified(time).unwrap();
        }
    }

    /// Starts a job that ends when the file `go` is there.
    async fn start(&self, id: &str) -> JobHandle<'_> {
        let go = self.folder.path().join("go").display().to_string();
        let script = r#"until [ -e "$1" ]; do sleep 0.05; done"#;
        let command = Command::shell("job", script, [go]);
        let spec = JobSpec::new(id.parse().unwrap(), command).spool(&self.places.spool);
        start_or_attach(self.host.as_ref(), &spec).await.unwrap()
    }

    async fn sweep(&self, over: Option<RunId>) {
        one(self.host.as_ref(), over, &self.places).await.unwrap();
    }

    /// The files that are left, jobs aside.
    fn left(&self) -> Vec<String> {
        fn files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => files(&path, found),
                    false => found.push(path),
                }
            }
        }
        let mut found = Vec::new();
        files(self.folder.path(), &mut found);
        let names = found.iter().map(|path| {
            let path = path.strip_prefix(self.folder.path()).unwrap();
            path.to_str().unwrap().to_owned()
        });
        let mut names: Vec<String> = names.filter(|name| !name.starts_with("jobs/")).collect();
        names.sort();
        names
    }
}

#[tokio::test]
async fn the_room_of_a_build_stays_while_it_runs_and_goes_when_it_was_killed() {
    let machine = Machine::new().await;
    let run = RunId::generate();
    let room = format!("work/{run}/0123456789ab/room/upper/file");
    machine.leave(&room, 30);
    let job = machine.start(&format!("build-{run}-0123456789ab")).await;
    machine.sweep(None).await;
    assert_eq!(
        machine.left(),
        *std::slice::from_ref(&room),
        "of a build that runs"
    );

    job.kill().await.unwrap();
    // A young one, as what it has built may be asked for.
    let binary = format!("work/{run}/0123456789ab/packages/binary");
    machine.leave(&binary, 0);
    machine.sweep(None).await;
    assert_eq!(machine.left(), [binary]);
}

#[tokio::test]
async fn what_is_a_week_old_goes_and_what_is_younger_or_somebody_elses_stays() {
    let machine = Machine::new().await;
    let [old, cleaned, young] = [(); 3].map(|()| RunId::generate());
    let mut stays = vec![
        format!("logs/{young}/build.log"),
        format!("runs/{old}/before-builder"),
        format!("runs/{young}/before-installer"),
        "runs/notes/of-somebody".to_owned(),
        format!("work/{young}/0123456789ab/build-id"),
    ];
    let goes = [
        format!("logs/{old}/build.log"),
        format!("runs/{cleaned}/before-builder"),
        format!("runs/{cleaned}/cleaned"),
        format!("work/{old}/0123456789ab/build-id"),
        format!("work/{young}.left/0123456789ab/build-id"),
        "work/room.x7Fz2a/upper/file".to_owned(),
    ];
    for path in &goes {
        machine.leave(path, 8);
    }
    for path in &stays {
        machine.leave(
            path,
            if path.contains(&young.to_string()) {
                6
            } else {
                30
            },
        );
    }
    stays.sort();
    machine.sweep(None).await;
    assert_eq!(machine.left(), stays);
    machine.sweep(None).await;
    assert_eq!(machine.left(), stays, "once more there is nothing to do");
}

#[tokio::test]
async fn of_a_run_that_is_over_a_build_that_still_runs_is_ended_and_its_work_goes() {
    let machine = Machine::new().await;
    let [run, other] = [RunId::generate(), RunId::generate()];
    for run in [run, other] {
        machine.leave(&format!("work/{run}/0123456789ab/room/file"), 0);
        machine.leave(&format!("runs/{run}/before-builder"), 0);
    }
    let mut job = machine.start(&format!("build-{run}-0123456789ab")).await;
    let mut of_other = machine.start(&format!("build-{other}-0123456789ab")).await;
    machine.sweep(Some(run)).await;
    let mut left = vec![
        format!("runs/{other}/before-builder"),
        format!("runs/{run}/before-builder"),
        format!("work/{other}/0123456789ab/room/file"),
    ];
    left.sort();
    assert_eq!(machine.left(), left);
    let outcome = job.wait(|_| {}).await.unwrap();
    assert_eq!(outcome, JobOutcome::Killed("TERM".to_owned()));
    fs::write(machine.folder.path().join("go"), "").unwrap();
    assert!(
        of_other.wait(|_| {}).await.unwrap().success(),
        "of another run"
    );
}

#[tokio::test]
async fn a_job_that_ended_a_week_ago_is_forgotten() {
    let machine = Machine::new().await;
    fs::write(machine.folder.path().join("go"), "").unwrap();
    for id in ["old", "young"] {
        let mut job = machine.start(id).await;
        assert!(job.wait(|_| {}).await.unwrap().success());
    }
    let time = SystemTime::now() - Duration::from_secs(8 * 24 * 3600);
    let folder = File::open(machine.places.spool.join("old")).unwrap();
    folder.set_modified(time).unwrap();
    machine.sweep(None).await;
    let jobs = job::list(machine.host.as_ref(), &machine.places.spool).await;
    let ids: Vec<String> = jobs.unwrap().iter().map(|job| job.id.to_string()).collect();
    assert_eq!(ids, ["young"]);
}

#[tokio::test]
async fn what_cannot_be_removed_keeps_nothing_else_from_going() {
    let machine = Machine::new().await;
    // It is put aside first, and no name can be as long as that would be.
    let stuck = format!("work/room.a{}/file", "x".repeat(245));
    machine.leave(&stuck, 8);
    machine.leave("work/room.b/file", 8);
    let job = machine.start("ended").await;
    job.kill().await.unwrap();
    let time = SystemTime::now() - Duration::from_secs(8 * 24 * 3600);
    let folder = File::open(machine.places.spool.join("ended")).unwrap();
    folder.set_modified(time).unwrap();
    machine.sweep(None).await;
    assert_eq!(machine.left(), [stuck]);
    let jobs = job::list(machine.host.as_ref(), &machine.places.spool).await;
    assert!(jobs.unwrap().is_empty());
}

#[tokio::test]
async fn a_machine_that_was_never_used_has_nothing_to_sweep() {
    let machine = Machine::new().await;
    machine.sweep(Some(RunId::generate())).await;
    assert!(machine.left().is_empty());
}
