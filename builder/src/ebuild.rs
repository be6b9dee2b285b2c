//! Whether the builder would compile what the guests planned.

use std::collections::BTreeMap;
use std::time::Duration;

use gentoo_updater_fleet::message::{Failure, FailureClass, Finding, Job, RepositoryRevision};
use gentoo_updater_fleet::name::BuilderName;
use gentoo_updater_fleet::tree;
use gentoo_updater_hosts::Host;
use gentoo_updater_portage::build_key::{BuildKey, HexDigest, Platform};
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
    let own = answer
        .repository(key)
        .and_then(|repository| repository.revision);
    let revision = match (own, &job.revision) {
        (Some(own), Some(run)) => format!(" (it has {} at {own}, the run {run})", key.repository),
        (Some(own), None) => format!(" (it has {} at {own})", key.repository),
        (None, _) => String::new(),
    };
    // Another builder may have the right one.
    let differs =
        |cause: &str, message: String| Err(Failure::new(FailureClass::Machine, cause, message));
    let Some(digests) = answer.metadata.get(&name) else {
        return differs(
            "EbuildMissing",
            format!("the builder has no ebuild of {name}{revision}; sync it to what guests have"),
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
    Ok(())
}

#[cfg(test)]
mod tests {
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
            use_flags: BTreeMap::new(),
            bindings: BTreeMap::new(),
            environment_digest: environment.map(digest),
        };
        let platform: PlatformName = "default".parse().unwrap();
        Job {
            id: JobId::of(&platform, &key),
            platform,
            key,
            wanted_by: Default::default(),
            build_needs: Default::default(),
            runtime_needs: Default::default(),
            accepts: Default::default(),
            revision: Some("2026-01-05".to_owned()),
            compiled_as: None,
        }
    }

    fn answer(ebuild: &str, environment: Option<&str>) -> Answer {
        Answer {
            error: None,
            settings: BTreeMap::new(),
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
        assert_eq!(cause(&Answer::default(), &job(None)), "EbuildMissing");
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
