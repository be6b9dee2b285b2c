//! `gentoo-updater trust`.

use std::collections::BTreeSet;
use std::time::Duration;

use gentoo_updater_tests::fixtures::Scene;

const SOON: Duration = Duration::from_secs(30);

#[test]
fn trust_shows_the_fingerprints_of_the_guest_and_writes_what_openssh_accepts() {
    let mut scene = Scene::embedded(1, 1);
    let known_hosts = scene.file("known_hosts");
    scene.configuration.known_hosts = known_hosts.clone();
    let lab = &scene.lab;

    // There is no terminal here.
    let refused = scene.command("trust", &["trust", "g1"], SOON);
    assert!(
        !refused.status.success() && refused.stderr.contains("--yes"),
        "without a terminal trust asks for --yes: {refused:?}"
    );
    assert!(!known_hosts.exists(), "trust wrote without an answer");

    let trusted = scene.command("trust", &["trust", "g1", "--yes"], SOON);
    assert!(trusted.status.success(), "{trusted:?}");
    let own = lab.sh(
        "g1",
        "for key in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf \"$key\"; done",
    );
    assert_eq!(
        fingerprints(&trusted.stdout),
        fingerprints(&own),
        "fingerprints that trust shows (left) and that ssh-keygen shows on g1 (right)"
    );
    let file = format!("UserKnownHostsFile={}", known_hosts.display());
    for algorithm in ["ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512"] {
        lab.must(&[
            "ctl",
            "ssh",
            "-F",
            "/dev/null",
            "-o",
            "StrictHostKeyChecking=yes",
            "-o",
            "GlobalKnownHostsFile=/dev/null",
            "-o",
            &file,
            "-o",
            &format!("HostKeyAlgorithms={algorithm}"),
            "-o",
            "BatchMode=yes",
            "-i",
            lab.fact("LAB_SSH_KEY"),
            &format!("root@{}", lab.ip("g1")),
            "true",
        ]);
    }
}

#[test]
fn keys_that_differ_from_known_ones_are_said_and_take_their_place_only_when_that_is_meant() {
    let mut scene = Scene::embedded(1, 1);
    let known_hosts = scene.file("known_hosts");
    scene.configuration.known_hosts = known_hosts.clone();
    let trusted = scene.command("trust", &["trust", "g1", "--yes"], SOON);
    assert!(trusted.status.success(), "{trusted:?}");
    let before = fingerprints(&trusted.stdout);
    let written = std::fs::read_to_string(&known_hosts).expect("it was written");
    scene.lab.must(&["rekey", "g1"]);

    let refused = scene.command("trust", &["trust", "g1", "--yes"], SOON);
    assert_eq!(refused.status.code(), Some(64), "{refused:?}");
    assert!(refused.stderr.contains("--replace"), "{refused:?}");
    assert!(
        refused.stdout.contains("OTHER KEYS ARE KNOWN"),
        "{refused:?}"
    );
    assert!(
        before.is_subset(&fingerprints(&refused.stdout)),
        "{refused:?}"
    );
    let unchanged = std::fs::read_to_string(&known_hosts).expect("it is there");
    assert_eq!(unchanged, written, "nothing is written");

    let arguments = ["trust", "g1", "--yes", "--replace"];
    let replaced = scene.command("trust", &arguments, SOON);
    assert!(replaced.status.success(), "{replaced:?}");
    let now = std::fs::read_to_string(&known_hosts).expect("it is there");
    assert_eq!(now.lines().count(), written.lines().count());
    assert!(written.lines().all(|line| !now.contains(line)), "{now}");
    let again = scene.command("trust", &["trust", "g1", "--yes"], SOON);
    assert!(again.status.success(), "{again:?}");
    assert!(!again.stdout.contains("OTHER KEYS"), "{again:?}");
}

fn fingerprints(text: &str) -> BTreeSet<String> {
    text.split_whitespace()
        .filter(|word| word.starts_with("SHA256:"))
        .map(str::to_owned)
        .collect()
}
