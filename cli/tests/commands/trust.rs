//! `trust` with an authority, with the real program.

use std::fs;
use std::process::{Command, Output};

use tempfile::TempDir;

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ52puESjCBD3uwGgs/wQp21zFbNCwTPfrcIqK0yyYCA";
/// As `ssh-keygen -l` prints it.
const FINGERPRINT: &str = "SHA256:EE5rgQ9K5kGTNmm+bMY6cSITMGMd9159ctyPiVz7ZQY";

const WRONG_USAGE: i32 = 64;
const COULD_NOT: i32 = 2;

struct Scene(TempDir);

impl Scene {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let text = format!(
            "state_directory = {:?}\n[platforms.default]\nstore = \"/store\"\n\
             [builders.b1]\naddress = \"local\"\n[guests.g1]\naddress = \"local\"\n",
            folder.path().join("state")
        );
        fs::write(folder.path().join("fleet.toml"), text).unwrap();
        fs::write(
            folder.path().join("ca.pub"),
            format!("{KEY} the authority\n"),
        )
        .unwrap();
        Self(folder)
    }

    fn trust(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_gentoo-updater"))
            .args(["--config", "fleet.toml", "trust"])
            .args(arguments)
            .current_dir(self.0.path())
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap()
    }

    fn known_hosts(&self) -> Option<String> {
        fs::read_to_string(self.0.path().join("state/known_hosts")).ok()
    }
}

#[test]
fn an_authority_is_shown_and_written_for_the_machines_that_are_named() {
    let scene = Scene::new();
    let asked = scene.trust(&["--ca", "ca.pub"]);
    assert_eq!(asked.status.code(), Some(WRONG_USAGE), "{asked:?}");
    assert!(
        String::from_utf8_lossy(&asked.stderr).contains("--yes"),
        "{asked:?}"
    );
    assert_eq!(scene.known_hosts(), None);

    let trusted = scene.trust(&[
        "--ca",
        "ca.pub",
        "--hosts",
        "*.example.net,10.0.0.?",
        "--yes",
    ]);
    assert!(trusted.status.success(), "{trusted:?}");
    let said = String::from_utf8_lossy(&trusted.stdout);
    assert!(said.contains(FINGERPRINT), "{said}");
    let line = format!("@cert-authority *.example.net,10.0.0.? {KEY}\n");
    assert_eq!(scene.known_hosts(), Some(line.clone()));

    let again = scene.trust(&[
        "--ca",
        "ca.pub",
        "--hosts",
        "*.example.net,10.0.0.?",
        "--yes",
    ]);
    assert!(
        String::from_utf8_lossy(&again.stdout).contains("already"),
        "{again:?}"
    );
    let all = scene.trust(&["--ca", "ca.pub", "--yes"]);
    assert!(all.status.success(), "{all:?}");
    assert_eq!(
        scene.known_hosts(),
        Some(format!("{line}@cert-authority * {KEY}\n"))
    );
}

#[test]
fn what_is_no_authority_and_what_names_no_machines_is_refused() {
    let scene = Scene::new();
    for (arguments, code, said) in [
        (&["--yes"][..], WRONG_USAGE, "<HOST>"),
        (
            &["g1", "--ca", "ca.pub", "--yes"],
            WRONG_USAGE,
            "cannot be used with",
        ),
        (
            &["--ca", "ca.pub", "--hosts", "a b", "--yes"],
            WRONG_USAGE,
            "does not name hosts",
        ),
        (
            &["--ca", "fleet.toml", "--yes"],
            COULD_NOT,
            "not the public key of an authority",
        ),
        (&["--ca", "missing", "--yes"], COULD_NOT, "cannot be read"),
    ] {
        let output = scene.trust(arguments);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains(said), "{arguments:?}: {text}");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
    }
    assert_eq!(scene.known_hosts(), None);
}
