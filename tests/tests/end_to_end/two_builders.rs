//! Two builders share the work, and what comes out is what one of them would have made.

use gentoo_updater_tests::actions::{self, History, Workers};
use gentoo_updater_tests::assertions::{self, Binaries, BuilderBefore, compilations, installed};
use gentoo_updater_tests::fixtures::Scene;

#[test]
#[ignore = "takes long: make test-long"]
fn two_builders_give_the_same_result_as_one() {
    let scene = Scene::with_broker(2, 2);
    give_the_same_result_as_one(&scene);
}

#[test]
fn two_builders_share_a_store_without_locks() {
    let scene = Scene::with_broker(2, 2);
    for builder in ["b1", "b2"] {
        actions::take_locks_of_store_away(&scene.lab, builder);
    }
    give_the_same_result_as_one(&scene);
    assertions::every_file_is_indexed(&scene.lab, "b1");
    assertions::lock_of_store_is_free(&scene.lab);
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
