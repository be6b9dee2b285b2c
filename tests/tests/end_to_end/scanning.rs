//! A guest on which nothing has changed is not asked again, and each kind of change is noticed.

use std::collections::BTreeMap;
use std::time::Duration;

use gentoo_updater_tests::actions::{self, Run};
use gentoo_updater_tests::assertions::{self, failure_of};
use gentoo_updater_tests::fixtures::{Lab, Scene, wait_until};

/// Longer than a change is too fresh for a look at it to hold (look.sh).
const SETTLED_SECONDS: u32 = 4;

/// Each call of Python on a guest leaves a line here, and so does each of emerge, which is one.
const CALLS: &str = "/var/log/python-calls";

#[test]
fn an_unchanged_guest_is_answered_without_emerge_and_python_until_it_is_asked_anew() {
    let mut scene = Scene::embedded(1, 1);
    actions::prepare_for_v2(&scene.lab);
    count_python(&scene.lab, "g1");
    let first = settle(&scene);
    let answer = first.report["guests"]["g1"].clone();
    assert!(python_calls(&scene.lab) > 0, "the wrapper counts nothing");

    reset_python_calls(&scene.lab);
    let former = actions::scan(&scene);
    assertions::exit_code_is(&former, 0);
    assert!(is_former(&former, "g1"), "{:#}", former.report);
    assert_eq!(former.report["guests"]["g1"], answer, "the same answer");
    assert_eq!(python_calls(&scene.lab), 0, "calls of python3 and emerge");
    let report = scene.command("report", &["report"], Duration::from_secs(30));
    assert!(
        report.stdout.contains("pending (unchanged since 20"),
        "{}",
        report.stdout
    );

    let anew = actions::scan_anew(&scene);
    assert!(!is_former(&anew, "g1"), "{:#}", anew.report);
    assert_eq!(anew.report["guests"]["g1"]["updates"], answer["updates"]);
    assert_eq!(python_calls(&scene.lab), 1, "--force starts Python once");
    assert!(
        is_former(&actions::scan(&scene), "g1"),
        "kept after --force"
    );

    scene
        .configuration
        .build_dependencies
        .insert("g1".to_owned());
    let other = actions::scan(&scene);
    assert!(!is_former(&other, "g1"), "another question was asked");
    assert_ne!(other.report["guests"]["g1"]["updates"], answer["updates"]);
    assert!(is_former(&actions::scan(&scene), "g1"));
}

#[test]
fn start_up_files_that_print_and_a_chatty_portage_do_not_hide_that_nothing_has_changed() {
    let scene = Scene::embedded(1, 1);
    actions::prepare_for_v2(&scene.lab);
    actions::make_chatty(&scene.lab, "g1");
    settle(&scene);
    scene
        .lab
        .sh("g1", "echo '# chattier' >> /etc/portage/make.conf");
    wait_until_settled(&scene.lab);
    assert!(!is_former(&actions::scan(&scene), "g1"));
    assert!(is_former(&actions::scan(&scene), "g1"));
}

/// What makes a change of a round possible.
const PREPARATION: [(&str, &str); 4] = [
    (
        "g2",
        "echo 'app-misc/greeter color' > /etc/portage/package.use/own",
    ),
    ("g3", "mkdir /etc/portage/sets"),
    (
        "g4",
        "mkdir -p /opt/more; echo '# none' > /opt/more/make.conf",
    ),
    (
        "g5",
        "mkdir -p /opt/overlay/metadata /opt/overlay/profiles /opt/overlay/app-misc/mine
         echo overlay > /opt/overlay/profiles/repo_name
         echo 'masters = gentoo' > /opt/overlay/metadata/layout.conf
         printf '%s\\n' EAPI=8 'DESCRIPTION=\"m\"' 'SLOT=\"0\"' 'KEYWORDS=\"amd64\"' \\
             > /opt/overlay/app-misc/mine/mine-1.ebuild",
    ),
];

/// Each round changes one thing on each guest.
const ROUNDS: [[(&str, &str, &str); 6]; 4] = [
    [
        (
            "g1",
            "a package was removed",
            "emerge --unmerge --color=n app-misc/slowpoke",
        ),
        ("g2", "a file of the same size and time", SAME_SIZE_AND_TIME),
        (
            "g3",
            "a set",
            "echo app-misc/hello > /etc/portage/sets/mine
             echo @mine > /var/lib/portage/world_sets",
        ),
        (
            "g4",
            "make.conf",
            "echo 'source /opt/more/make.conf' >> /etc/portage/make.conf",
        ),
        (
            "g5",
            "a new repository",
            "printf '[overlay]\\nlocation = /opt/overlay\\n' > /etc/portage/repos.conf/overlay.conf",
        ),
        ("g6", "world", "sed -i /slowpoke/d /var/lib/portage/world"),
    ],
    [
        (
            "g1",
            "a package was installed",
            "emerge --oneshot --usepkgonly --color=n =app-misc/slowpoke-1.0",
        ),
        (
            "g2",
            "a file that came",
            "> /etc/portage/package.use/another",
        ),
        (
            "g3",
            "a set that grew",
            "echo app-misc/greeter >> /etc/portage/sets/mine",
        ),
        (
            "g4",
            "what make.conf takes in",
            "echo '# some' > /opt/more/make.conf",
        ),
        (
            "g5",
            "an ebuild of a local repository, behind its time",
            "file=/opt/overlay/app-misc/mine/mine-1.ebuild
             touch -r $file /run/time; sed 's/\"m\"/\"n\"/' $file > /run/new
             cat /run/new > $file; touch -r /run/time $file",
        ),
        (
            "g6",
            "another name of the profile",
            "ln -sfn /var/db/repos/gentoo/profiles/default/linux/amd64/23.0 \\
                 /etc/portage/make.profile",
        ),
    ],
    [
        (
            "g1",
            "a package was merged again",
            "emerge --oneshot --usepkgonly --color=n =app-misc/slowpoke-1.0",
        ),
        (
            "g2",
            "a file that went",
            "rm /etc/portage/package.use/another",
        ),
        ("g3", "sets that went", "rm /var/lib/portage/world_sets"),
        (
            "g4",
            "what env-update wrote",
            "echo \"export X='1'\" >> /etc/profile.env",
        ),
        (
            "g5",
            "a repository that went",
            "rm /etc/portage/repos.conf/overlay.conf",
        ),
        (
            "g6",
            "news",
            "cd /var/lib/gentoo/news
             if [ -s news-gentoo.unread ]; then : > news-gentoo.unread
             else echo 2026-01-05-lab-news > news-gentoo.unread; fi",
        ),
    ],
    [
        (
            "g1",
            "preserved libraries",
            "echo '{}' > /var/lib/portage/preserved_libs_registry",
        ),
        (
            "g2",
            "a mask",
            "echo app-misc/nosuch > /etc/portage/package.mask/own",
        ),
        (
            "g3",
            "keywords",
            "echo 'app-misc/hello ~amd64' > /etc/portage/package.accept_keywords/x",
        ),
        (
            "g4",
            "a patch",
            "mkdir -p /etc/portage/patches/app-misc/hello
             echo > /etc/portage/patches/app-misc/hello/a.patch",
        ),
        (
            "g5",
            "the defaults of all",
            "touch /usr/share/portage/config/make.globals",
        ),
        (
            "g6",
            "a profile of one's own",
            "mkdir -p /etc/portage/profile
             echo app-misc/nosuch > /etc/portage/profile/package.use.mask",
        ),
    ],
];

const SAME_SIZE_AND_TIME: &str = "
    file=/etc/portage/package.use/own
    touch -r $file /run/time; sed 's/color/emoji/' $file > /run/new
    cat /run/new > $file; touch -r /run/time $file
    [ \"$(stat -c %Y $file)\" = \"$(stat -c %Y /run/time)\" ]";

#[test]
fn each_kind_of_change_is_noticed_and_the_next_scan_is_answered_from_it() {
    let scene = Scene::embedded(6, 1);
    let lab = &scene.lab;
    lab.must(&["fill", "v1"]);
    for (guest, script) in PREPARATION {
        lab.sh(guest, script);
    }
    settle(&scene);
    for round in ROUNDS {
        for (guest, _, script) in round {
            lab.sh(guest, script);
        }
        // A look at what has just changed holds for nobody, so that this would prove nothing.
        wait_until_settled(lab);
        let scan = actions::scan(&scene);
        assertions::exit_code_is(&scan, 0);
        for (guest, what, _) in round {
            assert!(!is_former(&scan, guest), "{guest}: not noticed: {what}");
        }
        settle(&scene);
    }
    a_synced_repository_is_noticed_by_all(&scene);
    a_repository_that_is_not_mounted_is_a_failure_and_no_former_answer(&scene);
}

fn a_synced_repository_is_noticed_by_all(scene: &Scene) {
    scene.lab.must(&["publish", "v2"]);
    wait_until_settled(&scene.lab);
    let scan = actions::scan(scene);
    for guest in scene.lab.guests() {
        assert!(!is_former(&scan, &guest), "{guest} did not notice a sync");
        assertions::outcome_is(&scan.report, &guest, "Pending");
    }
    settle(scene);
}

fn a_repository_that_is_not_mounted_is_a_failure_and_no_former_answer(scene: &Scene) {
    scene.lab.sh("g1", "umount /var/db/repos/gentoo");
    scene.lab.sh(
        "g2",
        "mount -t tmpfs -o mode=755 tmpfs /var/db/repos/gentoo",
    );
    for _ in 0..2 {
        let scan = actions::scan(scene);
        for guest in ["g1", "g2"] {
            assert_eq!(failure_of(&scan.report, guest).0, "RepositoryMissing");
        }
        assert!(is_former(&scan, "g3"), "{:#}", scan.report);
    }
    // Nothing else has changed: what was true before is true again.
    scene.lab.sh("g2", "umount /var/db/repos/gentoo");
    let scan = actions::scan(scene);
    assert!(is_former(&scan, "g2"), "{:#}", scan.report["guests"]["g2"]);
}

#[test]
fn what_was_installed_and_what_failed_half_way_is_looked_at_anew() {
    let scene = Scene::embedded(2, 1);
    let lab = &scene.lab;
    lab.must(&["fill", "v1"]);
    lab.must(&["publish", "v2b"]);
    actions::slow_down(lab, "b1", 0);
    actions::want_only(lab, "g1", &["app-misc/slowpoke"]);
    actions::want_only(lab, "g2", &["app-misc/postfail"]);
    settle(&scene);

    let run = actions::run(&scene);
    assertions::exit_code_is(&run, 1);
    assert!(
        is_former(&run, "g1") && is_former(&run, "g2"),
        "{:#}",
        run.report
    );
    assertions::outcome_is(&run.report, "g1", "Updated");
    assertions::outcome_is(&run.report, "g2", "Failed");

    wait_until_settled(lab);
    let scan = actions::scan(&scene);
    for guest in ["g1", "g2"] {
        assert!(!is_former(&scan, guest), "{guest} was not looked at anew");
    }
    assertions::outcome_is(&scan.report, "g1", "UpToDate");
    settle(&scene);
}

#[test]
fn a_guest_whose_answer_depends_on_more_than_files_is_asked_every_time() {
    let scene = Scene::embedded(1, 1);
    let set = "[dated]\nclass = portage.sets.shell.CommandOutputSet\ncommand = date\n";
    scene
        .lab
        .sh("g1", &format!("printf '{set}' > /etc/portage/sets.conf"));
    wait_until_settled(&scene.lab);
    for _ in 0..3 {
        let scan = actions::scan(&scene);
        assertions::exit_code_is(&scan, 0);
        assert!(!is_former(&scan, "g1"), "{:#}", scan.report);
    }
    scene.lab.sh("g1", "rm /etc/portage/sets.conf");
    settle(&scene);
}

#[test]
fn a_guest_that_is_reached_as_another_user_than_root_is_refused_before_anything_is_built_for_it() {
    let mut scene = Scene::embedded(1, 1);
    actions::prepare_for_v2(&scene.lab);
    let address = format!("ssh://fleet@{}", scene.lab.ip("g1"));
    scene.configuration.guests.insert("g1".to_owned(), address);
    let scan = actions::scan(&scene);
    assertions::exit_code_is(&scan, 1);
    let (cause, message) = failure_of(&scan.report, "g1");
    assert_eq!(cause, "PortageBroken", "{message}");
    assert!(message.contains("the login is as user fleet"), "{message}");
}

/// Scans until every guest is answered from a former scan.
fn settle(scene: &Scene) -> Run {
    let mut last = None;
    wait_until(
        "every guest gives its former answer",
        Duration::from_secs(60),
        || {
            let scan = actions::scan(scene);
            let guests = scene.lab.guests();
            let all = guests.iter().all(|guest| is_former(&scan, guest));
            last = Some(scan);
            all
        },
    );
    last.expect("it was scanned")
}

fn is_former(run: &Run, guest: &str) -> bool {
    let report = &run.report["guests"][guest];
    assert!(!report.is_null(), "{:#}", run.report);
    report["unchanged_since"].is_string()
}

/// Waits until what was changed last is no longer fresh, by the clock of the guests.
fn wait_until_settled(lab: &Lab) {
    let now = |guest: &str| -> u32 { lab.sh(guest, "date +%s").trim().parse().expect("a time") };
    let begun: BTreeMap<String, u32> = lab
        .guests()
        .into_iter()
        .map(|guest| (guest.clone(), now(&guest)))
        .collect();
    wait_until(
        "the changes are old enough",
        Duration::from_secs(30),
        || {
            begun
                .iter()
                .all(|(guest, begun)| now(guest) >= begun + SETTLED_SECONDS)
        },
    );
}

/// Lets each call of Python leave a mark; emerge is one.
fn count_python(lab: &Lab, guest: &str) {
    lab.sh(
        guest,
        &format!(
            "real=$(readlink -f /usr/bin/python3)
             rm /usr/bin/python3
             printf '#!/bin/sh\\necho \"$@\" >> {CALLS}\\nexec %s \"$@\"\\n' \"$real\" > /usr/bin/python3
             chmod 755 /usr/bin/python3
             emerge --version >/dev/null
             grep -q emerge {CALLS}"
        ),
    );
}

fn python_calls(lab: &Lab) -> usize {
    lab.sh("g1", &format!("cat {CALLS} || :")).lines().count()
}

fn reset_python_calls(lab: &Lab) {
    lab.sh("g1", &format!("rm -f {CALLS}"));
}
