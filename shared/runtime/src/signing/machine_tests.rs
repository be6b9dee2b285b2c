//! With the gpg of this machine.

use std::fs;
use std::process::{Command as Process, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use gentoo_updater_hosts::{HostAddress, SshSettings, connect};
use tempfile::TempDir;

use super::*;
use crate::signing::State;

async fn host() -> Arc<dyn Host> {
    let settings = SshSettings::default();
    connect(&HostAddress::Local, &settings).await.unwrap()
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

/// The agents of gpg that live for this home.
fn agents(home: &Path) -> usize {
    let home = home.display().to_string();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|one| fs::read(one.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).into_owned());
    lines
        .filter(|line| line.contains("gpg-agent") && line.contains(&home))
        .count()
}

/// Whoever is done has asked it to end.
fn no_agent_stays(home: &Path) {
    let limit = Instant::now() + Duration::from_secs(10);
    while agents(home) > 0 {
        assert!(Instant::now() < limit, "an agent stayed");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[tokio::test]
async fn a_key_is_made_put_to_use_succeeded_by_another_revoked_and_deleted() {
    let folder = TempDir::new().unwrap();
    let home = folder.path().join("keys");
    let host = host().await;
    let keys = Keys::at(host.as_ref(), &home);
    assert_eq!(keys.list(now()).await.unwrap(), []);
    assert!(!home.exists(), "who only looks leaves nothing behind");
    assert_eq!(keys.try_to_sign().await.unwrap_err().cause, NO_KEY);

    let first = keys.create("gentoo-updater b1", "2y").await.unwrap();
    assert_eq!(keys.list(now()).await.unwrap()[0].state, State::Former);
    assert_eq!(keys.try_to_sign().await.unwrap_err().cause, NO_KEY);
    keys.put_to_use(&first).await.unwrap();
    keys.try_to_sign().await.unwrap();
    let all = keys.list(now()).await.unwrap();
    assert_eq!((all.len(), all[0].state), (1, State::InUse));
    assert_eq!(all[0].name, "gentoo-updater b1");
    assert!(
        (729..=731).contains(&all[0].days_left(now()).unwrap()),
        "{all:?}"
    );

    let second = keys.create("gentoo-updater b1", "0").await.unwrap();
    keys.put_to_use(&second).await.unwrap();
    keys.revoke(&first).await.unwrap();
    let all = keys.list(now()).await.unwrap();
    let state = |key: &Fingerprint| {
        all.iter()
            .find(|one| one.fingerprint == *key)
            .unwrap()
            .state
    };
    assert_eq!(
        (state(&first), state(&second)),
        (State::Revoked, State::InUse)
    );
    let public = keys.export(&[first.clone(), second.clone()]).await.unwrap();
    assert!(
        public.starts_with("-----BEGIN PGP PUBLIC KEY BLOCK-----"),
        "{public}"
    );
    keys.delete(&first).await.unwrap();
    keys.delete(&second).await.unwrap();
    assert_eq!(keys.list(now()).await.unwrap(), []);
    assert_eq!(keys.try_to_sign().await.unwrap_err().cause, NO_KEY);

    no_agent_stays(&home);
    let mode = Process::new("stat")
        .args(["-c", "%a"])
        .arg(&home)
        .output()
        .unwrap();
    assert_eq!(mode.stdout, b"700\n");
}

#[tokio::test]
async fn nobody_waits_for_the_passphrase_of_a_key() {
    let folder = TempDir::new().unwrap();
    let host = host().await;
    let keys = Keys::at(host.as_ref(), folder.path());
    let status = Process::new("gpg")
        .arg("--homedir")
        .arg(folder.path())
        .args([
            "--batch",
            "--pinentry-mode",
            "loopback",
            "--passphrase",
            "secret",
        ])
        .args(["--quick-generate-key", "somebody", "ed25519", "sign", "0"])
        .stderr(Stdio::null())
        .status();
    assert!(status.unwrap().success());
    let key = keys.list(now()).await.unwrap().remove(0);
    keys.put_to_use(&key.fingerprint).await.unwrap();
    let failure = keys.try_to_sign().await.unwrap_err();
    assert_eq!(failure.cause, "SigningFailed", "{failure}");
    assert_eq!(failure.class, FailureClass::Machine);
    no_agent_stays(folder.path());
}

#[tokio::test]
async fn one_who_holds_the_keys_is_waited_for() {
    let folder = TempDir::new().unwrap();
    let host = host().await;
    let keys = Keys::at(host.as_ref(), folder.path());
    let key = keys.create("gentoo-updater b1", "1d").await.unwrap();
    keys.put_to_use(&key).await.unwrap();
    let (one, other, third) =
        tokio::join!(keys.try_to_sign(), keys.try_to_sign(), keys.try_to_sign());
    one.and(other).and(third).unwrap();
    no_agent_stays(folder.path());
}
