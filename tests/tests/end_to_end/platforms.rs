//! Machines that are of another kind than the others: compiler flags, kernels, repositories.

use gentoo_updater_tests::actions;
use gentoo_updater_tests::assertions::{
    self, Binaries, compilations, failure_of, finding_texts, installed, job,
};
use gentoo_updater_tests::fixtures::{Lab, Scene};
use serde_json::Value;

const V3: &str = "-O2 -pipe -march=x86-64-v3";

fn set_cflags(lab: &Lab, machine: &str, cflags: &str) {
    let line = format!("echo 'CFLAGS=\"{cflags}\"' >> /etc/portage/make.conf");
    lab.sh(machine, &line);
}

/// What a log of the store holds.
fn log(lab: &Lab, place: &Value) -> String {
    let place = place.as_str().expect("the place of a log");
    let (machine, path) = place.split_once(':').expect("machine:path");
    assert!(
        path.starts_with("/var/cache/binpkgs/.gentoo-updater/logs/"),
        "{path}"
    );
    lab.sh(machine, &format!("zcat '{path}'"))
}

#[test]
fn a_guest_that_cannot_run_what_is_built_gets_nothing_and_the_difference_is_named() {
    let mut scene = Scene::embedded(4, 2);
    scene.configuration.any_flags.insert("g4".to_owned());
    let lab = &scene.lab;
    actions::prepare_for_v2(lab);
    for guest in ["g1", "g2", "g3", "g4"] {
        actions::want_only(lab, guest, &["dev-libs/slotted"]);
    }
    set_cflags(lab, "g2", V3);
    set_cflags(lab, "g3", "-O3 -pipe");
    set_cflags(lab, "g4", "-O2 -march=native");
    set_cflags(lab, "b2", "-O2 -march=native");
    let before = installed(lab, "g2");

    let run = actions::run(&scene);

    assertions::exit_code_is(&run, 1);
    let report = &run.report;
    for guest in ["g1", "g3", "g4"] {
        assertions::outcome_is(report, guest, "Updated");
    }
    let of_g3 = finding_texts(&report["guests"]["g3"]);
    assert!(
        of_g3
            .iter()
            .any(|text| text.contains("-O3 against -O2 of builder b1")),
        "{of_g3:?}"
    );
    for guest in ["g1", "g4"] {
        let findings = report["guests"][guest]["findings"].to_string();
        assert!(!findings.contains("PlatformDiffers"), "{guest}: {findings}");
    }
    assertions::outcome_is(report, "g2", "Failed");
    let (cause, message) = failure_of(report, "g2");
    assert_eq!(cause, "PlatformUnserved");
    assert!(
        message.contains("it has CFLAGS -march=x86-64-v3 against (none) of builder b1"),
        "{message}"
    );
    assert_eq!(report["guests"]["g2"]["untouched"], true);
    assert_eq!(installed(lab, "g2"), before);
    assert_eq!(report["unusable"]["b2"]["cause"], "NativeCompilerFlags");
    let unfit = report["unusable"]["b2"]["message"].to_string();
    assert!(
        unfit.contains("gcc -march=native -Q --help=target"),
        "{unfit}"
    );
    assert_eq!(compilations(lab, "b2"), Vec::<String>::new());
    let slotted = job(report, "dev-libs/slotted-2.0");
    assert_eq!(
        slotted[0]["wanted_by"],
        serde_json::json!(["g1", "g3", "g4"])
    );
    assert!(log(lab, &slotted[0]["log_path"]).contains("dev-libs/slotted-2.0"));

    // The builder is made one for machines of that kind, and what it has built before is not.
    set_cflags(lab, "b1", V3);
    let run = actions::run(&scene);
    let report = &run.report;
    assertions::outcome_is(report, "g2", "Updated");
    let slotted = job(report, "dev-libs/slotted-2.0");
    assert_eq!(slotted[0]["state"], "built", "{slotted:#?}");
    let findings = finding_texts(slotted[0]).join("\n");
    assert!(
        findings.contains("it was compiled for other machines"),
        "{findings}"
    );
    assertions::outcome_is(report, "g1", "UpToDate");
    let of_g1 = finding_texts(&report["guests"]["g1"]).join("\n");
    assert!(
        of_g1.contains("no builder of platform default compiles for this guest"),
        "{of_g1}"
    );
    let records = Binaries::of(lab).records;
    let own = records
        .iter()
        .filter(|record| record["compiled_as"]["cflags"] == V3);
    assert_eq!(own.count(), 2, "what g2 has got: {records:#?}");
}

/// A repository with a package that builds modules, and one with another package.
const OVERLAYS: &str = r#"
overlay() {
    mkdir -p "/opt/$1/metadata" "/opt/$1/profiles" "/opt/$1/eclass"
    echo "$1" > "/opt/$1/profiles/repo_name"
    printf 'masters = gentoo\nthin-manifests = true\n' > "/opt/$1/metadata/layout.conf"
    printf '[%s]\nlocation = /opt/%s\nauto-sync = no\n' "$1" "$1" > "/etc/portage/repos.conf/$1.conf"
}
ebuild() {
    mkdir -p "/opt/$1"
    cat > "/opt/$1/$2.ebuild"
}
overlay modules
echo 'src_install() { insinto /lib/modules/test; echo module > it.ko; doins it.ko; }' \
    > /opt/modules/eclass/linux-mod-r1.eclass
for version in 1 2; do
    ebuild modules/app-misc/module module-$version <<'END'
EAPI=8
inherit linux-mod-r1
DESCRIPTION="it"
SLOT="0"
KEYWORDS="amd64"
S=${WORKDIR}
END
done
"#;

const OWN: &str = r#"
overlay own
echo 2026-01-31 > /opt/own/metadata/timestamp.chk
for version in 1 2; do
    ebuild own/app-misc/lone lone-$version <<'END'
EAPI=8
DESCRIPTION="it"
SLOT="0"
KEYWORDS="amd64"
S=${WORKDIR}
END
done
"#;

fn install_sources(lab: &Lab, machine: &str, release: &str, configuration: &str) {
    let script = format!(
        "mkdir -p /usr/src/linux-{release}/include/config && ln -sfn linux-{release} /usr/src/linux
         echo {release} > /usr/src/linux/include/config/kernel.release
         echo '{configuration}' > /usr/src/linux/.config"
    );
    lab.sh(machine, &script);
}

#[test]
#[ignore = "takes long: make test-long"]
fn modules_are_shared_by_equal_kernels_and_a_builder_without_kernel_or_ebuild_is_told_what_to_do() {
    let scene = Scene::embedded(3, 1);
    let lab = &scene.lab;
    lab.must(&["fill", "v1"]);
    for guest in ["g1", "g2", "g3"] {
        let own = if guest == "g3" { OWN } else { "" };
        let packages = ["app-misc/module", "app-misc/lone"];
        let wanted = &packages[..if guest == "g3" { 2 } else { 1 }];
        lab.sh(guest, &format!("{OVERLAYS}{own}"));
        actions::want_only(lab, guest, wanted);
        // As if the former version had been installed from a binary.
        lab.sh(
            guest,
            "emerge --quiet --noreplace --nodeps =app-misc/module-1 >/dev/null 2>&1 || :",
        );
    }
    lab.sh("b1", OVERLAYS);
    install_sources(lab, "b1", "6.6.30-lab", "CONFIG_A=y");
    install_sources(lab, "g1", "6.6.30-lab", "CONFIG_A=y");
    install_sources(lab, "g2", "6.6.30-lab", "# of another day\nCONFIG_A=y");
    install_sources(lab, "g3", "6.6.30-lab", "CONFIG_A=m");

    let run = actions::run(&scene);

    assertions::exit_code_is(&run, 1);
    let report = &run.report;
    for guest in ["g1", "g2"] {
        assertions::outcome_is(report, guest, "Updated");
        assert!(installed(lab, guest).contains_key("app-misc/module-2"));
    }
    let jobs = job(report, "app-misc/module-2");
    assert_eq!(jobs.len(), 2, "{jobs:#?}");
    let wanted = |guests: Value| jobs.iter().find(|job| job["wanted_by"] == guests);
    let shared = wanted(serde_json::json!(["g1", "g2"])).expect("one binary for two");
    assert_eq!(shared["state"], "built");
    let other = wanted(serde_json::json!(["g3"])).expect("one of its own");
    assert_eq!(other["failure"]["cause"], "KernelDiffers", "{other:#}");
    let message = other["failure"]["message"].to_string();
    for words in [
        "kernel of its guests (6.6.30-lab, configuration",
        "make modules_prepare",
    ] {
        assert!(message.contains(words), "{message}");
    }
    let lone = job(report, "app-misc/lone-2");
    assert_eq!(lone[0]["failure"]["cause"], "EbuildMissing", "{lone:#?}");
    let message = lone[0]["failure"]["message"].to_string();
    for words in [
        "no ebuild of app-misc/lone-2::own",
        "it has no repository own at all, the guests go by 2026-01-31",
    ] {
        assert!(message.contains(words), "{message}");
    }
}
