//! Two builders share the work, and what comes out is what one of them would have made.

use gentoo_updater_tests::actions::{self, History, Workers};
use gentoo_updater_tests::assertions::{self, Binaries, BuilderBefore, compilations, installed};
use gentoo_updater_tests::fixtures::Scene;

#[test]
fn two_builders_give_the_same_result_as_one() {
    let scene = Scene::with_broker(2, 2);
    give_the_same_result_as_one(&scene);
}

/// Locks of the store that are none, as on a share that knows none: flock(1) and those of Portage.
const WITHOUT_LOCKS: &str = r#"
cat > /usr/local/bin/flock <<'END'
#!/bin/sh
case $(readlink /proc/self/fd/9) in */.gentoo-updater/lock) exit 0 ;; esac
exec /usr/bin/flock "$@"
END
chmod 755 /usr/local/bin/flock
cat > /usr/lib/python3/dist-packages/no_locks.pth <<'END'
import fcntl; fcntl.lockf = fcntl.flock = lambda *arguments: None
END
python3 -c 'import fcntl; fcntl.lockf(-1, 0)'
"#;

#[test]
fn two_builders_share_a_store_without_locks() {
    let scene = Scene::with_broker(2, 2);
    for builder in ["b1", "b2"] {
        scene.lab.sh(builder, WITHOUT_LOCKS);
    }
    give_the_same_result_as_one(&scene);
    let control = scene.lab.store().join(".gentoo-updater");
    assert!(!control.join("lock.d").exists(), "the lock was given back");
}

fn give_the_same_result_as_one(scene: &Scene) {
    let mut workers = Workers::start(scene);
    let lab = &scene.lab;
    actions::prepare_for_v2(lab);
    actions::prefer_other_flags(lab, "g2");
    for guest in ["g1", "g2"] {
        actions::want_only(lab, guest, &["app-misc/hello", "app-misc/greeter"]);
    }
    let before = ["b1", "b2"].map(|builder| BuilderBefore::of(lab, builder));

    let run = actions::run(scene);

    assertions::exit_code_is(&run, 0);
    let (first, second) = (compilations(lab, "b1"), compilations(lab, "b2"));
    assert!(
        !first.is_empty() && !second.is_empty(),
        "both builders worked: b1 compiled {first:?}, b2 compiled {second:?}"
    );
    let mut both = [first, second].concat();
    both.sort();
    let binaries = Binaries::of(lab);
    assert_eq!(
        both,
        binaries.recorded(),
        "what was compiled (left) and the records of the store (right)"
    );
    assert_eq!(
        both,
        History::read(scene).compiled(),
        "what was compiled (left) and the PackageBuilt events (right)"
    );
    for guest in ["g1", "g2"] {
        assertions::plans_nothing(lab, guest);
        let packages = installed(lab, guest);
        for cpv in ["app-misc/hello-2.0", "dev-libs/libbeta-1.0"] {
            let binary = binaries.entry(cpv, &packages[cpv].build_id);
            for rdepend in [binary.get("RDEPEND"), &packages[cpv].rdepend] {
                assert!(
                    rdepend.contains("dev-libs/libalpha:0/2="),
                    "{cpv} for {guest} is bound to {rdepend}"
                );
            }
        }
        let has_emoji = packages["app-misc/greeter-2.0"].use_flags.contains("emoji");
        assert_eq!(has_emoji, guest == "g2", "USE emoji of greeter on {guest}");
    }
    for before in &before {
        assertions::builder_is_clean(lab, before, &run.report);
    }
    workers.all_still_run();
}
