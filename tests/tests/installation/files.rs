//! What lies where after an installation, and what is left after it was taken back.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::tree::Tree;

const ROLES: [&str; 7] = [
    "planner",
    "scanner",
    "builder",
    "installer",
    "janitor",
    "scheduler",
    "notifier",
];

#[test]
fn everything_is_installed_below_its_prefix_and_nothing_stays_when_it_is_taken_out() {
    let tree = Tree::installed("/opt/gu");
    let files = tree.files();
    let has = |path: &str| assert!(files.iter().any(|file| file == path), "{path}: {files:#?}");
    for role in ROLES {
        has(&format!("/opt/gu/bin/gentoo-updater-{role}"));
        has(&format!("/opt/gu/share/man/man1/gentoo-updater-{role}.1"));
        has(&format!(
            "/opt/gu/share/bash-completion/completions/gentoo-updater-{role}"
        ));
        has(&format!(
            "/opt/gu/share/fish/vendor_completions.d/gentoo-updater-{role}.fish"
        ));
        has(&format!(
            "/opt/gu/share/zsh/site-functions/_gentoo-updater-{role}"
        ));
        let instance = if role == "builder" { "@" } else { "" };
        has(&format!(
            "/opt/gu/lib/systemd/system/gentoo-updater-{role}{instance}.service"
        ));
    }
    has("/etc/init.d/gentoo-updater");
    has("/etc/conf.d/gentoo-updater");
    has("/opt/gu/share/doc/gentoo-updater/fleet.toml");
    let outside: Vec<_> = files
        .iter()
        .filter(|file| !file.starts_with("/opt/gu/") && !file.starts_with("/etc/"))
        .collect();
    assert!(outside.is_empty(), "{outside:?}");

    // What starts the programs names them where they are.
    for file in files
        .iter()
        .filter(|file| file.ends_with(".service") || file.contains("/init.d/"))
    {
        let text = fs::read_to_string(tree.root().join(&file[1..])).unwrap();
        assert!(
            text.contains("/opt/gu/bin/gentoo-updater") && !text.contains("/usr/bin/gentoo"),
            "{file}: {text}"
        );
    }
    let program = tree.root().join("opt/gu/bin/gentoo-updater");
    assert_eq!(
        fs::metadata(&program).unwrap().permissions().mode() & 0o7777,
        0o755
    );
    let version = Command::new(&program).arg("--version").output().unwrap();
    assert!(version.status.success());

    // A second installation changes nothing, and leaves alone what was edited.
    let settings = tree.root().join("etc/conf.d/gentoo-updater");
    fs::write(&settings, "GENTOO_UPDATER_ARGS=\"--log-format json\"\n").unwrap();
    let own = tree.root().join("etc/gentoo-updater/fleet.toml");
    fs::write(&own, "").unwrap();
    tree.must("install");
    assert!(fs::read_to_string(&settings).unwrap().contains("json"));

    tree.must("uninstall");
    assert_eq!(
        tree.files(),
        [
            "/etc/conf.d/gentoo-updater",
            "/etc/gentoo-updater/fleet.toml"
        ],
        "what the administrator has written stays, and nothing else"
    );
}

#[test]
fn nothing_at_all_is_left_where_nothing_was_edited() {
    let tree = Tree::installed("/usr");
    tree.must("uninstall");
    assert_eq!(tree.files(), [""; 0]);
    for own in ["etc/gentoo-updater", "usr/share/doc/gentoo-updater"] {
        assert!(!tree.root().join(own).exists(), "{own}");
    }
}
