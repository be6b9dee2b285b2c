//! What comes up once a guest has its updates.

use gentoo_updater_tests::actions;
use gentoo_updater_tests::assertions::{self, installed, transactions};
use gentoo_updater_tests::fixtures::Scene;

/// A package that changes what its guest wants, as some do: from then on greeter is to have a
/// flag that it was not built with.
const WANTS_MORE: &str = r#"
cat > /etc/portage/bashrc <<'END'
if [[ ${EBUILD_PHASE} == postinst && ${PN} == hello ]]; then
    echo 'app-misc/greeter emoji' > /etc/portage/package.use/late
fi
END
mkdir -p /etc/portage/package.use
"#;

#[test]
fn what_an_installation_brings_up_is_done_in_a_further_round() {
    let scene = Scene::embedded(2, 1);
    let lab = &scene.lab;
    actions::prepare_for_v2(lab);
    lab.sh("g1", WANTS_MORE);

    let run = actions::run(&scene);

    assertions::exit_code_is(&run, 0);
    assertions::outcome_is(&run.report, "g1", "StillPending");
    assertions::outcome_is(&run.report, "g2", "Updated");
    let further = &run.report["further"];
    assertions::outcome_is(further, "g1", "Updated");
    assert!(
        further["guests"].get("g2").is_none(),
        "g2 had all that it wants: {further:#}"
    );
    assert_eq!(further["further"], serde_json::Value::Null);
    let has_emoji = |guest: &str| {
        let packages = installed(lab, guest);
        packages["app-misc/greeter-2.0"].use_flags.contains("emoji")
    };
    assert!(has_emoji("g1") && !has_emoji("g2"));
    assertions::plans_nothing(lab, "g1");
    assert_eq!(transactions(lab, "g1").len(), 2, "one a round");
    assert_eq!(transactions(lab, "g2").len(), 1);
}
