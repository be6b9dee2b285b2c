//! One state of the ebuild repositories for a whole run.

use gentoo_updater_tests::actions;
use gentoo_updater_tests::assertions::{self, finding_texts, installed};
use gentoo_updater_tests::fixtures::{Lab, Scene};
use serde_json::Value;

/// A repository of its own, as it was at v1, that is synced from `FROM`. The states of the lab may be
/// made within one second, and rsync goes by size and time.
const OWN_REPOSITORY: &str = "
cp -a /var/db/repos/gentoo-v1 /var/db/own
find /var/db/own -type f -exec touch -d 2026-01-01 {} +
ln -sfn /var/db/own/profiles/default/linux/amd64/23.0 /etc/portage/make.profile
cat > /etc/portage/repos.conf/gentoo.conf <<END
[DEFAULT]
main-repo = gentoo

[gentoo]
location = /var/db/own
sync-type = rsync
sync-uri = file://FROM
sync-rsync-verify-metamanifest = no
auto-sync = yes
END
";

/// A package whose build uses another one that is not stable yet.
const OVERLAY: &str = r#"
cd /opt && mkdir -p overlay/metadata overlay/profiles overlay/app-misc/tool overlay/app-misc/mine
cd overlay
echo overlay > profiles/repo_name
printf 'masters = gentoo\nthin-manifests = true\n' > metadata/layout.conf
ebuild() { printf '%s\n' EAPI=8 'DESCRIPTION="it"' 'SLOT="0"' "S=\${WORKDIR}" "$@"; }
ebuild 'KEYWORDS="~amd64"' > app-misc/tool/tool-1.ebuild
for version in 1 2; do
    ebuild 'KEYWORDS="amd64"' 'DEPEND="app-misc/tool"' > app-misc/mine/mine-$version.ebuild
done
printf '[overlay]\nlocation = /opt/overlay\nauto-sync = no\n' > /etc/portage/repos.conf/overlay.conf
"#;

#[test]
fn a_run_that_syncs_brings_builders_and_guests_to_one_state_and_names_who_is_not_there() {
    let scene = Scene::embedded(3, 1);
    let lab = &scene.lab;
    actions::prepare_for_v2(lab);
    for (machine, from) in [
        ("b1", "/var/db/repos/gentoo-v2"),
        ("g1", "/var/db/repos/gentoo-v2"),
        ("g2", "/var/db/repos/gentoo-v1"),
        ("g3", "/var/db/repos/nowhere"),
    ] {
        lab.sh(machine, &OWN_REPOSITORY.replace("FROM", from));
    }
    let before = installed(lab, "g3");

    let run = actions::run_synced(&scene);

    assertions::exit_code_is(&run, 1);
    let report = &run.report;
    let pinned = timestamp(lab, "b1");
    assert_eq!(
        report["repositories"]["gentoo"],
        Value::from(pinned.clone())
    );
    assertions::outcome_is(report, "g1", "Updated");
    assertions::plans_nothing(lab, "g1");
    assert_eq!(timestamp(lab, "g1"), pinned);

    // Its mirror lags behind: by its own tree there is nothing to do.
    assertions::outcome_is(report, "g2", "UpToDate");
    let texts = finding_texts(&report["guests"]["g2"]).join("\n");
    for revision in [pinned, timestamp(lab, "g2")] {
        assert!(texts.contains(&revision), "{revision}: {texts}");
    }

    let (cause, message) = assertions::failure_of(report, "g3");
    assert_eq!(cause, "SyncFailed");
    assert!(message.contains("sync = false in [guests.g3]"), "{message}");
    assert_eq!(installed(lab, "g3"), before);
    assert_eq!(syncs(lab, "b1"), 1, "once in a run, for all its packages");
    assert_eq!(syncs(lab, "g1"), 1, "once in a run, not for each question");

    let text = scene.command("report", &["report"], std::time::Duration::from_secs(60));
    assert!(
        text.stdout.contains("Ebuild repository gentoo: "),
        "{}",
        text.stdout
    );

    let again = actions::run(&scene);
    assert_eq!(
        syncs(lab, "g1"),
        1,
        "nobody asked for it: {:#}",
        again.report
    );
}

#[test]
#[ignore = "takes long: make test-long"]
fn what_a_guest_accepts_is_accepted_for_its_builds_and_stays_out_of_the_builders_configuration() {
    let scene = Scene::embedded(1, 1);
    let lab = &scene.lab;
    for machine in ["g1", "b1"] {
        lab.sh(machine, OVERLAY);
    }
    lab.sh(
        "g1",
        "echo 'app-misc/tool ~amd64' > /etc/portage/package.accept_keywords/tool
         emerge --color=n =app-misc/mine-1
         emerge --color=n app-misc/tool",
    );
    let configuration =
        |lab: &Lab| lab.sh("b1", "find /etc/portage -type f | sort | xargs sha256sum");
    let before = configuration(lab);

    let run = actions::run(&scene);

    assertions::exit_code_is(&run, 0);
    assert!(installed(lab, "g1").contains_key("app-misc/mine-2"));
    assert_eq!(configuration(lab), before);
    let left = installed(lab, "b1");
    assert!(!left.contains_key("app-misc/tool-1"), "{left:?}");
}

fn timestamp(lab: &Lab, machine: &str) -> String {
    let text = lab.sh(machine, "cat /var/db/own/metadata/timestamp.chk");
    text.trim().to_owned()
}

/// How often a machine was synced.
fn syncs(lab: &Lab, machine: &str) -> usize {
    let log = lab.sh(machine, "cat /var/log/emerge.log 2>/dev/null || :");
    log.lines().filter(|line| line.contains("=== sync")).count()
}
