//! A builder whose builds have another machine compile, as its part of the configuration says.

use gentoo_updater_tests::actions;
use gentoo_updater_tests::assertions;
use gentoo_updater_tests::fixtures::Scene;

/// distcc leaves to others what is compiled alone, and not what is linked at once.
const COMPILE: &str = r#"
src_compile() {
	echo "MAKEOPTS is ${MAKEOPTS}"
	echo 'int answer(void) { return 42; }' > answer.c
	gcc ${CFLAGS} -c answer.c || die
}
"#;

#[test]
#[ignore = "takes long: make test-long"]
fn what_a_builder_compiles_is_compiled_by_the_hosts_that_its_environment_names() {
    let mut scene = Scene::embedded(1, 2);
    let other = scene.lab.ip("b2").to_owned();
    let configuration = &mut scene.configuration;
    // It compiles for b1, and has no work of its own.
    configuration.builders.remove("b2");
    configuration.clean_room = "auto";
    configuration.environment = [
        ("MAKEOPTS", "-j3 -l5".to_owned()),
        ("FEATURES", "distcc".to_owned()),
        ("DISTCC_HOSTS", format!("{other}/4")),
    ]
    .into();
    let lab = &scene.lab;
    for machine in ["b1", "b2"] {
        lab.must(&["distcc", machine]);
    }
    lab.sh(
        "b2",
        &format!(
            "distccd --daemon --user nobody --listen {other} --allow {} --log-file /tmp/distccd.log",
            lab.ip("b1")
        ),
    );
    let cpv = "app-misc/answer-1".parse().expect("a package and version");
    actions::publish_only(lab, &cpv, COMPILE);
    actions::want_only(lab, "g1", &["app-misc/answer"]);

    let run = actions::run(&scene);

    assertions::exit_code_is(&run, 0);
    assertions::outcome_is(&run.report, "g1", "Updated");
    let served = lab.sh("b2", "cat /tmp/distccd.log");
    assert!(
        served.contains("COMPILE_OK") && served.contains("answer.c"),
        "what b2 compiled: {served}"
    );
    let log = lab.sh(
        "b1",
        "zcat /var/cache/binpkgs/.gentoo-updater/logs/*/app-misc-answer-1-*.log.gz",
    );
    assert!(log.contains("MAKEOPTS is -j3 -l5"), "{log}");
}
