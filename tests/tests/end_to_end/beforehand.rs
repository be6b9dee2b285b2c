//! What is refused before a guest is touched, with its cause: no room, a C library that is too old,
//! a binary that the guest does not want any more.

use gentoo_updater_tests::actions::{self, History};
use gentoo_updater_tests::assertions::{self, failure_of, installed};
use gentoo_updater_tests::fixtures::{Lab, Scene};
use std::time::Duration;

/// Its update brings a file of two megabytes.
const BIG: [&str; 2] = ["app-misc/bigdata", "app-misc/hello"];

#[test]
fn a_guest_without_room_or_with_an_older_libc_is_refused_with_the_cause_and_not_touched() {
    let scene = Scene::embedded(4, 1);
    let lab = &scene.lab;
    actions::prepare_for_v2(lab);
    for guest in lab.guests() {
        actions::want_only(lab, &guest, &[&BIG[..], &["app-misc/greeter"]].concat());
    }
    // Python keeps what it has compiled in /usr: it does so now, and not on the small disk.
    lab.sh(
        "g1",
        "portageq envvar CHOST; emerge --pretend --update @world",
    );
    assertions::exit_code_is(&actions::scan(&scene), 0);
    // A small disk for /usr: what is written there goes to a layer of one megabyte.
    lab.sh(
        "g1",
        "mkdir /run/small && mount -t tmpfs -o size=1m tmpfs /run/small
         mkdir /run/small/{upper,work}
         mount -t overlay overlay -o lowerdir=/usr,upperdir=/run/small/upper,workdir=/run/small/work /usr",
    );
    lab.sh("g2", "mount -t tmpfs -o size=1m tmpfs /var/tmp/portage");
    pretend_an_older_libc(lab, "g3");
    let guests = ["g1", "g2", "g3"];
    let before = guests.map(|guest| (guest, installed(lab, guest)));

    let run = actions::run(&scene);

    assertions::exit_code_is(&run, 1);
    let report = &run.report;
    for (guest, folder) in [("g1", "/usr has "), ("g2", "/var/tmp/portage has ")] {
        let (cause, message) = failure_of(report, guest);
        assert_eq!(cause, "DiskTooFull", "{guest}: {message}");
        for words in [
            folder,
            " MB free, and ",
            " MB are needed",
            "bigdata-2.0",
            "Make room",
        ] {
            assert!(
                message.contains(words),
                "{guest}: {words:?} is not in: {message}"
            );
        }
    }
    let (cause, message) = failure_of(report, "g3");
    assert_eq!(cause, "BinaryTooNew", "{message}");
    for words in [
        "app-misc/hello-2.0-",
        "needs GLIBC_2.34 of libc.so.6",
        "at most GLIBC_2.31",
    ] {
        assert!(message.contains(words), "{words:?} is not in: {message}");
    }
    for (guest, packages) in before {
        assert_eq!(
            installed(lab, guest),
            packages,
            "{guest} was touched (left)"
        );
        let guest = &report["guests"][guest];
        assert_eq!(guest["untouched"], true, "{guest:#}");
        let outcome = &guest["outcome"];
        assert_eq!(outcome, "Failed", "{guest:#}");
    }
    assertions::outcome_is(report, "g4", "Updated");
    assertions::plans_nothing(lab, "g4");
    what_is_in_binaries_was_looked_at(&scene);
}

#[test]
fn a_flag_that_a_guest_wants_otherwise_by_now_is_named() {
    let scene = Scene::embedded(1, 1);
    let lab = &scene.lab;
    actions::prepare_for_v2(lab);
    actions::want_only(
        lab,
        "g1",
        &["app-misc/slowpoke", "app-misc/greeter", "app-misc/hello"],
    );
    actions::slow_down(lab, "b1", 8);
    let before = installed(lab, "g1");
    let running = actions::start_run(&scene, "run");
    let mut history = History::follow(&scene);
    history.wait_for("g1 is scanned", Duration::from_secs(120), |event| {
        event.kind() == "GuestScanned"
    });
    lab.sh(
        "g1",
        "echo 'app-misc/greeter -color' > /etc/portage/package.use/late",
    );

    let run = running.to_the_end();

    assertions::exit_code_is(&run, 1);
    let (cause, message) = failure_of(&run.report, "g1");
    assert_eq!(cause, "ProofFailed", "{message}");
    for words in [
        "the guest wants app-misc/greeter-2.0 with color off by now",
        "binary app-misc/greeter-2.0-",
        "has it on",
    ] {
        assert!(message.contains(words), "{words:?} is not in: {message}");
    }
    assert_eq!(installed(lab, "g1"), before, "g1 was touched (left)");
}

/// The dynamic linker's list names a C library of an older machine.
fn pretend_an_older_libc(lab: &Lab, guest: &str) {
    lab.sh(
        guest,
        r#"mkdir -p /opt/old
           printf '%s\0' GLIBC_2.2.5 GLIBC_2.9 GLIBC_2.31 > /opt/old/libc.so.6
           cat > /usr/local/sbin/ldconfig <<'END'
#!/bin/sh
if [ "$1" = -p ]; then
    printf '\tlibc.so.6 (libc6,x86-64) => /opt/old/libc.so.6\n'
else
    exec /sbin/ldconfig "$@"
fi
END
           chmod 755 /usr/local/sbin/ldconfig"#,
    );
}

/// The builder's record of each binary, without which nothing could have been refused.
fn what_is_in_binaries_was_looked_at(scene: &Scene) {
    let history = History::read(scene);
    let of = |name: &str| {
        let mut built = history.built();
        let built = built.find(|built| built.binary.cpv.to_string() == name);
        &built
            .unwrap_or_else(|| panic!("{name} was not built"))
            .binary
            .contents
    };
    let bigdata = of("app-misc/bigdata-2.0").sizes["usr"];
    assert!(
        (2_000_000..2_200_000).contains(&bigdata),
        "bytes of bigdata-2.0: {bigdata}"
    );
    let hello = &of("app-misc/hello-2.0").needs["libc.so.6"];
    assert!(
        hello.contains("GLIBC_2.34"),
        "what hello-2.0 needs: {hello:?}"
    );
}
