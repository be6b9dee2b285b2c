//! The planner's process.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use gentoo_updater_chaos::scene::Scene;

/// The planner. It ends when this is dropped.
pub(crate) struct Planner {
    child: Child,
    log: PathBuf,
}

impl Planner {
    /// With this configuration. Its log goes into a folder.
    pub(crate) fn start(folder: &Path, configuration: &Path) -> Self {
        let scene = folder.join("scene.json");
        // Whoever plans needs none of it.
        Scene::small(folder, Duration::ZERO).write(&scene);
        let log = folder.join("planner.log");
        let file = File::create(&log).expect("a log");
        let child = Command::new(env!("CARGO_BIN_EXE_gentoo-updater-chaos-worker"))
            .arg("--config")
            .arg(configuration)
            .arg("--scene")
            .arg(scene)
            .arg("planner")
            .env("RUST_LOG", "warn,gentoo_updater_planner=info")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn();
        let child = child.expect("a planner");
        Self { child, log }
    }

    fn proc(&self, name: &str) -> String {
        let path = format!("/proc/{}/{name}", self.child.id());
        fs::read_to_string(path).expect("the planner runs")
    }

    /// The most memory that it ever had (VmHWM of proc(5)).
    pub(crate) fn peak_mebibytes(&self) -> f64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let kibibytes: f64 = number
            .expect("VmHWM")
            .trim()
            .parse()
            .expect("a number of kB");
        kibibytes / 1024.0
    }

    /// What it has had of the processors (utime and stime of proc(5)).
    pub(crate) fn processor_seconds(&self) -> f64 {
        let stat = self.proc("stat");
        // The name before it can hold anything.
        let (_, fields) = stat.rsplit_once(") ").expect("fields");
        let ticks = fields.split(' ').skip(11).take(2);
        let ticks: f64 = ticks
            .map(|ticks| ticks.parse::<f64>().expect("a number of ticks"))
            .sum();
        ticks / rustix::param::clock_ticks_per_second() as f64
    }

    /// Stops it. It must have had nothing to complain of.
    pub(crate) fn stop(mut self) {
        let still_runs = self.child.try_wait().expect("a child");
        assert_eq!(still_runs, None, "the planner runs to the end");
        let log = fs::read_to_string(&self.log).expect("a log");
        let complaints: Vec<&str> = log
            .lines()
            .filter(|line| line.contains("WARN") || line.contains("ERROR"))
            .collect();
        assert!(complaints.is_empty(), "{complaints:#?}");
    }
}

impl Drop for Planner {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("{}", lines[lines.len().saturating_sub(40)..].join("\n"));
        }
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
