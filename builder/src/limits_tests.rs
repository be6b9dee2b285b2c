//! What a build may take, with the real shell program.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

const LIMITS: &str = include_str!("limits.sh");

/// What the program takes from `build.sh`.
const AROUND: &str = r#"set -u
unfit() { printf '\n@@ gentoo-updater: unfit: %s\n' "$1"; exit 20; }
work=$1 seconds_to_end=2
shift
"#;

struct Build {
    folder: TempDir,
    memory: &'static str,
    room: &'static str,
}

impl Build {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("log"), "").unwrap();
        let (memory, room) = ("", "");
        Self {
            folder,
            memory,
            room,
        }
    }

    /// A shell script, with a log of at most a megabyte and the folder as `$1`.
    fn run(&self, before: &[&str], script: &str) -> Output {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let id = format!("test-{}-{}", std::process::id(), self.memory);
        let program = format!("{AROUND}{LIMITS}limited \"$@\"\n");
        let log = fs::File::options().append(true).open(path("log")).unwrap();
        Command::new("sh")
            .args(["-c", &program, "sh", &path(""), &id, self.memory])
            .args([&path("log"), "1", self.room])
            .args(before)
            .args(["sh", "-c", script, "script", &path("")])
            .stdout(log)
            .output()
            .unwrap()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }
}

const ENDLESS: &str = r#"
    (sh -c 'trap "" TERM; echo $$ > "$1/second"; while :; do sleep 1; done' second "$1") &
    until [ -s "$1/second" ]; do :; done
    while :; do echo 0123456789012345678901234567890123456789; done"#;

/// Whether a process lives: one that has ended stays in the table until its parent asks for it.
fn lives(pid_file: &Path) -> bool {
    let pid = fs::read_to_string(pid_file).unwrap();
    let stat = fs::read_to_string(Path::new("/proc").join(pid.trim()).join("stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn a_build_within_its_limits_ends_as_it_wants() {
    let build = Build::new();
    let output = build.run(&[], "echo said; exit 23");
    assert_eq!(output.status.code(), Some(23), "{output:?}");
    assert_eq!(build.log(), "said\n");
}

#[test]
fn what_writes_too_much_into_its_log_is_ended_with_all_that_it_has_started() {
    let build = Build::new();
    let output = build.run(&[], ENDLESS);
    assert_eq!(output.status.code(), Some(26), "{output:?}");
    assert!(build.log().len() > 1 << 20);
    // The signal is on its way when the program ends.
    let begun = std::time::Instant::now();
    let second = build.folder.path().join("second");
    while lives(&second) {
        assert!(begun.elapsed().as_secs() < 10, "it lives on");
        std::thread::yield_now();
    }
}

#[test]
fn a_log_that_cannot_be_looked_at_ends_no_build() {
    let build = Build::new();
    let output = build.run(&[], r#"mv "$1/log" "$1/moved"; sleep 3; exit 23"#);
    assert_eq!(output.status.code(), Some(23), "{output:?}");
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout == b"0\n"
}

#[test]
fn a_room_is_ended_with_its_first_process() {
    if !is_root() {
        eprintln!("not tested: only root can have a process namespace");
        return;
    }
    let mut build = Build::new();
    build.room = "room";
    let room = ["unshare", "--pid", "--fork", "--kill-child"];
    let output = build.run(
        &room,
        "while :; do echo 0123456789012345678901234567890123456789; done",
    );
    assert_eq!(output.status.code(), Some(26), "{output:?}");
}

#[test]
fn what_needs_more_memory_than_it_may_use_is_killed_and_told_from_what_another_kills() {
    let groups = ["/sys/fs/cgroup/cgroup.controllers", "/sys/fs/cgroup/memory"];
    if !is_root() || !groups.iter().any(|path| Path::new(path).exists()) {
        eprintln!("not tested: only root can make control groups, where there are any");
        return;
    }
    // A string that is twice as long each time.
    const GREEDY: &str = "a=0123456789; while :; do a=$a$a; done";
    let mut build = Build::new();
    build.memory = "64";
    let output = build.run(&[], GREEDY);
    assert_eq!(output.status.code(), Some(25), "{output:?} {}", build.log());
    build.memory = "63";
    let output = build.run(&[], &format!("sh -c '{GREEDY}' || echo it lacks something"));
    assert_eq!(output.status.code(), Some(25), "{output:?} {}", build.log());
    build.memory = "65";
    let output = build.run(&[], "kill -s KILL $$");
    assert_eq!(output.status.code(), Some(137), "{output:?}");
    let left = fs::read_dir("/sys/fs/cgroup/memory").or_else(|_| fs::read_dir("/sys/fs/cgroup"));
    let own = format!("gentoo-updater-test-{}-", std::process::id());
    let mut left = left.unwrap().map(|entry| entry.unwrap().file_name());
    assert!(
        !left.any(|name| name.to_string_lossy().starts_with(&own)),
        "no group is left"
    );
}
