//! Builds that need much of their machine, and builds that take more than they may.

use gentoo_updater_tests::actions::{self, History, Workers};
use gentoo_updater_tests::assertions::{self, installed};
use gentoo_updater_tests::fixtures::{Lab, Scene};

/// A machine with two gigabytes of memory.
const SMALL: &str = "sed 's/^MemTotal:.*/MemTotal:  2048000 kB/' /proc/meminfo > /run/meminfo
     mount --bind /run/meminfo /proc/meminfo";

/// Control groups with a memory controller, as the kernel of this machine has them.
const GROUPS: &str = "mkdir -p /sys/fs/cgroup
     if awk '$1 == \"memory\" && $2 > 0 { found = 1 } END { exit !found }' /proc/cgroups; then
         mount -t tmpfs groups /sys/fs/cgroup && mkdir /sys/fs/cgroup/memory
         mount -t cgroup -o memory memory /sys/fs/cgroup/memory
     else
         mount -t cgroup2 groups /sys/fs/cgroup
     fi";

const PACKAGES: &str = r#"
[[packages]]
atom = "app-misc/slowpoke"
memory_megabytes = 4000

[[packages]]
atom = "app-misc/giant"
memory_megabytes = 100000000

[[packages]]
atom = "app-misc/greedy"
build_memory_megabytes = 100

[[packages]]
atom = "app-misc/talkative"
build_log_megabytes = 1
"#;

/// A string that is twice as long each time.
const GREEDY: &str = "src_compile() { local a=0123456789; while :; do a=$a$a; done; }";
const TALKATIVE: &str = "src_compile() { yes 'nothing new'; }";

fn publish(lab: &Lab) {
    for (cpv, lines) in [
        ("app-misc/giant-1.0", ""),
        ("app-misc/greedy-1.0", GREEDY),
        ("app-misc/talkative-1.0", TALKATIVE),
    ] {
        actions::publish_only(lab, &cpv.parse().expect("a package"), lines);
    }
}

#[test]
fn heavy_builds_go_where_they_have_room_and_what_takes_too_much_is_ended() {
    let mut scene = Scene::with_broker(1, 2);
    scene.configuration.clean_room = "auto";
    scene.configuration.slots = 2;
    scene.configuration.packages = PACKAGES;
    scene.configuration.policy.insert("unserved_seconds", 10);
    let lab = &scene.lab;
    actions::prepare_for_v2(lab);
    publish(lab);
    lab.sh("b1", SMALL);
    for builder in ["b1", "b2"] {
        actions::slow_down(lab, builder, 0);
        lab.sh(builder, GROUPS);
    }
    let wanted =
        ["slowpoke", "giant", "greedy", "talkative"].map(|name| format!("app-misc/{name}"));
    actions::want_only(lab, "g1", &wanted.each_ref().map(String::as_str));
    let mut workers = Workers::start(&scene);

    let run = actions::run(&scene);

    assertions::exit_code_is(&run, 1);
    let history = History::read(&scene);
    let built = history
        .built()
        .find(|built| built.binary.cpv.to_string() == "app-misc/slowpoke-2.0");
    assert_eq!(
        built.expect("it is built").builder.as_str(),
        "b2",
        "b1 is too small"
    );
    assert!(installed(lab, "g1").contains_key("app-misc/slowpoke-2.0"));
    for (cpv, cause, words) in [
        (
            "app-misc/giant-1.0",
            "NoBuilderLargeEnough",
            ["builder@b1", "100000000 MB of memory"],
        ),
        (
            "app-misc/greedy-1.0",
            "MemoryLimit",
            ["100 MB", "build_memory_megabytes"],
        ),
        (
            "app-misc/talkative-1.0",
            "LogTooLarge",
            ["1 MB", "build_log_megabytes"],
        ),
    ] {
        let jobs = run.report["jobs"].as_array().expect("a list of jobs");
        let job = jobs.iter().find(|job| job["cpv"] == cpv).expect("a job");
        let failure = &job["failure"];
        assert_eq!(failure["cause"], cause, "{cpv}: {failure}");
        let message = failure["message"].as_str().unwrap_or_default();
        for word in words {
            assert!(message.contains(word), "{cpv}: {word}: {message}");
        }
    }
    for builder in ["b1", "b2"] {
        assert!(
            !lab.holds(
                builder,
                "ls -d /sys/fs/cgroup/gentoo-updater-* /sys/fs/cgroup/memory/gentoo-updater-* | grep -q ."
            ),
            "{builder} has a control group left"
        );
    }
    workers.all_still_run();
}
