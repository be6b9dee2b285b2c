//! Whether the builder would compile what the guests planned.

use std::collections::BTreeMap;
use std::time::Duration;

use gentoo_updater_fleet::message::{Failure, FailureClass, Finding, Job, RepositoryRevision};
use gentoo_updater_fleet::name::BuilderName;
use gentoo_updater_fleet::tree;
use gentoo_updater_hosts::Host;
use gentoo_updater_portage::build_key::{BuildKey, HexDigest, Kernel, Platform};
use gentoo_updater_runtime::portage_api::{Question, ask_portage};
use gentoo_updater_runtime::repositories::Repository;
use serde::Deserialize;

use crate::platform;

/// What the builder's Portage says of one ebuild.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Answer {
    error: Option<String>,
    settings: BTreeMap<String, String>,
    /// What modules are built for here.
    kernel: Option<Kernel>,
    /// Whether that is the kernel of its sources, and not only the one that runs.
    kernel_has_sources: bool,
    repositories: Vec<Repository>,
    metadata: BTreeMap<String, Digests>,
}

#[derive(Debug, Clone, Deserialize)]
struct Digests {
    ebuild_digest: HexDigest,
    #[serde(default)]
    environment_digest: Option<HexDigest>,
}

/// Asks the builder's Portage about the ebuild of a key.
pub(crate) async fn ask(
    host: &dyn Host,
    key: &BuildKey,
    timeout: Duration,
) -> Result<Answer, Failure> {
    let question = Question::Ebuild(key.cpv.clone(), key.repository.clone());
    ask_portage(host, question, timeout).await
}

impl Answer {
    /// What the machine's binaries are made for as it is now: its configuration may have changed
    /// since it was asked whether it is ready.
    pub(crate) fn compiles_as(&self, builder: &BuilderName) -> Result<Platform, Failure> {
        let value_of = |name| self.settings.get(name).map(String::as_str);
        platform::of_machine(value_of, builder)
    }

    fn repository(&self, key: &BuildKey) -> Option<RepositoryRevision> {
        let mut repositories = self.repositories.iter().filter_map(Repository::at_revision);
        repositories.find(|repository| repository.name == key.repository)
    }
}

/// That the repository of a job is at another revision on this builder than that which the run goes
/// by, if it is.
pub(crate) fn difference(answer: &Answer, job: &Job, builder: &BuilderName) -> Option<Finding> {
    let revision = job.revision.as_ref()?;
    tree::difference(
        &format!("builder {builder}"),
        &answer.repository(&job.key)?,
        revision,
    )
}

/// Whether the builder's ebuild, eclasses and additions to them are those of the key.
///
/// Additions that only the builder has (a `package.env` that moves its build folder, say) are its
/// administrator's affair; additions that the guests have must be there.
///
/// # Errors
/// A failure that names what differs. Nobody else would: version, slot and flags of the result
/// may well be the expected ones.
pub(crate) fn compare(answer: &Answer, job: &Job) -> Result<(), Failure> {
    let key = &job.key;
    if let Some(error) = &answer.error {
        return Err(Failure::new(
            FailureClass::Machine,
            "PortageBroken",
            format!("the builder's Portage cannot answer: {error}"),
        ));
    }
    let name = format!("{}::{}", key.cpv, key.repository);
    let repository = &key.repository;
    let own = answer.repository(key);
    let run = match &job.revision {
        Some(run) => format!("the guests go by {run}"),
        None => "that of the guests is not known".to_owned(),
    };
    let revision = match own.as_ref().map(|own| &own.revision) {
        Some(Some(own)) => format!(" (it has {repository} at {own}, {run})"),
        Some(None) => format!(" (it has {repository} at a revision that nobody can tell, {run})"),
        None => format!(" (it has no repository {repository} at all, {run})"),
    };
    // Another builder may have the right one.
    let differs =
        |cause: &str, message: String| Err(Failure::new(FailureClass::Machine, cause, message));
    let Some(digests) = answer.metadata.get(&name) else {
        let remedy = match own {
            Some(_) => "sync it to what guests have",
            None => "add it to the builder's /etc/portage/repos.conf",
        };
        return differs(
            "EbuildMissing",
            format!("the builder has no ebuild of {name}{revision}; {remedy}"),
        );
    };
    if digests.ebuild_digest != key.ebuild_digest {
        return differs(
            "EbuildDiffers",
            format!(
                "the builder's ebuild or eclasses of {name} are not those of the guests{revision}; \
                 sync both to one state"
            ),
        );
    }
    if key.environment_digest.is_some() && digests.environment_digest != key.environment_digest {
        return differs(
            "EnvironmentDiffers",
            format!(
                "guests have package.env entries or user patches for {name} that the builder does \
                 not have: put the same on the builder, or take them away on the guests"
            ),
        );
    }
    compare_kernels(answer, key)
}

/// Modules are compiled for the kernel of the guests or not at all: in another one they are refused
/// or do harm, and a guest that installs binaries has no compiler to make them itself.
fn compare_kernels(answer: &Answer, key: &BuildKey) -> Result<(), Failure> {
    let Some(wanted) = &key.kernel else {
        return Ok(());
    };
    let cpv = &key.cpv;
    let differs = |message: String| {
        let class = FailureClass::Machine;
        Err(Failure::new(class, "KernelDiffers", message))
    };
    if wanted.configuration.is_none() {
        return differs(format!(
            "{cpv} builds modules, and its guests do not show how their kernel {} is configured: \
             install its sources there as /usr/src/linux, or set CONFIG_IKCONFIG_PROC",
            wanted.release
        ));
    }
    let own = match (&answer.kernel, answer.kernel_has_sources) {
        (Some(own), true) if own == wanted => return Ok(()),
        (Some(own), true) => format!("/usr/src/linux there is {own}"),
        _ => "there are no sources in /usr/src/linux there".to_owned(),
    };
    differs(format!(
        "{cpv} builds modules for the kernel of its guests ({wanted}), and {own}: install the same \
         kernel on the builder with the guests' .config, choose it with `eselect kernel set`, and \
         prepare it with `make modules_prepare`; or give the guests one kernel"
    ))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gentoo_updater_fleet::name::{JobId, PlatformName};

    use super::*;

    fn digest(text: &str) -> HexDigest {
        HexDigest::sha256(text.as_bytes())
    }

    fn job(environment: Option<&str>) -> Job {
        let key = BuildKey {
            cpv: "a/a-1".parse().unwrap(),
            slot: "0".parse().unwrap(),
            repository: "gentoo".parse().unwrap(),
            ebuild_digest: digest("ebuild"),
            use_flags: Default::default(),
            bindings: Default::default(),
            environment_digest: environment.map(digest),
            kernel: None,
        };
        let platform: PlatformName = "default".parse().unwrap();
        Job {
            id: JobId::of(&platform, &key),
            platform,
            key: key.into(),
            wanted_by: Default::default(),
            build_needs: Default::default(),
            runtime_needs: Default::default(),
            accepts: Default::default(),
            download: None,
            revision: Some("2026-01-05".to_owned()),
            compiled_as: None,
            needs: Default::default(),
        }
    }

    fn answer(ebuild: &str, environment: Option<&str>) -> Answer {
        Answer {
            error: None,
            settings: BTreeMap::new(),
            kernel: None,
            kernel_has_sources: false,
            repositories: vec![Repository {
                name: Some("gentoo".to_owned()),
                location: Some("/var/db/repos/gentoo".to_owned()),
                revision: Some("2026-01-02".to_owned()),
                exists: true,
            }],
            metadata: BTreeMap::from([(
                "a/a-1::gentoo".to_owned(),
                Digests {
                    ebuild_digest: digest(ebuild),
                    environment_digest: environment.map(digest),
                },
            )]),
        }
    }

    fn cause(answer: &Answer, job: &Job) -> String {
        let failure = compare(answer, job).unwrap_err();
        failure.cause
    }

    #[test]
    fn the_same_ebuild_is_compiled_whatever_the_builder_adds_for_itself() {
        assert!(compare(&answer("ebuild", None), &job(None)).is_ok());
        assert!(compare(&answer("ebuild", Some("own")), &job(None)).is_ok());
        assert!(compare(&answer("ebuild", Some("both")), &job(Some("both"))).is_ok());
    }

    #[test]
    fn another_ebuild_of_the_same_version_is_not_compiled_under_the_keys_name() {
        let failure = compare(&answer("other", None), &job(None)).unwrap_err();
        assert_eq!(failure.cause, "EbuildDiffers");
        assert_eq!(failure.class, FailureClass::Machine, "not the package's");
        for revision in ["2026-01-02", "2026-01-05"] {
            assert!(failure.message.contains(revision), "{}", failure.message);
        }
    }

    #[test]
    fn modules_are_compiled_for_the_very_kernel_of_the_guests_or_not_at_all() {
        let kernel = |release: &str, configuration: Option<&str>| Kernel {
            release: release.parse().unwrap(),
            configuration: configuration.map(digest),
        };
        let wanted = |kernel| {
            let mut job = job(None);
            Arc::make_mut(&mut job.key).kernel = Some(kernel);
            job
        };
        let has = |kernel, kernel_has_sources| Answer {
            kernel: Some(kernel),
            kernel_has_sources,
            ..answer("ebuild", None)
        };
        let guests = kernel("6.6.30-gentoo", Some("theirs"));
        compare(&has(guests.clone(), true), &wanted(guests.clone())).unwrap();
        // What builds no modules is built whatever the kernel is.
        compare(&has(kernel("6.12.1", None), false), &job(None)).unwrap();
        let theirs = digest("theirs").to_string();
        let theirs = format!("6.6.30-gentoo, configuration {}", &theirs[..12]);
        for (answer, guests, words) in [
            (
                has(kernel("6.12.1", Some("theirs")), true),
                &guests,
                "/usr/src/linux there is 6.12.1",
            ),
            (
                has(kernel("6.6.30-gentoo", Some("own")), true),
                &guests,
                theirs.as_str(),
            ),
            (
                has(guests.clone(), false),
                &guests,
                "no sources in /usr/src/linux",
            ),
            (
                answer("ebuild", None),
                &guests,
                "no sources in /usr/src/linux",
            ),
            (
                has(guests.clone(), true),
                &kernel("6.6.30-gentoo", None),
                "CONFIG_IKCONFIG_PROC",
            ),
        ] {
            let failure = compare(&answer, &wanted(guests.clone())).unwrap_err();
            assert_eq!(
                (failure.cause.as_str(), failure.class),
                ("KernelDiffers", FailureClass::Machine)
            );
            assert!(failure.message.contains(words), "{words}: {failure}");
        }
    }

    #[test]
    fn the_same_ebuild_of_another_revision_is_compiled_and_told() {
        let builder = "b1".parse().unwrap();
        let found = difference(&answer("ebuild", None), &job(None), &builder).unwrap();
        for words in ["builder b1", "gentoo at 2026-01-02", "by 2026-01-05"] {
            assert!(found.text.contains(words), "{words}: {}", found.text);
        }
        let unknown = Job {
            revision: None,
            ..job(None)
        };
        assert_eq!(
            difference(&answer("ebuild", None), &unknown, &builder),
            None
        );
    }

    #[test]
    fn a_missing_ebuild_and_missing_additions_are_named() {
        let without = |repositories: Vec<Repository>| Answer {
            repositories,
            ..Answer::default()
        };
        let unknown = Repository {
            revision: None,
            ..answer("ebuild", None).repositories.remove(0)
        };
        for (answer, words) in [
            (
                without(answer("ebuild", None).repositories),
                "a/a-1::gentoo (it has gentoo at 2026-01-02, the guests go by 2026-01-05); sync it",
            ),
            (
                without(vec![unknown]),
                "gentoo at a revision that nobody can tell, the guests",
            ),
            (
                without(Vec::new()),
                "(it has no repository gentoo at all, the guests go by 2026-01-05); add it to",
            ),
        ] {
            let failure = compare(&answer, &job(None)).unwrap_err();
            assert_eq!(failure.cause, "EbuildMissing");
            assert!(failure.message.contains(words), "{failure}");
        }
        assert_eq!(
            cause(&answer("ebuild", None), &job(Some("patch"))),
            "EnvironmentDiffers"
        );
        let broken = Answer {
            error: Some("no profile".to_owned()),
            ..Answer::default()
        };
        assert_eq!(cause(&broken, &job(None)), "PortageBroken");
    }
}
