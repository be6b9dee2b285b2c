//! What an administrator is told after an update, and what is restarted by policy.

use gentoo_updater_tests::actions;
use gentoo_updater_tests::assertions::{self, finding_texts, installed};
use gentoo_updater_tests::fixtures::{Lab, Scene, wait_until};
use serde_json::Value;
use std::time::Duration;

/// The smallest world in which a library gets a new subslot, and a configuration file a new
/// version.
const WORLD: [&str; 3] = ["app-misc/hello", "app-misc/greeter", "www-servers/tinyd"];

/// What is installed, and not of this world.
const UNNEEDED: &str = "app-misc/slowpoke-1.0";

/// A service whose process runs on a library: on the newest that is installed when it starts.
pub(crate) const SERVICE: &str = r#"
cat > /etc/init.d/alphad <<'END'
#!/sbin/openrc-run
command=/bin/sleep
command_args=100000
command_background=yes
pidfile=/run/alphad.pid
start_pre() { export LD_PRELOAD=$(ls /usr/lib64/libalpha.so.[12] | tail -n 1); }
END
chmod 755 /etc/init.d/alphad
rc-service alphad start
grep -q libalpha "/proc/$(cat /run/alphad.pid)/maps"
"#;

#[test]
fn an_administrator_is_told_what_is_left_to_do_and_services_are_restarted_by_policy() {
    let mut scene = Scene::embedded(2, 1);
    scene.configuration.restart_services = Some("restart");
    scene.configuration.depclean = Some("remove");
    let lab = &scene.lab;
    actions::prepare_for_v2(lab);
    for guest in lab.guests() {
        actions::want_only(lab, &guest, &WORLD);
    }
    edit_configuration(lab, "g1");
    install_a_newer_kernel(lab, "g1");
    for guest in ["g1", "g2"] {
        lab.must(&["openrc", guest]);
        lab.sh(guest, SERVICE);
    }
    // Begun by hand, and of no service.
    lab.sh(
        "g1",
        "LD_PRELOAD=/usr/lib64/libalpha.so.1 setsid sleep 100000 </dev/null >/dev/null 2>&1 &
         echo $! > /run/by-hand.pid",
    );
    // It starts once more, and never again.
    lab.sh(
        "g2",
        r#"sed -i 's/^start_pre.*/start_pre() { eerror "alphad has lost its wits"; return 1; }/' /etc/init.d/alphad"#,
    );
    let before = pid(lab, "g1", "/run/alphad.pid");

    let run = actions::run(&scene);

    assertions::exit_code_is(&run, 0);
    let (g1, g2) = (&run.report["guests"]["g1"], &run.report["guests"]["g2"]);
    the_difference_is_told_and_no_secret(g1);
    let restarted = finding(g1, "ServiceRestarted", "alphad");
    assert!(restarted.is_some(), "alphad on g1: {g1:#}");
    let after = pid(lab, "g1", "/run/alphad.pid");
    assert_ne!(before, after, "alphad on g1 is still the old process");
    assert!(
        lab.holds("g1", &format!("grep -q libalpha.so.2 /proc/{after}/maps")),
        "alphad on g1 runs on the new library"
    );
    let by_hand = finding(g1, "ProcessOutdated", "sleep");
    let by_hand = by_hand.unwrap_or_else(|| panic!("what was begun by hand is named: {g1:#}"));
    let number = pid(lab, "g1", "/run/by-hand.pid");
    assert!(
        by_hand["details"].to_string().contains(&number),
        "process {number} is named: {by_hand:#}"
    );
    let failed = finding(g2, "ServiceRestartFailed", "alphad");
    let failed = failed.unwrap_or_else(|| panic!("alphad on g2: {g2:#}"));
    assert!(
        failed["details"].to_string().contains("lost its wits"),
        "what the service said is told: {failed:#}"
    );
    let kernel = finding(g1, "RebootNeeded", "kernel");
    let kernel = kernel.unwrap_or_else(|| panic!("a newer kernel is named: {g1:#}"));
    assert!(
        kernel["text"].to_string().contains("gentoo-kernel-99.1.0"),
        "{kernel:#}"
    );
    for guest in [g1, g2] {
        let news = finding(guest, "NewsUnread", "2026-01-05-lab-news");
        let news = news.unwrap_or_else(|| panic!("unread news is named: {guest:#}"));
        assert!(
            news["text"].to_string().contains("Lab news item"),
            "{news:#}"
        );
    }
    both_reports_tell_it(&scene, &run.report);
    what_nothing_needs_is_gone(lab, g1);
}

#[test]
#[ignore = "takes long: make test-long"]
fn without_a_policy_nothing_is_restarted_and_the_plan_is_told() {
    let scene = Scene::embedded(1, 1);
    let lab = &scene.lab;
    actions::prepare_for_v2(lab);
    actions::want_only(lab, "g1", &WORLD);
    lab.must(&["openrc", "g1"]);
    lab.sh("g1", SERVICE);
    // As Portage writes it. The library lies there under its former name, and something needs it:
    // Portage removes what nothing needs.
    lab.sh(
        "g1",
        r#"sed 's/libgamma\.so\.1/libgamma.so.0/g' /usr/lib64/libgamma.so.1 > /usr/lib64/libgamma.so.0
           chmod 755 /usr/lib64/libgamma.so.0
           cp /usr/bin/hello /usr/bin/old
           printf '{"dev-libs/libgamma:0": ["dev-libs/libgamma-1.0", "12", ["/usr/lib64/libgamma.so.0"]]}' \
               > /var/lib/portage/preserved_libs_registry
           printf 'X86_64;/usr/bin/old;;;libgamma.so.0,libc.so.6;x86_64\n' \
               >> /var/db/pkg/dev-libs/libgamma-1.0/NEEDED.ELF.2"#,
    );
    let before = pid(lab, "g1", "/run/alphad.pid");

    let run = actions::run(&scene);

    assertions::exit_code_is(&run, 0);
    let g1 = &run.report["guests"]["g1"];
    assert_eq!(
        pid(lab, "g1", "/run/alphad.pid"),
        before,
        "alphad was restarted"
    );
    let outdated = finding(g1, "ServiceOutdated", "alphad");
    let outdated = outdated.unwrap_or_else(|| panic!("alphad is named: {g1:#}"));
    let text = outdated["text"].as_str().unwrap_or_default();
    assert!(
        text.contains("libalpha.so.1") && text.contains("rc-service alphad restart"),
        "{text}"
    );
    assert!(
        outdated["details"].to_string().contains(&before),
        "{outdated:#}"
    );
    let unneeded = finding(g1, "Unneeded", "depclean");
    let unneeded = unneeded.unwrap_or_else(|| panic!("what nothing needs is named: {g1:#}"));
    assert!(
        unneeded["details"].to_string().contains(UNNEEDED),
        "{unneeded:#}"
    );
    assert!(installed(lab, "g1").contains_key(UNNEEDED));
    let kept = finding(g1, "LibraryPreserved", "/usr/lib64/libgamma.so.0");
    assert!(kept.is_some(), "a preserved library is named: {g1:#}");
}

/// And nothing else is: a kernel may be the one that runs.
fn what_nothing_needs_is_gone(lab: &Lab, guest: &Value) {
    let left = installed(lab, "g1");
    assert!(!left.contains_key(UNNEEDED), "{left:?}");
    let removed = &guest["changes"];
    assert!(removed.to_string().contains(UNNEEDED), "{removed:#}");
    let findings = guest["findings"].to_string();
    assert!(
        findings.contains("removed, for nothing needed them"),
        "{findings}"
    );
    let unneeded = finding(guest, "Unneeded", "depclean");
    let unneeded = unneeded.unwrap_or_else(|| panic!("the kernel is named: {guest:#}"));
    assert_eq!(
        unneeded["details"],
        serde_json::json!(["sys-kernel/gentoo-kernel-99.1.0"])
    );
}

/// A file with a change of the administrator's own, and one that not everybody may read.
fn edit_configuration(lab: &Lab, guest: &str) {
    lab.sh(
        guest,
        "echo 'workers = 4' >> /etc/tinyd/tinyd.conf
         echo '# token=s3cr3t' >> /etc/init.d/tinyd
         chmod 700 /etc/init.d/tinyd",
    );
}

fn install_a_newer_kernel(lab: &Lab, guest: &str) {
    lab.sh(
        guest,
        "package=/var/db/pkg/sys-kernel/gentoo-kernel-99.1.0
         mkdir -p $package
         cp /var/db/pkg/sys-apps/labbase-1.0/{CONTENTS,COUNTER,EAPI,KEYWORDS,repository} $package
         : > $package/CONTENTS
         echo sys-kernel > $package/CATEGORY
         echo gentoo-kernel-99.1.0 > $package/PF
         echo 99.1.0 > $package/SLOT",
    );
}

fn pid(lab: &Lab, guest: &str, file: &str) -> String {
    wait_until("the pid is written", Duration::from_secs(20), || {
        lab.holds(guest, &format!("test -s {file}"))
    });
    lab.sh(guest, &format!("cat {file}")).trim().to_owned()
}

fn the_difference_is_told_and_no_secret(guest: &Value) {
    let pending = finding(guest, "ConfigurationPending", "/etc/tinyd/tinyd.conf");
    let pending = pending.unwrap_or_else(|| panic!("tinyd.conf waits: {guest:#}"));
    let lines: Vec<&str> = pending["details"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for line in ["-workers = 4", "+listen = 127.0.0.1:9090"] {
        assert!(
            lines.contains(&line),
            "{line:?} of the difference: {pending:#}"
        );
    }
    let secret = finding(guest, "ConfigurationPending", "/etc/init.d/tinyd");
    let secret = secret.unwrap_or_else(|| panic!("init.d/tinyd waits: {guest:#}"));
    assert!(secret["details"].is_null(), "{secret:#}");
    assert!(
        !guest.to_string().contains("s3cr3t"),
        "a secret is told: {guest:#}"
    );
}

/// The finding of this kind about this thing.
fn finding<'a>(guest: &'a Value, kind: &str, subject: &str) -> Option<&'a Value> {
    let mut findings = guest["findings"].as_array().into_iter().flatten();
    findings.find(|finding| finding["kind"] == kind && finding["subject"] == subject)
}

fn both_reports_tell_it(scene: &Scene, report: &Value) {
    let summed = report["afterwards"].as_array().into_iter().flatten();
    let news = summed.filter(|sum| sum["kind"] == "NewsUnread");
    let guests: Vec<&Value> = news.map(|sum| &sum["guests"]).collect();
    assert_eq!(
        guests,
        [&serde_json::json!(["g1", "g2"])],
        "the guests with unread news, summed: {:#}",
        report["afterwards"]
    );
    let notices = finding_texts(&report["guests"]["g1"]);
    assert!(
        !notices
            .iter()
            .any(|text| text.contains("news items need reading")),
        "what the items tell is not told again: {notices:?}"
    );
    let patience = Duration::from_secs(30);
    let report = scene.command("report", &["report"], patience).stdout;
    for words in [
        "\nAfterwards\n",
        "alphad did not restart well: 1 guest, g2",
        "to be rebooted, for a newer kernel: 1 guest, g1",
        "2026-01-05-lab-news to be read: 2 guests, g1 g2",
        "/etc/tinyd/tinyd.conf to be merged: 1 guest, g1",
    ] {
        assert!(
            report.contains(words),
            "{words:?} is not in the report:\n{report}"
        );
    }
    assert!(
        !report.contains("-workers = 4"),
        "differences are no summary:\n{report}"
    );
    let one = scene
        .command("guest", &["report", "--guest", "g1"], patience)
        .stdout;
    assert!(
        one.contains("| -workers = 4") && !one.contains("g2:"),
        "{one}"
    );
    let nobody = scene.command("nobody", &["report", "--guest", "g7"], patience);
    assert_eq!(nobody.status.code(), Some(1), "{}", nobody.stderr);
    assert!(nobody.stderr.contains("g1, g2"), "{}", nobody.stderr);
}
