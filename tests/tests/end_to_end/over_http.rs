//! Guests that have not mounted the store: they fetch what is ordered for them over HTTPS, and may
//! require signatures.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use gentoo_updater_tests::actions;
use gentoo_updater_tests::assertions::{self, Binaries, failure_of, installed};
use gentoo_updater_tests::fixtures::{Lab, Process, Program, Scene, program};

/// What each guest wants; both are built in seconds.
const WANTED: [&str; 2] = ["app-misc/bigdata", "app-misc/slowpoke"];

#[test]
fn a_guest_without_the_store_is_updated_over_https_and_takes_only_signed_binaries() {
    let mut scene = Scene::embedded(3, 1);
    actions::prepare_for_v2(&scene.lab);
    actions::slow_down(&scene.lab, "b1", 0);
    let guests = ["g1", "g2", "g3"];
    for guest in guests {
        actions::want_only(&scene.lab, guest, &WANTED);
    }
    sign_and_require(&mut scene, "g1");
    let far = ["g1", "g2"];
    for guest in far {
        // Nothing of the store is there.
        scene.lab.sh(guest, "umount /var/cache/binpkgs");
        scene.configuration.fetching.insert(guest.to_owned());
    }
    scene.lab.sh(
        "g2",
        "mkdir -p /etc/portage/binrepos.conf && echo '[own]
sync-uri = https://own.example.net' > /etc/portage/binrepos.conf/own.conf",
    );
    let port = 8443;
    let served = certify(&mut scene, port);
    let server = serve(&scene, &served, port);
    let before = far.map(|guest| installed(&scene.lab, guest));

    let run = actions::run(&scene);

    let lab = &scene.lab;
    assertions::exit_code_is(&run, 0);
    for (guest, before) in far.iter().zip(before) {
        assertions::outcome_is(&run.report, guest, "Updated");
        assertions::plans_nothing(lab, guest);
        assert_ne!(installed(lab, guest), before);
        let left = lab.sh(
            guest,
            "find /var/cache/gentoo-updater /var/cache/binpkgs -type f",
        );
        assert_eq!(left, "", "{guest} keeps nothing that was fetched (left)");
    }
    assertions::outcome_is(&run.report, "g3", "Updated");
    assert_eq!(
        installed(lab, "g1")["app-misc/bigdata-2.0"].build_id,
        installed(lab, "g3")["app-misc/bigdata-2.0"].build_id,
        "one binary for those who fetch and those who mount"
    );
    let binaries = Binaries::of(lab);
    let binary = binaries.paths().find(|path| path.contains("bigdata-2.0"));
    let binary = binary.expect("bigdata was built");
    let members = lab.sh("b1", &format!("tar -tf /var/cache/binpkgs/{binary}"));
    assert!(members.contains("metadata.tar.zst.sig"), "{members}");
    the_guests_own_portage_fetches_too(lab);
    assert!(server.terminate(Duration::from_secs(20)).success());
}

/// `binrepos.conf` was written, and nothing beside it was touched; the real emerge fetches with it.
fn the_guests_own_portage_fetches_too(lab: &Lab) {
    let own = lab.sh(
        "g2",
        "cat /etc/portage/binrepos.conf/own.conf; rm /etc/portage/binrepos.conf/own.conf",
    );
    assert!(own.contains("own.example.net"), "{own}");
    for (guest, verify) in [("g1", "true"), ("g2", "false")] {
        let text = lab.sh(guest, "cat /etc/portage/binrepos.conf/gentoo-updater.conf");
        assert!(
            text.contains(&format!("verify-signature = {verify}")),
            "{guest}: {text}"
        );
        lab.sh(guest, "emerge --quiet --unmerge app-misc/bigdata");
        let pretended = lab.sh(
            guest,
            "emerge --pretend --verbose --getbinpkgonly --oneshot =app-misc/bigdata-2.0",
        );
        assert!(
            pretended.contains("app-misc/bigdata-2.0"),
            "{guest}: {pretended}"
        );
        lab.sh(
            guest,
            "emerge --quiet --getbinpkgonly --oneshot =app-misc/bigdata-2.0",
        );
        assert!(
            installed(lab, guest).contains_key("app-misc/bigdata-2.0"),
            "{guest}"
        );
    }
}

#[test]
#[ignore = "takes long: make test-long"]
fn a_store_that_is_away_or_has_other_or_no_files_leaves_the_guest_as_it_is_and_is_named() {
    let mut scene = Scene::embedded(1, 1);
    actions::prepare_for_v2(&scene.lab);
    actions::slow_down(&scene.lab, "b1", 0);
    actions::want_only(&scene.lab, "g1", &WANTED);
    scene.lab.sh("g1", "umount /var/cache/binpkgs");
    scene.configuration.fetching.insert("g1".to_owned());
    scene.configuration.policy.insert("attempts", 1);
    let port = 8443;
    let served = certify(&mut scene, port);
    let before = installed(&scene.lab, "g1");
    let refused = |scene: &Scene, cause: &str, words: &str| {
        let run = actions::run(scene);
        let (found, message) = failure_of(&run.report, "g1");
        assert_eq!(found, cause, "{message}");
        assert!(message.contains(words), "{words:?} is not in: {message}");
        assert_eq!(run.report["guests"]["g1"]["untouched"], true);
        assert_eq!(installed(&scene.lab, "g1"), before, "g1 was touched (left)");
        run
    };

    refused(&scene, "StoreUnreachable", "gentoo-updater store serve");

    let server = serve(&scene, &served, port);
    scene.lab.sh(
        "g1",
        "mv /etc/portage/binrepos.conf /tmp/ && echo '[own]' > /etc/portage/binrepos.conf",
    );
    refused(&scene, "BinreposConfIsFile", "mkdir binrepos.conf");
    scene.lab.sh(
        "g1",
        "rm /etc/portage/binrepos.conf && mv /tmp/binrepos.conf /etc/portage/",
    );

    let trusted = scene.configuration.served.clone();
    let other = scene.file("other.pem");
    let own = rcgen::generate_simple_self_signed(vec!["other".to_owned()]).expect("a certificate");
    fs::write(&other, own.cert.pem()).expect("a certificate is written");
    if let Some((_, authority)) = &mut scene.configuration.served {
        *authority = other;
    }
    refused(&scene, "StoreNotTrusted", "url_ca");
    scene.configuration.served = trusted;

    // A file that is another one behind the back of the fleet is built again in a further round.
    let binaries = Binaries::of(&scene.lab);
    let big = binaries
        .paths()
        .find(|path| path.contains("bigdata-2.0"))
        .expect("bigdata was built");
    let big = big.to_owned();
    actions::spoil(&scene.lab, &big);
    // The builder looks before it says that it has it: what it has built again is good.
    let run = actions::run(&scene);
    assertions::exit_code_is(&run, 0);
    assertions::outcome_is(&run.report, "g1", "Updated");
    assertions::plans_nothing(&scene.lab, "g1");
    assert!(server.terminate(Duration::from_secs(20)).success());
}

/// Certificate, key, and the configuration of the server, which has the store elsewhere than guests.
struct Served {
    certificate: PathBuf,
    key: PathBuf,
    configuration: PathBuf,
}

/// Makes a certificate for the controller, and has the fleet trust it.
fn certify(scene: &mut Scene, port: u16) -> Served {
    let address = scene.lab.fact("LAB_CTL_IP").to_owned();
    let own = rcgen::generate_simple_self_signed(vec![address.clone()]).expect("a certificate");
    let served = Served {
        certificate: scene.file("store.pem"),
        key: scene.file("store.key"),
        configuration: scene.file("server.toml"),
    };
    fs::write(&served.certificate, own.cert.pem()).expect("a certificate is written");
    fs::write(&served.key, own.signing_key.serialize_pem()).expect("a key is written");
    let fleet = format!(
        "[platforms.default]\nstore = {:?}\n[builders.b1]\naddress = \"local\"\n[guests.g1]\naddress = \"ssh://g1\"\n",
        scene.lab.store()
    );
    fs::write(&served.configuration, fleet).expect("a configuration is written");
    let url = format!("https://{address}:{port}/default");
    scene.configuration.served = Some((url, served.certificate.clone()));
    served
}

/// Serves the store of the lab, where its guests reach it.
fn serve(scene: &Scene, served: &Served, port: u16) -> Process {
    let listen = format!("{}:{port}", scene.lab.fact("LAB_CTL_IP"));
    let paths = [&served.configuration, &served.certificate, &served.key];
    let [configuration, certificate, key] = paths.map(|path| path.to_str().expect("a path"));
    let arguments = [
        "--config",
        configuration,
        "store",
        "serve",
        "--listen",
        &listen,
        "--certificate",
        certificate,
        "--key",
        key,
    ];
    let path = program(Program::Command);
    let logs = scene.file("logs");
    let mut server = Process::start("store", scene.lab.netns(), &path, arguments, &logs);
    let deadline = Instant::now() + Duration::from_secs(20);
    while !fs::read_to_string(&server.stderr)
        .unwrap_or_default()
        .contains("served at")
    {
        assert!(
            server.is_running() && Instant::now() < deadline,
            "the store is not served"
        );
        std::thread::yield_now();
    }
    server
}

/// Builders sign with keys of their own, and one guest knows them and takes nothing else.
fn sign_and_require(scene: &mut Scene, strict: &str) {
    scene.configuration.sign = true;
    for arguments in [
        &["store", "keys", "init"][..],
        &["store", "keys", "teach", "--yes", strict],
    ] {
        let said = scene.command("keys", arguments, Duration::from_secs(180));
        assert!(said.status.success(), "{arguments:?}: {}", said.stderr);
    }
    let features = r#"s/^FEATURES="/FEATURES="binpkg-request-signature /"#;
    let lab = &scene.lab;
    lab.sh(
        strict,
        &format!("sed -i '{features}' /etc/portage/make.conf"),
    );
    lab.sh(
        strict,
        "portageq envvar FEATURES | grep -qw binpkg-request-signature",
    );
}
