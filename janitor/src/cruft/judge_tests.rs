//! What of new files is the run's.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;

use serde_json::{Value, json};

use super::testing::{Machine, found, json_of, succeeded};

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
    assert!(why(&told, "/etc/of-nobody").unwrap().contains("before"));
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
        let then = std::time::SystemTime::now() - std::time::Duration::from_secs(age);
        let file = File::options().write(true).open(machine.path(path));
        file.unwrap().set_modified(then).unwrap();
    }
    machine.write("etc/admins.conf", "");
    machine.write("etc/shipped.conf", "edited");
    machine.write("etc/._cfg0000_shipped.conf", "");
    machine.write("etc/._cfg0000_old.conf", "");
    machine.install("a/dep-1", "obj /etc/shipped.conf x 1\n");
    machine.note(&["a/dep-1"]);
    fs::remove_dir_all(machine.path("var/db/pkg/a/dep-1")).unwrap();
    // Nothing was removed by emerge either: the note alone begins a time, which the test takes back.
    fs::remove_file(machine.path(machine.of_run("cleaning"))).unwrap();
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
    let times = |more: Value| {
        let machine = Machine::building();
        machine.write(machine.of_run("builds/one.1/emerge.log"), log);
        machine.write(machine.of_run("cleaning"), "begin 500\nend 510\n");
        for (file, time) in [("before", 90), ("after", 310)] {
            let path = machine.of_run(&format!("builds/one.1/{file}"));
            machine.write(&path, "");
            let then = std::time::UNIX_EPOCH + std::time::Duration::from_secs(time);
            let file = File::options().write(true).open(machine.path(path));
            file.unwrap().set_modified(then).unwrap();
        }
        let ask = "def note(wanted):\n    \
                   print(json.dumps(sorted(of_run(Place(wanted), wanted, 600.0))))\n";
        json_of(succeeded(machine.clean("note", more, ask)))
    };
    assert_eq!(times(json!({})), json!([[90.0, 310.0], [500.0, 510.0]]));
    let narrow = json!([[200, 203], [300, 305], [500.0, 510.0]]);
    assert_eq!(times(json!({ "sandbox": true })), narrow);
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
