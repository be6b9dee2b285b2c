//! What a builder needs beside what every machine does: a compiler, room, memory, and help that is there.

use gentoo_updater_portage::build_key::Platform;

use super::guests::{platform_of, unclear, words};
use super::machines::{SILENT, answered};
use super::{Area, BuilderFacts, Facts, Findings, Kind, MachineFacts, Remedy, Subject};
use crate::config::{BuildFeature, Builder, CleanRoom, Settings};
use crate::message::Failure;
use crate::name::{BuilderName, PlatformName};

/// The programs that choose compiler and linker.
const TOOLCHAIN: [&str; 2] = ["gcc-config", "binutils-config"];
/// What one slot should have: a build that links something large takes that much.
const MEGABYTES_PER_SLOT: u64 = 1024;

pub(super) fn judge(settings: &Settings, facts: &Facts, findings: &mut Findings) {
    for (name, answer) in &facts.builders {
        let Some(builder) = settings.builders.get(name) else {
            continue;
        };
        let subject = Subject::Builder(name.clone());
        findings.looked_at(Area::Builders, &subject);
        match answer {
            Ok(own) => {
                if let Some(unfit) = &own.unfit {
                    unfitness(&subject, unfit, findings);
                }
                rooms(&subject, builder, own, findings);
                memory(&subject, builder, own, findings);
            }
            Err(failure) => unfitness(&subject, failure, findings),
        }
    }
    for (subject, examined) in answered(facts) {
        if let Subject::Builder(name) = subject
            && let Some(builder) = settings.builders.get(name)
        {
            toolchain(subject, &examined.facts, findings);
            helpers(subject, builder, &examined.facts, findings);
        }
    }
    for platform in settings.platforms.keys() {
        alike(settings, facts, platform, findings);
        heavy(settings, facts, platform, findings);
    }
}

/// Why its worker would take no work.
fn unfitness(subject: &Subject, unfit: &Failure, findings: &mut Findings) {
    let (kind, remedy) = match unfit.cause.as_str() {
        "StoreMissing" => (
            Kind::StoreMissing,
            Remedy::new("mount the store there, or make it"),
        ),
        "StoreUnwritable" => (
            Kind::StoreUnwritable,
            Remedy::new("mount it there for writing (NFS: rw, no_root_squash)"),
        ),
        "DiskFull" => (
            Kind::BuilderSpaceLow,
            Remedy::new("make room there").by("df -h"),
        ),
        "CompilerMissing" => (
            Kind::CompilerUnusable,
            Remedy::new("install a compiler there").by("emerge --oneshot sys-devel/gcc"),
        ),
        "CompilerBroken" => (
            Kind::CompilerUnusable,
            Remedy::new("choose one that works there").by("gcc-config -l"),
        ),
        SILENT => (
            Kind::MachineSilent,
            Remedy::new("log in there, and look what hangs: a network file system, or its load"),
        ),
        // Told by what its machine said, with more.
        "NativeCompilerFlags" | "PlatformNotUnderstood" | "PortageUnusable" => return,
        _ => (
            Kind::BuilderUnfit,
            Remedy::new("put that right there; the log of its worker says more"),
        ),
    };
    findings.add(kind, subject, unfit.to_string(), remedy);
}

fn rooms(subject: &Subject, builder: &Builder, own: &BuilderFacts, findings: &mut Findings) {
    if let Some(why) = &own.no_room
        && builder.clean_room != CleanRoom::Never
    {
        findings.add(
            Kind::CleanRoomImpossible,
            subject,
            format!("it can have no clean room: {why}"),
            Remedy::new(
                "give its kernel overlayfs, and a container the right to mount (--privileged); or say \
                 clean_room = \"never\"",
            ),
        );
    }
}

fn memory(subject: &Subject, builder: &Builder, own: &BuilderFacts, findings: &mut Findings) {
    let slots = u64::from(match own.no_room {
        Some(_) => 1,
        None => builder.slots,
    });
    let memory = own.capacity.map(|capacity| capacity.memory_megabytes);
    if let Some(memory) = memory.filter(|memory| *memory < slots * MEGABYTES_PER_SLOT) {
        findings.add(
            Kind::MemoryLow,
            subject,
            format!("it has {memory} MB of memory for slots = {slots}"),
            Remedy::new(format!(
                "set builders.{}.slots lower, or fewer jobs (-j) in MAKEOPTS",
                subject.name()
            )),
        );
    }
}

fn toolchain(subject: &Subject, facts: &MachineFacts, findings: &mut Findings) {
    for program in TOOLCHAIN {
        let Some(said) = facts.toolchain.get(program) else {
            continue;
        };
        findings.add(
            Kind::ToolchainUnset,
            subject,
            format!("{program} says: {said}"),
            Remedy::new("choose a profile that is there, and log in anew")
                .by(format!("{program} -l")),
        );
    }
}

/// The programs by which a feature helps.
pub fn program_of(feature: BuildFeature) -> &'static str {
    match feature {
        BuildFeature::Ccache => "ccache",
        BuildFeature::Distcc => "distcc",
        BuildFeature::DistccPump => "pump",
        BuildFeature::Icecream => "icecc",
    }
}

fn helpers(subject: &Subject, builder: &Builder, facts: &MachineFacts, findings: &mut Findings) {
    let is_on = |feature: BuildFeature| {
        builder.environment.features.contains(&feature)
            || facts.portage.has_feature(feature.as_str())
    };
    let on: Vec<BuildFeature> = BuildFeature::ALL
        .into_iter()
        .filter(|it| is_on(*it))
        .collect();
    for feature in &on {
        let program = program_of(*feature);
        if facts.missing_helpers.iter().any(|it| it == program) {
            let package = match feature {
                BuildFeature::Ccache => "dev-util/ccache",
                BuildFeature::Distcc | BuildFeature::DistccPump => "sys-devel/distcc",
                BuildFeature::Icecream => "sys-devel/icecream",
            };
            findings.add(
                Kind::HelperMissing,
                subject,
                format!("FEATURES name {feature}, and there is no {program}"),
                Remedy::new("install it there").by(format!("emerge --oneshot {package}")),
            );
        }
    }
    let asks_others = |it: &&BuildFeature| **it != BuildFeature::Ccache;
    if let Some(feature) = on.iter().find(asks_others) {
        let hosts = builder.environment.variables.get("DISTCC_HOSTS");
        let hosts = hosts.map_or(facts.portage.setting("DISTCC_HOSTS"), String::as_str);
        let is_distcc = *feature != BuildFeature::Icecream;
        if is_distcc && hosts.trim().is_empty() && !facts.has_distcc_hosts {
            findings.add(
                Kind::HelperWithoutHosts,
                subject,
                format!("FEATURES name {feature}, and nobody names its hosts"),
                Remedy::new(format!(
                    "name them: builders.{}.environment.DISTCC_HOSTS, or there by distcc-config",
                    subject.name()
                )),
            );
        } else {
            let whom = match is_distcc {
                true if !hosts.trim().is_empty() => format!("those of {feature}, {hosts}"),
                _ => format!("those of {feature}"),
            };
            findings.add(
                Kind::HelpersNotContacted,
                subject,
                format!("machines that help it are not looked at: {whom}"),
                Remedy::new("compare `gcc -dumpfullversion -dumpmachine` there and on the builder"),
            );
        }
    }
}

/// The builders of a platform, and as what each compiles.
fn compilers<'a>(
    settings: &Settings,
    facts: &'a Facts,
    platform: &PlatformName,
) -> Vec<(&'a Subject, Result<Platform, String>)> {
    answered(facts)
        .filter(|(subject, examined)| {
            matches!(subject, Subject::Builder(_))
                && subject.platform(settings) == Some(platform)
                && examined.facts.portage.error.is_none()
        })
        .map(|(subject, examined)| (subject, platform_of(&examined.facts.portage, false)))
        .collect()
}

fn alike(settings: &Settings, facts: &Facts, platform: &PlatformName, findings: &mut Findings) {
    let mut first: Option<(&Subject, Platform)> = None;
    for (subject, own) in compilers(settings, facts, platform) {
        match (own, &first) {
            (Err(error), _) => unclear(subject, &error, findings),
            (Ok(own), None) => first = Some((subject, own)),
            (Ok(own), Some((other, standard))) => {
                let clash = own.clash(standard);
                if !clash.is_empty() {
                    findings.add(
                        Kind::BuildersDiffer,
                        subject,
                        format!("it has {} of {other}, which writes the same store", words(&clash)),
                        Remedy::new(
                            "make make.conf equal on both, or give one of them a platform and a store of its own",
                        ),
                    );
                }
            }
        }
    }
}

/// Packages that no builder of a platform is large enough for.
fn heavy(settings: &Settings, facts: &Facts, platform: &PlatformName, findings: &mut Findings) {
    let of_platform = |name: &BuilderName| {
        let builder = settings.builders.get(name);
        builder.is_some_and(|builder| builder.platform == *platform)
    };
    let all = settings.builders.keys().filter(|name| of_platform(name));
    let capacities: Option<Vec<_>> = all
        .map(|name| facts.builders.get(name)?.as_ref().ok()?.capacity)
        .collect();
    // Of a builder that is not known it may be large enough.
    let Some(capacities) = capacities.filter(|it| !it.is_empty()) else {
        return;
    };
    for packages in settings.packages.iter().filter(|it| !it.needs.is_none()) {
        let lacks: Vec<_> = capacities
            .iter()
            .filter_map(|capacity| packages.needs.lacking(capacity))
            .collect();
        if lacks.len() == capacities.len() {
            findings.add(
                Kind::PackageTooHeavy,
                &Subject::Platform(platform.clone()),
                format!(
                    "{} needs {}, and no builder of the platform has that",
                    packages.atom, packages.needs
                ),
                Remedy::new(
                    "add a builder that has it, or lower what its table [[packages]] says it needs",
                ),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{builder, fit, found, of, settings, settings_of, well};
    use super::*;
    use crate::message::FailureClass;

    fn with(change: impl FnOnce(&mut BuilderFacts)) -> Vec<String> {
        let mut facts = well();
        let mut own = fit();
        change(&mut own);
        facts.builders.insert("b1".parse().unwrap(), Ok(own));
        found(&settings(), &facts)
    }

    #[test]
    fn whatever_keeps_a_worker_from_work_is_told() {
        for (cause, kind) in [
            ("StoreMissing", "store_missing"),
            ("StoreUnwritable", "store_unwritable"),
            ("DiskFull", "builder_space_low"),
            ("CompilerMissing", "compiler_unusable"),
            ("CompilerBroken", "compiler_unusable"),
            ("TemporaryUnwritable", "builder_unfit"),
            ("TimedOut", "machine_silent"),
        ] {
            let unfit = Failure::new(FailureClass::Machine, cause, "no");
            let told = with(|it| it.unfit = Some(unfit));
            assert_eq!(told, [format!("builder b1: {kind}")]);
        }
    }

    #[test]
    fn a_builder_without_clean_rooms_is_told_unless_it_is_to_have_none() {
        let refused = |it: &mut BuilderFacts| it.no_room = Some("no overlayfs".to_owned());
        assert_eq!(with(refused), ["builder b1: clean_room_impossible"]);
    }

    #[test]
    fn memory_is_compared_with_slots_and_with_what_packages_need() {
        let little = |memory| {
            with(|it| {
                if let Some(capacity) = &mut it.capacity {
                    capacity.memory_megabytes = memory;
                }
            })
        };
        assert!(little(1024).is_empty());
        assert_eq!(little(1023), ["builder b1: memory_low"]);
        let heavy = "[[packages]]\natom = \"dev-qt/qtwebengine\"\nmemory_megabytes = 32000\n";
        let told = found(&settings_of(heavy), &well());
        assert_eq!(told, ["platform default: package_too_heavy"]);
        let mut unknown = well();
        unknown.builders.clear();
        assert!(found(&settings_of(heavy), &unknown).is_empty());
    }

    #[test]
    fn help_that_is_not_there_is_told_and_hosts_are_said_not_to_be_asked() {
        let environment = |text: &str| {
            let table = format!("[builders.b2]\naddress = \"ssh://b2\"\n{text}");
            let mut facts = well();
            let b2 = builder("b2");
            facts
                .machines
                .insert(b2.clone(), Ok(super::super::testing::machine()));
            of(&mut facts, &b2).facts.missing_helpers = vec!["ccache".to_owned()];
            found(&settings_of(&table), &facts)
        };
        let told = environment("environment.FEATURES = \"ccache\"\n");
        assert_eq!(told, ["builder b2: helper_missing"]);
        let told = environment("environment.FEATURES = \"distcc\"\n");
        assert_eq!(told, ["builder b2: helper_without_hosts"]);
        let told = environment(
            "environment.FEATURES = \"distcc\"\nenvironment.DISTCC_HOSTS = \"localhost/4 h/8\"\n",
        );
        assert_eq!(told, ["builder b2: helpers_not_contacted"]);
    }

    #[test]
    fn a_broken_choice_of_the_toolchain_and_builders_of_several_kinds_are_told() {
        let settings = settings_of("[builders.b2]\naddress = \"ssh://b2\"\n");
        let mut facts = well();
        let b2 = builder("b2");
        facts
            .machines
            .insert(b2.clone(), Ok(super::super::testing::machine()));
        let own = &mut of(&mut facts, &b2).facts;
        own.toolchain
            .insert("gcc-config".to_owned(), "invalid".to_owned());
        let chost = ("CHOST".to_owned(), "i686-pc-linux-gnu".to_owned());
        own.portage.settings.extend([chost]);
        let told = ["builder b2: builders_differ", "builder b2: toolchain_unset"];
        assert_eq!(found(&settings, &facts), told);
    }
}
