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

fn fingerprints(text: &str) -> BTreeSet<String> {
    text.split_whitespace()
        .filter(|word| word.starts_with("SHA256:"))
        .map(str::to_owned)
        .collect()
}
