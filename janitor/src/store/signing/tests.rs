use std::fs;
use std::sync::Arc;

use gentoo_updater_hosts::{HostAddress, SshSettings, connect};
use serde_json::json;
use tempfile::TempDir;

use super::*;

#[tokio::test]
async fn binaries_are_counted_and_picked_by_who_signed_them() {
    let folder = TempDir::new().unwrap();
    let keys = folder.path().join(".gentoo-updater/keys");
    let settings = SshSettings::default();
    let host: Arc<dyn Host> = connect(&HostAddress::Local, &settings).await.unwrap();
    let store = folder.path();
    assert_eq!(count(host.as_ref(), store).await.unwrap(), Count::default());
    fs::create_dir_all(&keys).unwrap();
    let (own, other) = ("A".repeat(40), "B".repeat(40));
    let signers = [None, Some(&own), Some(&other), Some(&own), None];
    for (number, by) in signers.into_iter().enumerate() {
        let digest = HexDigest::sha256(&[b'0' + u8::try_from(number).unwrap()]);
        let path = format!("x/p/p-{number}-1.gpkg.tar");
        let mut binary = json!({ "path": path, "sha256": digest, "size": number });
        if let Some(by) = by {
            binary["signed_by"] = json!(by);
        }
        let record = json!({ "format": 1, "binary": binary }).to_string();
        fs::write(keys.join(format!("{digest}.json")), record).unwrap();
    }
    let xpak = json!({ "binary": { "path": "x/p/p-9-1.xpak", "sha256": "0", "size": 1 } });
    fs::write(keys.join("0.json"), xpak.to_string()).unwrap();
    fs::write(keys.join("1.json"), "{ cut o").unwrap();
    let own: Fingerprint = own.parse().unwrap();
    let counted = count(host.as_ref(), store).await.unwrap();
    assert_eq!((counted.unsigned, counted.signed[&own]), (2, 2));

    let whose = Whose {
        keys: [(own, None)].into(),
        unsigned: false,
    };
    let (picked, _) = pick(host.as_ref(), store, &whose, None).await.unwrap();
    let sizes = |picked: &[Picked]| picked.iter().map(|one| one.size).collect::<Vec<_>>();
    let mut all = sizes(&picked);
    all.sort_unstable();
    assert_eq!(all, [1, 3]);
    let behind = Some(&picked[0].digest);
    let (rest, _) = pick(host.as_ref(), store, &whose, behind).await.unwrap();
    assert_eq!(sizes(&rest), sizes(&picked[1..]));
    let unsigned = Whose {
        keys: BTreeMap::new(),
        unsigned: true,
    };
    let (picked, _) = pick(host.as_ref(), store, &unsigned, None).await.unwrap();
    let mut all = sizes(&picked);
    all.sort_unstable();
    assert_eq!(all, [0, 4]);
}
