//! The units, by systemd's own judgement: nothing in them is unknown, and how closed they are.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::tree::{Tree, checkout};

/// The most exposed that a unit with a sandbox may be, in tenths, by `systemd-analyze security`: 20 and
/// less is "OK".
const MOST_EXPOSED: u32 = 20;

/// The units whose programs need nothing of their machine.
const CLOSED: [&str; 8] = [
    "planner",
    "scanner",
    "installer",
    "janitor",
    "scheduler",
    "notifier",
    "store",
    "dashboard",
];

/// A root folder with the units and what they name.
fn root(tree: &Tree) -> std::path::PathBuf {
    let root = tree.root();
    let passwd = "root:x:0:0::/root:/bin/sh\ngentoo-updater:x:900:900::/:/bin/sh\n";
    fs::write(root.join("etc/passwd"), passwd).unwrap();
    fs::write(root.join("etc/group"), "root:x:0:\ngentoo-updater:x:900:\n").unwrap();
    fs::create_dir_all(root.join("bin")).unwrap();
    fs::copy("/bin/kill", root.join("bin/kill")).unwrap();
    // What systemd itself brings, such as multi-user.target.
    let own = root.join("usr/lib/systemd/system");
    let of_systemd = fs::read_dir("/usr/lib/systemd/system")
        .or_else(|_| fs::read_dir("/lib/systemd/system"))
        .expect("systemd is installed");
    for entry in of_systemd.flatten() {
        let is_target = entry
            .path()
            .extension()
            .is_some_and(|ext| ext == "target" || ext == "slice");
        if is_target && entry.path().is_file() {
            fs::copy(entry.path(), own.join(entry.file_name())).unwrap();
        }
    }
    root
}

fn analyze(root: &Path, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new("systemd-analyze");
    command
        .args(arguments)
        .arg(format!("--root={}", root.display()));
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("systemd-analyze runs");
    let text = [stdout, stderr].concat();
    (
        status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

fn unit(role: &str) -> String {
    match role {
        "builder" => "gentoo-updater-builder@fast.service".to_owned(),
        role => format!("gentoo-updater-{role}.service"),
    }
}

#[test]
fn every_unit_is_one_with_and_without_its_drop_ins() {
    let tree = Tree::installed("/usr");
    let root = root(&tree);
    let verify = |role: &str| {
        let (is_good, said) = analyze(&root, &["verify", "--man=no", &unit(role)]);
        assert!(is_good && said.is_empty(), "{role}: {said}");
    };
    for role in CLOSED.into_iter().chain(["builder"]) {
        verify(role);
    }
    for (drop_in, role) in [
        ("over-ssh", "builder"),
        ("local", "scanner"),
        ("local", "installer"),
        ("local", "janitor"),
        ("local", "dashboard"),
    ] {
        add_drop_in(&root, drop_in, role);
        verify(role);
    }
}

fn add_drop_in(root: &Path, drop_in: &str, role: &str) {
    let folder = root.join(format!("etc/systemd/system/{}.d", unit(role)));
    fs::create_dir_all(&folder).unwrap();
    let file = format!("{drop_in}.conf");
    fs::copy(
        root.join("usr/share/doc/gentoo-updater").join(&file),
        folder.join(&file),
    )
    .unwrap();
}

#[test]
fn what_needs_nothing_of_its_machine_is_closed() {
    let tree = Tree::installed("/usr");
    let root = root(&tree);
    add_drop_in(&root, "over-ssh", "builder");
    let threshold = format!("--threshold={MOST_EXPOSED}");
    for role in CLOSED.into_iter().chain(["builder"]) {
        let (is_good, said) = analyze(
            &root,
            &["security", "--offline=yes", &threshold, &unit(role)],
        );
        let verdict = said.lines().find(|line| line.contains("Overall exposure"));
        println!("{role}: {}", verdict.unwrap_or_default());
        assert!(is_good && verdict.is_some(), "{role}: {said}");
    }
    // Emerge would be in the sandbox.
    let tree = Tree::installed("/usr");
    let root = self::root(&tree);
    let (is_closed, said) = analyze(
        &root,
        &["security", "--offline=yes", &threshold, &unit("builder")],
    );
    assert!(!is_closed, "{said}");
}

/// The sandbox of each unit, without the comments and what is a role's own.
#[test]
fn the_sandbox_is_the_same_in_all_units() {
    let units = checkout().join("packaging/systemd");
    let files = CLOSED.map(|role| format!("gentoo-updater-{role}.service"));
    let mut sandboxes = BTreeMap::new();
    for file in files.into_iter().chain(["over-ssh.conf".to_owned()]) {
        let text = fs::read_to_string(units.join(&file)).unwrap();
        let own = [
            "CapabilityBoundingSet=",
            "AmbientCapabilities=",
            "ReadWritePaths=",
        ];
        let lines = text.lines().skip_while(|line| !line.starts_with("User="));
        let lines = lines.take_while(|line| !line.is_empty());
        let lines: Vec<_> = lines
            .filter(|line| !line.starts_with('#') && !own.iter().any(|own| line.starts_with(own)))
            .map(str::to_owned)
            .collect();
        assert!(lines.len() > 20, "{file}: {lines:?}");
        sandboxes.entry(lines).or_insert_with(Vec::new).push(file);
    }
    assert_eq!(sandboxes.len(), 1, "{sandboxes:#?}");
}
