//! What of new files is the run's.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;

use serde_json::{Value, json};

use super::testing::{Machine, RUN, found, json_of, succeeded};

/// Why something stays.
fn why<'a>(told: &'a Value, path: &str) -> Option<&'a str> {
    let stays = told["stays"]["first"].as_array().unwrap();
    let one = stays.iter().find(|one| one["path"] == path)?;
    one["why"].as_str()
}

#[test]
fn what_a_package_owns_stays_also_behind_a_folder_that_is_a_link() {
    let machine = Machine::building();
    machine.write("usr/lib64/owned.so", "");
    machine.write("usr/lib64/preserved.so", "");
    machine.write("usr/lib64/left.so", "");
    symlink("owned.so", machine.path("usr/lib64/link.so")).unwrap();
    machine.install(
        "a/new-1",
        "dir /usr/lib\nobj /usr/lib/owned.so x 1\nsym /usr/lib/link.so -> owned.so 1\n",
    );
    let registry = r#"{"a/gone:0": ["a/gone-1", 7, ["/usr/lib/preserved.so"]]}"#;
    machine.write("var/lib/portage/preserved_libs_registry", registry);
    let told = machine.sweep(json!({ "left_out": [
        "/var/lib/gentoo-updater", "/var/db/pkg", "/var/lib/portage"] }));
    assert_eq!(found(&told), ["/usr/lib64/left.so"]);
}

#[test]
fn what_others_made_meanwhile_stays_and_is_named_or_is_none_of_anybodys_business() {
    let machine = Machine::building();
    machine.write("var/lib/database/new-rows", "");
    machine.write("etc/of-nobody", "");
    chown(machine.path("etc/of-nobody"), Some(65534), None).unwrap();
    machine.write("var/lib/service/open", "");
    let _open = File::open(machine.path("var/lib/service/open")).unwrap();
    machine.write("var/lib/service/closed", "");
    let _socket = UnixListener::bind(machine.path("var/lib/service/socket")).unwrap();
    let told = machine.sweep(json!({}));
    assert_eq!(
        found(&told),
        ["/var/lib/service/closed"],
        "the folder is not empty: {told:#}"
    );
    assert!(machine.has("var/lib/database/new-rows"));
    assert_eq!(why(&told, "/var/lib/database/new-rows"), None);
    assert!(
        why(&told, "/etc/of-nobody")
            .unwrap()
            .contains("user or group")
    );
    assert_eq!(why(&told, "/var/lib/service/open"), Some("in use"));
    assert!(
        why(&told, "/var/lib/service/socket")
            .unwrap()
            .contains("socket")
    );
}

#[test]
fn what_lies_in_a_new_folder_of_an_installed_package_stays() {
    let machine = Machine::building();
    for path in [
        "var/lib/admins/rows",
        "var/lib/dep/rows",
        "etc/admins/own.conf",
    ] {
        machine.write(path, "");
    }
    // An administrator has installed one of them meanwhile, the other goes with the run.
    machine.install("a/admins-1", "dir /var/lib/admins\ndir /etc/admins\n");
    machine.install("a/dep-1", "dir /var/lib/dep\n");
    machine.note(&["a/dep-1"]);
    fs::remove_dir_all(machine.path("var/db/pkg/a/dep-1")).unwrap();
    let told = machine.sweep(json!({}));
    assert_eq!(found(&told), ["/var/lib/dep", "/var/lib/dep/rows"]);
}

#[test]
fn what_came_while_nothing_was_built_stays() {
    let machine = Machine::building();
    // The build was over long ago.
    for (file, age) in [("before", 7200), ("after", 3600)] {
        let path = machine.of_run(&format!("builds/one.1/{file}"));
        machine.write(&path, "");
        machine.make_old(&path, age);
    }
    machine.write("etc/admins.conf", "");
    machine.write("etc/shipped.conf", "edited");
    machine.write("etc/._cfg0000_shipped.conf", "");
    machine.write("etc/._cfg0000_old.conf", "");
    machine.install("a/dep-1", "obj /etc/shipped.conf x 1\n");
    machine.note(&["a/dep-1"]);
    fs::remove_dir_all(machine.path("var/db/pkg/a/dep-1")).unwrap();
    let told = machine.sweep(json!({}));
    // What a package of the run had is the run's at any time.
    assert_eq!(
        found(&told),
        ["/etc/._cfg0000_shipped.conf", "/etc/shipped.conf"],
        "{told:#}"
    );
    assert!(
        why(&told, "/etc/admins.conf")
            .unwrap()
            .contains("made while")
    );
    let pending = why(&told, "/etc/._cfg0000_old.conf").unwrap();
    assert!(pending.contains("dispatch-conf"), "{pending}");
}

#[test]
fn behind_a_sandbox_only_the_times_count_in_which_packages_came() {
    let log = "100:  >>> emerge (1 of 2) a/b-1 to /\n\
               100:  === (1 of 2) Compiling/Merging (a/b-1::/b.ebuild)\n\
               200:  === (1 of 2) Merging (a/b-1::/b.ebuild)\n\
               203:  ::: completed emerge (1 of 2) a/b-1 to /\n\
               203:  >>> emerge (2 of 2) a/c-1 to /\n\
               203:  === (2 of 2) Compiling/Merging (a/c-1::/c.ebuild)\n\
               300:  === (2 of 2) Merging (a/c-1::/c.ebuild)\n\
               304:  *** exiting successfully.\n\
               305:  *** terminating.\n";
    let times = |more: Value, installed: &[&str]| {
        let machine = Machine::building();
        installed.iter().for_each(|cpv| machine.install(cpv, ""));
        machine.write(machine.of_run("builds/one.1/emerge.log"), log);
        // The second of three removals was killed.
        let notes = "begin 500\nend 510\nbegin 700\nbegin 9000\nend 9001\n";
        machine.write(machine.of_run("cleaning"), notes);
        for (file, time) in [("before", 90), ("after", 310)] {
            let path = machine.of_run(&format!("builds/one.1/{file}"));
            machine.write(&path, "");
            let then = std::time::UNIX_EPOCH + std::time::Duration::from_secs(time);
            let file = File::options().write(true).open(machine.path(path));
            file.unwrap().set_modified(then).unwrap();
        }
        let ask = "def note(wanted):\n    \
                   times = of_runs(Place(wanted), wanted)\n    \
                   print(json.dumps([sorted(times.own), times.others]))\n";
        json_of(succeeded(machine.clean("note", more, ask)))
    };
    let cleaning = [[500.0, 510.0], [9000.0, 9001.0]];
    let [first, last] = cleaning;
    let expected = json!([[[90.0, 310.0], first, last], []]);
    assert_eq!(times(json!({}), &[]), expected);
    let narrow = json!([[[200, 203], [300, 305], first, last], []]);
    assert_eq!(times(json!({ "sandbox": true }), &[]), narrow);
    // Somebody needs one of them: what came with it is not the run's.
    let told = times(json!({}), &["a/c-1"]);
    assert_eq!(told, json!([expected[0], [[300, 305]]]));
}

#[test]
fn files_that_were_there_and_are_others_are_named_unless_their_package_was_updated() {
    let machine = Machine::building();
    machine.write("etc/old.conf", "other");
    let mode = fs::Permissions::from_mode(0o600);
    fs::set_permissions(machine.path("var/lib/database"), mode).unwrap();
    let changed = |told: &Value| told["changed"]["first"].clone();
    let told = machine.sweep(json!({}));
    assert_eq!(
        changed(&told),
        json!([
            { "path": "/etc/old.conf", "what": ["content"] },
            { "path": "/var/lib/database", "what": ["mode"] },
        ])
    );
    // The same package from another build.
    machine.write("var/db/pkg/a/old-1/BUILD_TIME", "17\n");
    let told = machine.sweep(json!({}));
    assert_eq!(changed(&told)[0]["path"], "/var/lib/database", "{told:#}");
}

#[test]
fn without_a_manifest_nothing_goes_and_that_is_said_and_a_report_removes_nothing() {
    let machine = Machine::building();
    machine.write("etc/left.conf", "");
    let told = machine.sweep(json!({ "archive": false }));
    assert_eq!(found(&told), ["/etc/left.conf"]);
    assert!(machine.has("etc/left.conf"));
    for text in [Some("damaged"), None] {
        let manifest = machine.path(machine.of_run("manifest"));
        match text {
            Some(text) => fs::write(&manifest, text).unwrap(),
            None => fs::remove_file(&manifest).unwrap(),
        }
        let told = machine.sweep(json!({}));
        let words = told["trouble"].as_str().unwrap();
        assert!(words.contains("manifest"), "{words}");
        assert!(machine.has("etc/left.conf"));
    }
}

#[test]
fn of_a_build_that_was_killed_nothing_counts_after_its_last_sign_of_life() {
    for sandbox in [false, true] {
        let machine = Machine::building();
        let ago = |seconds: u64| {
            let now = std::time::SystemTime::now();
            let then = now - std::time::Duration::from_secs(seconds);
            then.duration_since(std::time::UNIX_EPOCH)
                .unwrap()
                .as_secs()
        };
        let log = format!("{}:  === (1 of 1) Merging (a/b-1::/b.ebuild)\n", ago(7200));
        for (file, text, age) in [("before", "", 7300), ("emerge.log", &log, 7200)] {
            let path = machine.of_run(&format!("builds/one.1/{file}"));
            machine.write(&path, text);
            machine.make_old(&path, age);
        }
        // The next attempt begins much later, and so does a removal that was killed as well.
        machine.write(machine.of_run("builds/one.2/before"), "");
        machine.make_old(&machine.of_run("builds/one.2/before"), 30);
        let cleaning = format!("begin {}\nbegin {}\n", ago(3600), ago(20));
        machine.write(machine.of_run("cleaning"), &cleaning);
        machine.write("etc/admins.conf", "");
        machine.write("opt/site/www/index.html", "");
        let told = machine.sweep(json!({ "sandbox": sandbox }));
        assert_eq!(found(&told), [""; 0], "{told:#}");
        assert!(machine.has("opt/site/www/index.html") && machine.has("etc/admins.conf"));
    }
}

#[test]
fn what_a_package_that_stays_has_made_when_it_came_stays() {
    let machine = Machine::building();
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    // One of them goes, the other one an administrator wants by now.
    let log = format!(
        "{}:  === (1 of 2) Merging (a/dep-1::/dep.ebuild)\n\
         {}:  >>> emerge (2 of 2) a/pg-16 to /\n\
         {}:  === (2 of 2) Merging Binary (a/pg-16::/pg.gpkg.tar)\n\
         {}:  *** terminating.\n",
        now - 9,
        now - 5,
        now - 1,
        now + 5,
    );
    machine.write(machine.of_run("builds/one.1/emerge.log"), &log);
    machine.make_old(&machine.of_run("builds/one.1/before"), 20);
    machine.write(machine.of_run("builds/one.1/after"), "");
    machine.install("a/pg-16", "obj /usr/psql-16 x 1\n");
    machine.write("usr/psql-16", "");
    symlink("psql-16", machine.path("usr/psql")).unwrap();
    machine.write("etc/pg.conf", "made in pkg_postinst");
    let told = machine.sweep(json!({}));
    assert_eq!(found(&told), [""; 0], "{told:#}");
    assert!(why(&told, "/usr/psql").unwrap().contains("link"));
    let text = why(&told, "/etc/pg.conf").unwrap();
    assert!(text.contains("package that stays"), "{text}");
    // Without that package they are the run's, as all else of that time.
    fs::remove_dir_all(machine.path("var/db/pkg/a/pg-16")).unwrap();
    let told = machine.sweep(json!({}));
    assert_eq!(found(&told), ["/etc/pg.conf", "/usr/psql", "/usr/psql-16"]);
}

#[test]
fn a_link_to_what_an_installed_package_has_stays_whenever_it_was_made() {
    let machine = Machine::building();
    symlink("../etc/old.conf", machine.path("opt/tool")).unwrap();
    symlink("../etc/nothing", machine.path("opt/dangling")).unwrap();
    let told = machine.sweep(json!({}));
    assert_eq!(found(&told), ["/opt/dangling"]);
    assert!(why(&told, "/opt/tool").unwrap().contains("link"));
}

#[test]
fn accounts_of_installed_packages_are_not_told_and_those_of_removed_ones_are_the_runs() {
    let machine = Machine::building();
    for (path, uid) in [("etc/pg", 4001), ("etc/dep", 4002), ("etc/admin", 4003)] {
        machine.write(path, "");
        chown(machine.path(path), Some(uid), None).unwrap();
    }
    machine.install("acct-user/pg-0-r1", "");
    machine.install("acct-group/pg-0", "");
    machine.install("acct-user/dep-x-1", "");
    machine.note(&["acct-user/dep-x-1"]);
    fs::remove_dir_all(machine.path("var/db/pkg/acct-user/dep-x-1")).unwrap();
    let arrived = "real_accounts = accounts\ndef accounts():\n    found = real_accounts()\n    \
        for name, number in (('pg', 4001), ('dep-x', 4002), ('admin', 4003)):\n        \
            found['users'][name] = [number, number, '/', '/bin/false']\n        \
            found['groups'][name] = [number, []]\n    return found\n";
    succeeded(machine.clean("clean", json!({}), arrived));
    let told: Value = serde_json::from_str(&machine.read(&machine.of_run("cruft.json"))).unwrap();
    assert_eq!(told["users"], json!(["admin", "dep-x"]), "{told:#}");
    assert_eq!(told["groups"], json!(["admin", "dep-x"]), "{told:#}");
    assert_eq!(found(&told), ["/etc/dep"], "{told:#}");
    assert!(why(&told, "/etc/admin").unwrap().contains("user or group"));
}

#[test]
fn a_file_that_its_package_has_and_that_is_gone_is_named() {
    let machine = Machine::building();
    machine.install("a/other-1", "obj /var/lib/database/base x 1\n");
    fs::remove_file(machine.path("etc/old.conf")).unwrap();
    fs::remove_dir_all(machine.path("var/lib/database")).unwrap();
    let told = machine.sweep(json!({}));
    // The other package came after the list: what an update takes with it is no news.
    assert_eq!(told["changed"]["count"], 1, "{told:#}");
    let changed = &told["changed"]["first"];
    assert_eq!(
        changed[0],
        json!({ "path": "/etc/old.conf", "what": ["gone"] })
    );
}

#[test]
fn what_a_run_left_that_was_not_cleaned_up_after_goes_with_what_the_next_one_left() {
    let machine = Machine::building();
    let old = "01900000-0000-7000-8000-000000000000";
    machine.write("etc/left-then.conf", "");
    // The next run found that there.
    let [own, former] = [machine.of_run(""), machine.of_run("").replace(RUN, old)];
    fs::rename(machine.path(&own), machine.path(&former)).unwrap();
    machine.write(format!("{former}/builds/one.1/after"), "");
    machine.write(format!("{former}/brought"), "/etc/of-package");
    machine.manifest();
    machine.write(machine.of_run("before-builder"), "a/old-1 - -\n");
    machine.write(machine.of_run("builds/one.1/before"), "");
    machine.write("etc/left-now.conf", "");
    let alone = machine.sweep(json!({ "archive": false }));
    assert_eq!(found(&alone), ["/etc/left-now.conf"]);
    let told = machine.sweep(json!({ "runs": [old, RUN] }));
    assert_eq!(found(&told), ["/etc/left-now.conf", "/etc/left-then.conf"]);
    let archives = told["archives"].as_array().unwrap();
    assert_eq!((archives.len(), &archives[0]["run"]), (1, &json!(RUN)));
}
