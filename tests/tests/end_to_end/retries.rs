//! What failed for good is tried again while its run goes on.

use std::time::Duration;

use gentoo_updater_tests::actions::{self, Gate, History, Workers};
use gentoo_updater_tests::assertions::{self, installed};
use gentoo_updater_tests::fixtures::{Scene, wait_until};

const PATIENCE: Duration = Duration::from_secs(60);

/// A profile of the builder that gives a package another flag than guests want.
const FORCED: &str = "mkdir -p /etc/portage/profile
     echo 'dev-libs/libbeta doc' > /etc/portage/profile/package.use.force";

/// How many programs wrote to the log of the second attempt.
const BEGUN: &str =
    "zcat /var/cache/binpkgs/.gentoo-updater/logs/*/dev-libs-libbeta-1.0-*.2.log.gz |
     grep -c '^@@ gentoo-updater: prepare'";

#[test]
fn what_did_not_fit_is_built_anew_by_a_retry_and_reaches_the_guest_in_the_same_run() {
    let mut scene = Scene::with_broker(1, 1);
    scene.configuration.clean_room = "auto";
    scene.configuration.slots = 2;
    let lab = &scene.lab;
    actions::prepare_for_v2(lab);
    actions::slow_down(lab, "b1", 0);
    actions::want_only(
        lab,
        "g1",
        &["app-misc/hello", "app-misc/greeter", "app-misc/slowpoke"],
    );
    lab.sh("b1", FORCED);
    // The run goes on meanwhile.
    let gate = Gate::in_rooms(lab, "b1", "compile", "slowpoke");
    let mut workers = Workers::start(&scene);
    let running = actions::start_run(&scene, "run");
    gate.wait_until_reached();
    wait_until("libbeta does not fit", Duration::from_secs(240), || {
        let history = History::read(&scene);
        history
            .failures()
            .any(|failure| failure.cause == "ResultDoesNotFit")
    });

    lab.sh("b1", "rm -r /etc/portage/profile");
    let retried = scene.command("retry", &["retry", "dev-libs/libbeta"], PATIENCE);
    assert_eq!(retried.status.code(), Some(0), "{}", retried.stderr);
    gate.open();
    let run = running.to_the_end();

    assertions::exit_code_is(&run, 0);
    assertions::outcome_is(&run.report, "g1", "Updated");
    assertions::plans_nothing(lab, "g1");
    let packages = installed(lab, "g1");
    assert!(!packages["dev-libs/libbeta-1.0"].use_flags.contains("doc"));
    // The second attempt has a log of its own.
    let begun = lab.sh("b1", BEGUN);
    assert_eq!(
        begun.trim(),
        "1",
        "programs in the log of the second attempt"
    );
    workers.all_still_run();
}
