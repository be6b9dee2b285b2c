//! What builds leave on a builder beside packages is archived and removed, and comes back as it was.

use std::collections::BTreeMap;
use std::time::Duration;

use gentoo_updater_tests::actions;
use gentoo_updater_tests::assertions;
use gentoo_updater_tests::fixtures::{Lab, Scene};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);

/// A build dependency that leaves all that one can: a configuration file that was edited, one beside
/// which another waits, an edited init script, a user with files of his own, and what it writes when it
/// is run. A file of somebody who was there before is none of it.
const CRUFTY: &str = r#"
src_install() {
	insinto /etc/crufty
	echo shipped > crufty.conf; doins crufty.conf
	echo shipped > local.conf; doins local.conf
	printf '#!/sbin/openrc-run\n' > crufty.initd; newinitd crufty.initd crufty
	echo 'OPTS=""' > crufty.confd; newconfd crufty.confd crufty
	keepdir /var/lib/crufty
	printf '#!/bin/sh\nset -e\nmkdir -p /var/cache/crufty /var/lib/crufty/run\necho ran > /var/cache/crufty/db\necho ran > "/var/lib/crufty/run/a b"\nln -sf run /var/lib/crufty/link\n' > crufty
	dobin crufty
}
pkg_preinst() {
	mkdir -p /etc/crufty; echo mine > /etc/crufty/local.conf
	groupadd -r crufty && useradd -r -g crufty -d /var/lib/crufty crufty || die
}
pkg_postinst() {
	echo edited >> /etc/crufty/crufty.conf
	echo '# edited' >> /etc/init.d/crufty
	mkdir /var/lib/crufty/data; echo data > /var/lib/crufty/data/users
	chown -R crufty:crufty /var/lib/crufty/data; chmod 2750 /var/lib/crufty/data; chmod 640 /var/lib/crufty/data/users
	python3 -c 'import os; os.setxattr("/var/lib/crufty/data/users", "user.origin", b"lab")' || die
	echo other > /var/lib/of-fleet; chown fleet /var/lib/of-fleet
	chmod 600 /etc/machine-note
}
"#;

/// One line for each thing with all that is known of it but times, and a checksum of each file. What
/// ldconfig and Python keep for themselves is not looked at, and neither is what Portage does.
const LOOK: &str = r#"
find /etc /usr /var /opt -xdev \( -path /var/lib/gentoo-updater -o -path /var/log -o -path /var/tmp \
    -o -path /var/cache/edb -o -path /var/cache/distfiles -o -path /var/db/pkg \
    -o -path /var/lib/portage -o -path /var/cache/ldconfig -o -name __pycache__ \) -prune -o -printf '%y %m %u:%g %p %l\n'
find /etc /usr/bin /usr/share /var/lib /var/cache -xdev \( -path /var/lib/gentoo-updater \
    -o -path /var/cache/edb -o -path /var/cache/distfiles -o -path /var/lib/portage \
    -o -path /var/cache/ldconfig -o -name __pycache__ \) -prune -o -type f -exec sha256sum {} +
"#;

/// The files that hold users and groups.
const ACCOUNTS: [&str; 4] = ["/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow"];

/// A guest wants what needs that to be built, and runs it before it is compiled, behind these words.
fn scene(before: &str) -> Scene {
    let scene = Scene::embedded(1, 1);
    let lab = &scene.lab;
    actions::prepare_for_v2(lab);
    let cpv = |text: &str| text.parse().unwrap();
    actions::publish_only(lab, &cpv("dev-util/crufty-1.0"), CRUFTY);
    let setup = format!("[[ ${{MERGE_TYPE}} == binary ]] || {{ {before} crufty || die; }}");
    let uses = format!("BDEPEND=\"dev-util/crufty\"\npkg_setup() {{ {setup}; }}\n");
    actions::publish_only(lab, &cpv("app-misc/hello-3.0"), &uses);
    actions::want_only(lab, "g1", &["app-misc/hello"]);
    scene
}

#[test]
fn a_builder_is_as_before_but_for_its_users_and_what_was_removed_comes_back_as_it_was() {
    let scene = scene("");
    let lab = &scene.lab;
    lab.sh("b1", "echo note > /etc/machine-note; env-update");
    let before = Look::at(lab);

    let run = actions::run(&scene);

    assertions::exit_code_is(&run, 0);
    assertions::outcome_is(&run.report, "g1", "Updated");
    let cruft = &run.report["builders"]["b1"]["cruft"];
    assert_eq!(cruft["trouble"], Value::Null, "{cruft:#}");
    let found: Vec<&str> = strings(&cruft["found"]["first"]);
    for path in [
        "/etc/crufty/crufty.conf",
        "/etc/crufty/local.conf",
        "/etc/crufty/._cfg0000_local.conf",
        "/etc/init.d/crufty",
        "/var/cache/crufty/db",
        "/var/lib/crufty/data/users",
        "/var/lib/crufty/link",
        "/var/lib/crufty/run/a b",
    ] {
        assert!(found.contains(&path), "{path}: {cruft:#}");
    }
    assert_eq!(cruft["archives"].as_array().map(Vec::len), Some(1));
    for kind in ["users", "groups"] {
        assert_eq!(strings(&cruft[kind]), ["crufty"], "{cruft:#}");
    }
    let stays = &cruft["stays"]["first"];
    assert_eq!(stays[0]["path"], "/var/lib/of-fleet", "{cruft:#}");
    assert_eq!(cruft["stays"]["count"], 1, "{cruft:#}");
    let changed = &cruft["changed"]["first"];
    assert_eq!(changed[0]["path"], "/etc/machine-note", "{cruft:#}");
    assert_eq!(changed[0]["what"][0], "mode", "{cruft:#}");

    // What is told is all that is another.
    lab.sh("b1", "rm /var/lib/of-fleet; chmod 644 /etc/machine-note");
    Look::at(lab).is(&before);

    restored(&scene);
}

/// The word in FEATURES is what counts: the sandbox of this builder keeps nobody from anything. Portage
/// runs `pkg_setup` outside of it in any case.
#[test]
#[ignore = "takes long: make test-long"]
fn behind_a_sandbox_goes_what_came_with_packages_and_what_came_before_a_compilation_is_named() {
    // Whoever runs it comes some time after the package did, as behind any longer calculation.
    let later = "until (( $(date +%s) > $(stat -c %Y /var/db/pkg/dev-util/crufty-1.0/COUNTER) + 6 )); \
                 do sleep 0.1; done;";
    let scene = scene(later);
    let lab = &scene.lab;
    lab.sh(
        "b1",
        r#"printf '#!/bin/sh\nexec bash -c "$*"\n' > /usr/bin/sandbox; chmod 755 /usr/bin/sandbox
           echo 'FEATURES="${FEATURES} sandbox"' >> /etc/portage/make.conf"#,
    );

    let run = actions::run(&scene);

    assertions::exit_code_is(&run, 0);
    let cruft = &run.report["builders"]["b1"]["cruft"];
    assert_eq!(cruft["trouble"], Value::Null, "{cruft:#}");
    let found = strings(&cruft["found"]["first"]);
    for path in [
        "/etc/crufty/crufty.conf",
        "/etc/crufty/local.conf",
        "/etc/init.d/crufty",
        "/var/lib/crufty/data/users",
    ] {
        assert!(found.contains(&path), "{path}: {cruft:#}");
    }
    let stays = cruft["stays"]["first"].as_array().expect("a list").iter();
    let stays: Vec<&str> = stays.filter_map(|one| one["path"].as_str()).collect();
    for path in ["/var/cache/crufty/db", "/var/lib/crufty/run/a b"] {
        assert!(stays.contains(&path), "{path}: {cruft:#}");
        lab.sh("b1", &format!("test -e '{path}'"));
    }
}

/// What was archived is shown, comes back as it was, and not over what is there; and is purged.
fn restored(scene: &Scene) {
    let lab = &scene.lab;
    let listed = json(scene, &["cruft", "list", "--json"], 0);
    let archive = &listed["builders"]["b1"][0];
    let run = archive["run"].as_str().expect("a run").to_owned();
    let short = &run[run.len() - 12..];
    let conf = "/etc/crufty/crufty.conf";
    let data = "/var/lib/crufty/data";
    let args = ["cruft", "restore", short, conf, data, "--json"];
    let done = json(scene, &args, 0);
    assert_eq!(
        strings(&done["restored"]),
        [
            "/etc/crufty",
            conf,
            "/var/lib/crufty",
            data,
            &format!("{data}/users")
        ]
    );
    let told = lab.sh(
        "b1",
        "stat -c '%n %U:%G %a' /etc/crufty/crufty.conf /var/lib/crufty/data /var/lib/crufty/data/users
         cat /etc/crufty/crufty.conf /var/lib/crufty/data/users
         python3 -c 'import os; print(os.getxattr(\"/var/lib/crufty/data/users\", \"user.origin\"))'",
    );
    assert_eq!(
        told,
        "/etc/crufty/crufty.conf root:root 644\n/var/lib/crufty/data crufty:crufty 2750\n\
         /var/lib/crufty/data/users crufty:crufty 640\nshipped\nedited\ndata\nb'lab'\n"
    );

    lab.sh("b1", "echo newer > /etc/crufty/crufty.conf");
    let all = ["cruft", "restore", short, "--all"];
    let refused = scene.command("refused", &all, PATIENCE);
    assert_eq!(refused.status.code(), Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains(conf), "{}", refused.stderr);
    assert!(
        !lab.holds("b1", "test -e /etc/init.d/crufty"),
        "nothing came"
    );
    let forced = ["cruft", "restore", short, "--all", "--force"];
    let forced = scene.command("forced", &forced, PATIENCE);
    assert_eq!(forced.status.code(), Some(0), "{}", forced.stderr);
    lab.sh(
        "b1",
        "test -x /etc/init.d/crufty; grep -q edited /etc/crufty/crufty.conf
         grep -q ran '/var/lib/crufty/link/a b'",
    );

    let purge = ["cruft", "purge", short, "--yes", "--json"];
    let purged = json(scene, &purge, 0);
    assert_eq!(purged["builders"]["b1"][0]["run"], run.as_str());
    let none = scene.command("none", &["cruft", "list", short], PATIENCE);
    assert_eq!(none.status.code(), Some(1), "{}", none.stderr);
}

/// A builder's files as `find` and `sha256sum` see them.
struct Look {
    files: BTreeMap<String, ()>,
    accounts: BTreeMap<&'static str, Vec<String>>,
}

impl Look {
    fn at(lab: &Lab) -> Self {
        let text = lab.sh("b1", LOOK);
        // Users are compared by themselves. Of both kinds of lines the path is a word.
        let is_account = |line: &str| {
            line.split_whitespace()
                .any(|word| ACCOUNTS.contains(&word.trim_end_matches('-')))
        };
        let files = text.lines().filter(|line| !is_account(line));
        let files: BTreeMap<String, ()> = files.map(|line| (line.to_owned(), ())).collect();
        assert!(files.len() > 2000, "b1 has files: {}", files.len());
        let accounts = ACCOUNTS.into_iter().map(|path| {
            let lines = lab.sh("b1", &format!("cat {path}"));
            (path, lines.lines().map(str::to_owned).collect())
        });
        Self {
            files,
            accounts: accounts.collect(),
        }
    }

    /// Nothing is another, but that there are the reported user and group.
    fn is(&self, before: &Self) {
        let gone = before
            .files
            .keys()
            .filter(|line| !self.files.contains_key(*line));
        let new = self
            .files
            .keys()
            .filter(|line| !before.files.contains_key(*line));
        let gone = gone.map(|line| format!("-{line}"));
        let lines: Vec<String> = gone.chain(new.map(|line| format!("+{line}"))).collect();
        assert!(lines.is_empty(), "b1 has changed:\n{}", lines.join("\n"));
        for (path, lines) in &self.accounts {
            let known = &before.accounts[path];
            let more: Vec<&String> = lines.iter().filter(|line| !known.contains(line)).collect();
            assert_eq!(lines.len(), known.len() + 1, "{path}: {more:?}");
            assert!(
                more.len() == 1 && more[0].starts_with("crufty:"),
                "{path}: {more:?}"
            );
        }
    }
}

fn json(scene: &Scene, arguments: &[&str], status: i32) -> Value {
    let ended = scene.command("cruft", arguments, PATIENCE);
    assert_eq!(ended.status.code(), Some(status), "{}", ended.stderr);
    serde_json::from_str(&ended.stdout).expect("JSON")
}

fn strings(value: &Value) -> Vec<&str> {
    let all = value.as_array().into_iter().flatten();
    all.filter_map(Value::as_str).collect()
}
