//! Who started a process, made a folder or made a namespace, so that nothing stays for ever.
//!
//! A test ends what it starts. One that is killed cannot: the next test finds what it left by its
//! mark, and ends that. An owner is named by its process number and its start time, so that a
//! process that has the number by now is not taken for it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Once;

use rustix::process::{Pid, Signal, kill_process};

/// The variable that marks every process of a test, whatever became of its parent.
pub const OWNER_VARIABLE: &str = "GENTOO_UPDATER_TEST_OWNER";
/// The variable that says which folder a process works in: it is to end before the folder does.
pub const PLACE_VARIABLE: &str = "GENTOO_UPDATER_TEST_PLACE";
/// What the names of folders and namespaces begin with; the owner follows.
const PREFIX: &str = "gentoo-updater-test-";

/// The mark of this process: its number and its start time.
pub fn mark() -> String {
    let own = std::process::id();
    let started = start_time(own).expect("this process has a start time");
    format!("{own}-{started}")
}

/// What the names of this process's folders and namespaces begin with.
pub fn prefix() -> String {
    format!("{PREFIX}{}-", mark())
}

/// A new folder for this process. It is removed when it is dropped.
pub fn folder() -> tempfile::TempDir {
    sweep();
    tempfile::Builder::new()
        .prefix(&prefix())
        .tempdir()
        .expect("a folder for temporary files")
}

/// The processes that work in this folder.
pub fn processes_in(place: &Path) -> Vec<u32> {
    let wanted = format!("{PLACE_VARIABLE}={}", place.display());
    marked(|variable| variable == wanted.as_bytes())
}

/// Kills a process. One that is gone is no matter.
pub fn kill(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    // It fails when the process is gone, which is what is wanted.
    let _ = pid.map(|pid| kill_process(pid, Signal::KILL));
}

/// Kills whatever works in this folder, until nothing does.
pub fn end_all_in(place: &Path) {
    crate::until("the end of the processes of a test", || {
        let left = processes_in(place);
        left.iter().copied().for_each(kill);
        left.is_empty()
    });
}

/// Ends what tests have left that live no more. Done once in each process.
pub fn sweep() {
    static SWEPT: Once = Once::new();
    SWEPT.call_once(|| {
        let orphans = marked(|variable| {
            let text = String::from_utf8_lossy(variable);
            let owner = text
                .strip_prefix(OWNER_VARIABLE)
                .and_then(|t| t.strip_prefix('='));
            owner.is_some_and(|owner| !lives(owner))
        });
        orphans.into_iter().for_each(kill);
        for name in names_in(Path::new("/run/netns")) {
            // Where this process may not, root's next test does it.
            let _ = Command::new("ip").args(["netns", "del", &name]).output();
        }
        let folders = std::env::temp_dir();
        for name in names_in(&folders) {
            let _ = fs::remove_dir_all(folders.join(name));
        }
    });
}

/// The names in a folder whose owner lives no more.
fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| {
            let mut parts = name.strip_prefix(PREFIX).unwrap_or_default().split('-');
            match (parts.next(), parts.next()) {
                (Some(pid), Some(started)) => !lives(&format!("{pid}-{started}")),
                _ => false,
            }
        })
        .collect()
}

fn lives(owner: &str) -> bool {
    let Some((pid, started)) = owner.split_once('-') else {
        // Not ours to judge.
        return true;
    };
    let pid = pid.parse().ok();
    pid.and_then(start_time).is_some_and(|t| t == started)
}

/// Field 22 of proc_pid_stat(5), counted behind the name, which may hold anything.
fn start_time(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split(' ').nth(19).map(str::to_owned)
}

/// The processes that have a variable of their environment as wanted. Zombies have none.
fn marked(wanted: impl Fn(&[u8]) -> bool) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // Of other users' processes nothing can be read; they are none of ours.
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        if environment.split(|byte| *byte == 0).any(&wanted) && pid != std::process::id() {
            found.push(pid);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_lives_as_long_as_its_process_and_not_as_long_as_its_number() {
        assert!(lives(&mark()));
        assert!(!lives(&format!("{}-1", std::process::id())));
    }

    #[test]
    fn what_works_in_a_folder_is_found_and_ended() {
        let folder = folder();
        let mut child = Command::new("sleep")
            .arg("600")
            .env(PLACE_VARIABLE, folder.path())
            .spawn()
            .unwrap();
        // Its environment can be read a moment after it was started.
        crate::until("the start of a process", || {
            processes_in(folder.path()) == [child.id()]
        });
        end_all_in(folder.path());
        child.wait().unwrap();
        assert!(processes_in(folder.path()).is_empty());
    }

    #[test]
    fn what_a_dead_owner_left_is_swept_away() {
        sweep();
        let left = std::env::temp_dir().join(format!("{PREFIX}{}-1-left", std::process::id()));
        fs::create_dir(&left).unwrap();
        let name = left.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(names_in(&std::env::temp_dir()).contains(&name));
        fs::remove_dir(&left).unwrap();
    }
}
