//! Guests that require signatures get what the builders signed, and each reason to refuse a binary is
//! named before the guest is touched.

use std::time::Duration;

use gentoo_updater_tests::actions;
use gentoo_updater_tests::assertions::{self, Binaries, failure_of, installed};
use gentoo_updater_tests::fixtures::{Ended, Lab, Scene};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(180);

/// Where the keys of a builder are.
const HOME: &str = "/var/lib/gentoo-updater/signing";

#[test]
fn guests_that_require_signatures_install_what_they_trust_and_every_refusal_has_its_cause() {
    let mut scene = Scene::embedded(7, 1);
    scene.configuration.clean_room = "auto";
    let lab = &scene.lab;
    actions::prepare_for_v2(lab);
    for guest in lab.guests() {
        actions::want_only(lab, &guest, &["app-misc/bigdata"]);
        if guest != "g5" {
            require_signatures(lab, &guest);
        }
    }

    // Nothing is signed yet.
    let before = installed(lab, "g1");
    let run = actions::run_guests(&scene, &["g1"]);
    refused(
        &scene,
        &run.report,
        "g1",
        "SignatureMissing",
        &["bigdata-2.0-1", "sign = true"],
    );
    assert_eq!(installed(&scene.lab, "g1"), before);

    scene.configuration.sign = true;
    let said = succeeded(&scene, &["store", "keys", "init"]);
    assert!(said.stdout.contains("b1 signs with "), "{}", said.stdout);
    let key = key_in_use(&scene);
    let again = succeeded(&scene, &["store", "keys", "init"]);
    assert!(
        again.stdout.contains(&format!("b1 has {key} already")),
        "{}",
        again.stdout
    );

    let lab = &scene.lab;
    look_for_the_key_in_builds(lab);
    let guests = ["g1", "g4", "g6", "g7"];
    succeeded(
        &scene,
        &[&["store", "keys", "teach", "--yes"], &guests[..]].concat(),
    );
    // g2 knows nobody, and g3 somebody else.
    know_somebody_else(lab, "g3");
    // By the clock of g6 the time of the key is over, and g7 has heard that it was revoked.
    live_later(lab, "g6");
    hear_of_revocation(lab, "g7", &key);
    let before: Vec<_> = lab
        .guests()
        .into_iter()
        .map(|it| (installed(lab, &it), it))
        .collect();

    let run = actions::run(&scene);

    assertions::exit_code_is(&run, 1);
    let report = &run.report;
    for guest in ["g1", "g4", "g5"] {
        assertions::outcome_is(report, guest, "Updated");
        assertions::plans_nothing(&scene.lab, guest);
    }
    let teach = |guest: &str| format!("store keys teach {guest}");
    refused(
        &scene,
        report,
        "g2",
        "VerificationUnusable",
        &["/etc/portage/gnupg", &teach("g2")],
    );
    refused(
        &scene,
        report,
        "g3",
        "SignatureForeign",
        &[&key, &teach("g3")],
    );
    refused(
        &scene,
        report,
        "g6",
        "SignatureExpired",
        &[&key, "store keys rotate"],
    );
    refused(
        &scene,
        report,
        "g7",
        "KeyRevoked",
        &[&key, "store keys retire"],
    );
    let lab = &scene.lab;
    for (packages, guest) in before {
        if !["g1", "g4", "g5"].contains(&guest.as_str()) {
            assert_eq!(installed(lab, &guest), packages, "{guest} was touched");
        }
    }
    // What was there unsigned was built again, and the record says who signed it. The former one stays for
    // guests that have it.
    let binaries = Binaries::of(lab);
    let record = record_of(&binaries, "app-misc/bigdata-2.0");
    assert_eq!(record["binary"]["signed_by"], key.as_str(), "{record:#}");
    assert_eq!(binaries.entries("app-misc/bigdata-2.0").len(), 2);
    assert_eq!(seen_in_builds(lab), "", "a build can see the key");
    for machine in ["b1", "g1"] {
        assert!(
            !lab.holds(machine, "pgrep gpg-agent"),
            "an agent stayed on {machine}"
        );
    }
    a_new_key_takes_the_place_of_the_former_one(&scene, &key);
}

/// After that a guest that knows the new key alone installs all that the store holds.
fn a_new_key_takes_the_place_of_the_former_one(scene: &Scene, former: &str) {
    let lab = &scene.lab;
    let retire = ["store", "keys", "retire", former, "--yes"];
    let refusal = scene.command("keys", &retire, PATIENCE);
    assert_eq!(refusal.status.code(), Some(64), "{}", refusal.stderr);
    assert!(
        refusal.stderr.contains("store keys rotate"),
        "{}",
        refusal.stderr
    );
    // Where nobody can be asked nothing is made that would stay.
    for more in [&[][..], &["--teach"]] {
        let rotate = [&["store", "keys", "rotate"][..], more].concat();
        let refusal = scene.command("keys", &rotate, PATIENCE);
        assert_eq!(refusal.status.code(), Some(64), "{}", refusal.stderr);
        assert_eq!(keys(scene).len(), 1, "{more:?}");
    }
    let said = succeeded(scene, &["store", "keys", "rotate", "--yes"]);
    let key = key_in_use(scene);
    assert!(
        key != former && said.stdout.contains(&key),
        "{}",
        said.stdout
    );
    let refusal = scene.command("keys", &retire, PATIENCE);
    assert!(
        refusal.stderr.contains("store keys sign"),
        "{}",
        refusal.stderr
    );

    let before = Binaries::of(lab);
    let signed = succeeded(scene, &["store", "keys", "sign", "--json"]);
    let document: Value = serde_json::from_str(&signed.stdout).expect("JSON");
    let done = &document["platforms"]["default"];
    assert_eq!(done["refused"], serde_json::json!({}), "{done:#}");
    let binaries = Binaries::of(lab);
    assert_eq!(binaries.index.len(), before.index.len());
    let ours: Vec<&Value> = binaries.records.iter().map(|it| &it["binary"]).collect();
    let is_new = |binary: &&Value| binary["signed_by"] == key.as_str();
    assert!(!ours.is_empty() && ours.iter().all(is_new), "{ours:#?}");
    assert_eq!(done["signed"]["b1"], ours.len(), "{done:#}");
    succeeded(scene, &retire);
    let verified = scene.command("verify", &["store", "verify"], PATIENCE);
    assert_eq!(verified.status.code(), Some(0), "{}", verified.stdout);

    lab.sh("g1", "rm -r /etc/portage/gnupg");
    succeeded(scene, &["store", "keys", "teach", "g1", "--yes"]);
    for binary in ours {
        let (cpv, number) = (binary["cpv"].as_str(), binary["build_id"].as_u64());
        let (cpv, number) = (cpv.expect("a name"), number.expect("a number"));
        let install = format!("emerge --oneshot --nodeps --usepkgonly ={cpv}-{number}");
        lab.sh("g1", &install);
    }
    let keys = "gpg --homedir /etc/portage/gnupg --with-colons --list-keys | grep ^fpr";
    let keys = lab.sh("g1", keys);
    assert!(keys.contains(&key) && !keys.contains(former), "{keys}");
}

/// A command of the operator that ends well.
fn succeeded(scene: &Scene, arguments: &[&str]) -> Ended {
    let ended = scene.command("keys", arguments, PATIENCE);
    let said = format!("{arguments:?}: {}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.status.code(), Some(0), "{said}");
    ended
}

fn keys(scene: &Scene) -> Vec<Value> {
    let ended = succeeded(scene, &["store", "keys", "list", "--json"]);
    let document: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    document["keys"].as_array().expect("keys").clone()
}

fn key_in_use(scene: &Scene) -> String {
    let keys = keys(scene);
    let mut used = keys.iter().filter(|key| key["state"] == "in_use");
    let key = used.next().expect("a key in use");
    assert!(used.next().is_none(), "{keys:#?}");
    assert!(
        key["days_left"].as_u64().is_some_and(|days| days > 700),
        "{key:#}"
    );
    key["fingerprint"]
        .as_str()
        .expect("a fingerprint")
        .to_owned()
}

fn refused(scene: &Scene, report: &Value, guest: &str, cause: &str, words: &[&str]) {
    let (found, message) = failure_of(report, guest);
    assert_eq!(found, cause, "{guest}: {message}");
    for words in words {
        assert!(
            message.contains(words),
            "{guest}: {words:?} is not in: {message}"
        );
    }
    assert_eq!(
        report["guests"][guest]["untouched"], true,
        "{guest}: {message}"
    );
    let spoilt = "find /var/cache/binpkgs -name '*_checksum_failure_*' | grep .";
    assert!(!scene.lab.holds("b1", spoilt), "a binary was renamed");
}

fn record_of<'a>(binaries: &'a Binaries, cpv: &str) -> &'a Value {
    let mut records = binaries.records.iter();
    records
        .find(|record| record["binary"]["cpv"] == cpv)
        .expect("a record")
}

pub(crate) fn require_signatures(lab: &Lab, guest: &str) {
    let features = r#"s/^FEATURES="/FEATURES="binpkg-request-signature /"#;
    lab.sh(
        guest,
        &format!("sed -i '{features}' /etc/portage/make.conf"),
    );
    lab.sh(
        guest,
        "portageq envvar FEATURES | grep -w binpkg-request-signature",
    );
}

/// A guest that trusts a key of its own, in a home that is in order.
fn know_somebody_else(lab: &Lab, guest: &str) {
    lab.sh(
        guest,
        "umask 022; home=/etc/portage/gnupg; mkdir -p $home
         gpg --homedir $home --batch --pinentry-mode loopback --passphrase '' \
             --quick-generate-key somebody ed25519 sign 0
         gpgconf --homedir $home --kill all
         chmod 755 $home; chmod 644 $home/pubring.kbx $home/trustdb.gpg",
    );
}

/// A guest whose gpg takes this for the year 2032.
fn live_later(lab: &Lab, guest: &str) {
    lab.sh(
        guest,
        r#"cat >> /etc/portage/make.conf <<'END'
BINPKG_GPG_VERIFY_BASE_COMMAND="/usr/bin/gpg --faked-system-time 20320101T000000 --verify --batch --no-tty --no-auto-check-trustdb --status-fd 2 [PORTAGE_CONFIG] [SIGNATURE]"
END"#,
    );
}

fn hear_of_revocation(lab: &Lab, guest: &str, key: &str) {
    let certificate = lab.sh(
        "b1",
        &format!("sed 's/^:---/---/' {HOME}/openpgp-revocs.d/{key}.rev"),
    );
    let import = [
        "gpg",
        "--homedir",
        "/etc/portage/gnupg",
        "--batch",
        "--import",
    ];
    let said = lab.exec_with_input(guest, &import, &certificate);
    assert_eq!(said.code, 0, "{}", said.stderr);
    lab.sh(
        guest,
        "cd /etc/portage/gnupg; gpgconf --homedir $PWD --kill all; chmod 644 pubring.kbx trustdb.gpg",
    );
}

/// From now on each build writes down what it sees of the keys, as root.
fn look_for_the_key_in_builds(lab: &Lab) {
    let script = format!(
        "cat > /etc/portage/bashrc <<'END'
if [[ ${{EBUILD_PHASE}} == setup ]]; then
    : >> /var/cache/distfiles/looked
    ls -A {HOME} /run/user >> /var/cache/distfiles/seen 2>/dev/null
fi
END"
    );
    lab.sh("b1", &script);
}

/// What builds saw of the keys.
fn seen_in_builds(lab: &Lab) -> String {
    lab.sh("b1", "test -e /var/cache/distfiles/looked");
    let seen = lab.sh("b1", "cat /var/cache/distfiles/seen");
    seen.replace(&format!("{HOME}:"), "")
        .replace("/run/user:", "")
        .trim()
        .to_owned()
}
