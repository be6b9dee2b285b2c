use std::fs;
use std::path::Path;
use std::process::{Child, Command as Process, Stdio};

use gentoo_updater_fleet::config::BuildEnvironment;
use gentoo_updater_hosts::{HostAddress, SshSettings, connect};
use tempfile::TempDir;

use super::*;

/// A folder of the machine that a room shows as all others, with one that is the machine's in it.
struct Machine {
    folder: TempDir,
}

impl Machine {
    /// `None` where no room can be made for want of rights.
    fn new() -> Option<Self> {
        let id = Process::new("id").arg("-u").output().unwrap();
        if id.stdout != b"0\n" {
            eprintln!("not tested: only root can make a clean room");
            return None;
        }
        // Not where a tmpfs may lie, so that the layers are on a disk if there is one.
        let folder = TempDir::new_in("/var/tmp").unwrap();
        for name in ["store", "shared", "work", "work/seen"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        for name in ["kept", "removed", "store/binary", "work/hidden"] {
            fs::write(folder.path().join(name), "before\n").unwrap();
        }
        Some(Self { folder })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// A shell script in a room, with the folder as `$1`.
    fn enter(&self, script: &str) -> Process {
        self.enter_below("", script)
    }

    /// The same, where all paths that the room is told begin with this folder.
    fn enter_below(&self, below: &str, script: &str) -> Process {
        let text = |name: &str| self.path(below).join(name).display().to_string();
        let mut process = Process::new("unshare");
        let namespaces = ["--mount", "--ipc", "--pid", "--fork", "--kill-child"];
        let own = [text("shared"), text("work/seen")].join("\n");
        process.args(namespaces).args(["--propagation", "private"]);
        process.args(["sh", "-c", INSIDE, "room"]);
        process.args([text("work/room"), text("store"), own, text("work")]);
        process
            .args(["sh", "-c", script, "script"])
            .arg(self.folder.path());
        process.stdin(Stdio::null());
        process
    }

    fn said(&self, script: &str) -> String {
        said(self.enter(script))
    }
}

fn said(mut process: Process) -> String {
    let output = process.output().unwrap();
    assert!(output.status.success(), "{process:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// As `/var/tmp` or DISTDIR is a link to a larger disk on many machines.
#[test]
fn a_room_that_is_told_of_links_shows_what_they_lead_to() {
    let Some(machine) = Machine::new() else {
        return;
    };
    std::os::unix::fs::symlink(machine.folder.path(), machine.path("link")).unwrap();
    let script = r#"set -eu; cd "$1/link"
        echo after > shared/written; echo after > work/seen/written; echo after > kept
        ls work; cat store/binary
        echo after 2>/dev/null > store/binary || echo refused"#;
    let said = said(machine.enter_below("link", script));
    assert_eq!(said, "seen\nbefore\nrefused\n");
    assert_eq!(machine.read("shared/written"), "after\n");
    assert_eq!(machine.read("work/seen/written"), "after\n");
    assert_eq!(machine.read("kept"), "before\n");
    assert_eq!(machine.read("work/hidden"), "before\n");
}

/// An automount stays below what it has mounted.
#[test]
fn a_room_shows_what_is_mounted_above_something_that_is_no_folder_to_be_read() {
    let Some(machine) = Machine::new() else {
        return;
    };
    fs::create_dir(machine.path("mounted")).unwrap();
    let room = machine.enter(r#"cat "$1/mounted/file""#);
    let mut process = Process::new("unshare");
    process.args(["--mount", "--propagation", "private", "sh", "-euc"]);
    process.arg(
        r#"mount -t ramfs below "$1" && mount -t tmpfs above "$1" && echo above > "$1/file"
        shift; exec "$@""#,
    );
    process.arg("mounts").arg(machine.path("mounted"));
    process.arg(room.get_program()).args(room.get_args());
    assert_eq!(said(process), "above\n");
}

#[test]
fn what_is_changed_in_a_room_is_not_changed_outside_but_for_what_the_machine_shares() {
    let Some(machine) = Machine::new() else {
        return;
    };
    machine.said(
        r#"set -eu; cd "$1"
        echo after > kept; rm removed; echo new > new; mkdir made; chmod 700 shared/..
        echo after > shared/written; echo after > work/seen/written
        echo 'in memory' > /dev/shm/gentoo-updater-test
        [ "$(cat kept)" = after ] && [ ! -e removed ]"#,
    );
    assert_eq!(machine.read("kept"), "before\n");
    assert_eq!(machine.read("removed"), "before\n");
    for name in ["new", "made"] {
        assert!(!machine.path(name).exists(), "{name}");
    }
    assert_eq!(machine.read("shared/written"), "after\n");
    assert_eq!(machine.read("work/seen/written"), "after\n");
    assert!(!Path::new("/dev/shm/gentoo-updater-test").exists());
}

#[test]
fn a_room_has_its_own_processes_and_sees_neither_its_layers_nor_what_it_could_spoil() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let said = machine.said(
        r#"cd "$1"
        echo "first $$"
        ls work
        cat store/binary
        echo after 2>/dev/null > store/binary || echo refused
        # The machine's root is not there any more.
        ls -d /.machine 2>/dev/null || echo gone"#,
    );
    assert_eq!(said, "first 1\nseen\nbefore\nrefused\ngone\n");
    assert_eq!(machine.read("store/binary"), "before\n");
}

/// A room whose process is killed if the test does not.
struct Held(Child);

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The processes of the room: those that have its root.
fn in_room(folder: &str) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let is_in = |path: &Path| {
        let mounts = fs::read_to_string(path.join("mounts")).unwrap_or_default();
        mounts
            .lines()
            .any(|line| line.starts_with("gentoo-updater / ") && line.contains(folder))
    };
    let found = processes.filter(|entry| is_in(&entry.path()));
    found
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

#[test]
fn whoever_holds_a_room_takes_all_of_it_along_when_he_is_killed() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let folder = machine.folder.path().display().to_string();
    let script = r#"setsid sleep 1000 & sleep 1000 & : > "$1/shared/begun"; wait"#;
    let mut held = Held(machine.enter(script).spawn().unwrap());
    while !machine.path("shared/begun").exists() {
        assert!(held.0.try_wait().unwrap().is_none(), "the room ended");
        std::thread::yield_now();
    }
    assert!(in_room(&folder).len() >= 2, "{:?}", in_room(&folder));

    held.0.kill().unwrap();
    held.0.wait().unwrap();

    while !in_room(&folder).is_empty() {
        std::thread::yield_now();
    }
    // A folder is all that is left, and nothing in it is in use.
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(!mounts.contains(&folder), "{mounts}");
    fs::remove_dir_all(machine.path("work/room")).unwrap();
}

#[tokio::test]
async fn a_builder_has_as_many_slots_as_it_is_to_have_when_it_has_rooms_and_one_otherwise() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let address = HostAddress::Local;
    let host = connect(&address, &SshSettings::default()).await.unwrap();
    let toolchain = Toolchain::for_tests("/var/cache/distfiles");
    for (clean_room, slots) in [(CleanRoom::Auto, 3), (CleanRoom::Never, 1)] {
        let builder = Builder {
            address: "local".to_owned(),
            platform: "default".parse().unwrap(),
            sync: true,
            slots: 3,
            clean_room,
            environment: BuildEnvironment::default(),
        };
        let name = "fast".parse().unwrap();
        let mut rooms = Rooms::new(name, builder, machine.path("store"));
        rooms.work = machine.path("work");
        assert_eq!(rooms.at_once(), 1, "before anybody looked");
        let way = rooms.look(host.as_ref(), &toolchain).await.unwrap();
        assert_eq!(
            matches!(way, Way::Rooms { .. }),
            clean_room == CleanRoom::Auto
        );
        assert_eq!(rooms.at_once(), slots);
        let left: Vec<_> = fs::read_dir(machine.path("work")).unwrap().collect();
        assert_eq!(left.len(), 2, "the probe leaves nothing: {left:?}");
    }
}

#[tokio::test]
async fn why_no_room_can_be_had_is_told() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let host = connect(&HostAddress::Local, &SshSettings::default())
        .await
        .unwrap();
    let builder = Builder {
        address: "local".to_owned(),
        platform: "default".parse().unwrap(),
        sync: true,
        slots: 1,
        clean_room: CleanRoom::Auto,
        environment: BuildEnvironment::default(),
    };
    let store = machine.path("no-store");
    let mut rooms = Rooms::new("fast".parse().unwrap(), builder, store.clone());
    rooms.work = machine.path("work");
    let refusal = rooms.probe(host.as_ref(), &[]).await.unwrap();
    let refusal = refusal.expect("without a store there is none");
    assert_eq!(
        refusal,
        format!("the store {} cannot be mounted", store.display())
    );
}
