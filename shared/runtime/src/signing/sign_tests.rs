//! With the gpg of this machine, and the real Portage.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gentoo_updater_hosts::{HostAddress, SshSettings, connect};
use tempfile::TempDir;

use super::*;
use crate::signing::State;

/// Makes the binary package app-misc/a-1-1 in the folder that it is given.
const MAKE: &str = include_str!("../../../../janitor/src/store/verify/packages.py");

/// A machine with Portage.
struct Machine(TempDir);

impl Machine {
    fn new() -> Self {
        let machine = Self(TempDir::new().unwrap());
        let root = machine.path().display();
        let repositories =
            format!("[DEFAULT]\nmain-repo = test\n[test]\nlocation = {root}/repository\n");
        for (name, content) in [
            ("etc/portage/make.conf", "BINPKG_COMPRESS=\"gzip\"\n"),
            ("etc/portage/make.profile/make.defaults", "ARCH=\"amd64\"\n"),
            ("etc/portage/repos.conf", &repositories),
            ("repository/profiles/repo_name", "test\n"),
            ("repository/metadata/layout.conf", "masters =\n"),
        ] {
            let file = machine.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, content).unwrap();
        }
        machine.python(&[MAKE, &root.to_string(), "app-misc/a-1-1"], "");
        machine
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn binary(&self) -> PathBuf {
        self.path().join("app-misc/a/a-1-1.gpkg.tar")
    }

    fn python(&self, program: &[&str], input: &str) -> String {
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let python = Process::new(checkout.join("tests/portage-venv.sh")).output();
        let python = String::from_utf8(python.unwrap().stdout).unwrap();
        let mut child = Process::new(python.trim_end())
            .arg("-c")
            .args(program)
            .env_clear()
            .envs([
                ("PATH", "/usr/bin:/bin"),
                ("HOME", "/root"),
                ("FEATURES", FEATURES),
            ])
            .env("PORTAGE_CONFIGROOT", self.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{:?}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    /// Signs the binary in its place.
    fn sign(&self, home: &Path, key: &Fingerprint, as_of: Option<u64>) -> Signed {
        let request = ToSign {
            from: self.binary(),
            to: self.binary(),
            sha256: None,
            as_of,
        };
        let input = serde_json::to_string(&[request]).unwrap();
        let home = home.display().to_string();
        let text = self.python(&[SIGN_PROGRAM, "", &home, key.as_str()], &input);
        serde_json::from_str(text.trim()).unwrap()
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}

#[tokio::test]
async fn what_a_key_signed_that_has_expired_since_is_signed_anew_where_it_is_as_it_was_then() {
    let settings = SshSettings::default();
    let host: Arc<dyn Host> = connect(&HostAddress::Local, &settings).await.unwrap();
    let machine = Machine::new();
    let home = machine.path().join("keys");
    let keys = Keys::at(host.as_ref(), &home);
    // Long enough for a busy machine to sign with it.
    let former = keys
        .create("gentoo-updater b1", "seconds=20")
        .await
        .unwrap();
    assert!(matches!(
        machine.sign(&home, &former, None),
        Signed::Well(_)
    ));
    let end = keys.list(now()).await.unwrap()[0].expires.unwrap();
    // gpg takes it for good in the second in which its time ends.
    while now() <= end {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let expired = keys.list(now()).await.unwrap().remove(0);
    assert_eq!(expired.state, State::Expired);
    let key = keys.create("gentoo-updater b1", "0").await.unwrap();
    let refused = machine.sign(&home, &key, None);
    assert!(matches!(refused, Signed::Not { .. }), "{refused:?}");

    let good = fs::read(machine.binary()).unwrap();
    let mut changed = good.clone();
    let middle = changed.len() / 2;
    changed[middle] = !changed[middle];
    fs::write(machine.binary(), changed).unwrap();
    let as_of = expired.last_second();
    let refused = machine.sign(&home, &key, as_of);
    assert!(matches!(refused, Signed::Not { .. }), "{refused:?}");
    fs::write(machine.binary(), good).unwrap();
    let signed = machine.sign(&home, &key, as_of);
    assert!(
        matches!(&signed, Signed::Well(file) if file.by == key),
        "{signed:?}"
    );
    // Which the agent ends with.
    keys.list(now()).await.unwrap();
}
