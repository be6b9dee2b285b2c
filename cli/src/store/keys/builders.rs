//! The keys of builders, asked for on each of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::fingerprint::Fingerprint;
use gentoo_updater_fleet::message::Failure;
use gentoo_updater_fleet::name::{BuilderName, PlatformName};
use gentoo_updater_hosts::Host;
use gentoo_updater_runtime::Machines;
use gentoo_updater_runtime::signing::{Key, Keys, State};

/// A builder that answered.
pub(super) struct Asked {
    pub(super) name: BuilderName,
    pub(super) platform: PlatformName,
    pub(super) host: Arc<dyn Host>,
    pub(super) keys: Vec<Key>,
}

impl Asked {
    /// The key that signs.
    pub(super) fn in_use(&self) -> Option<&Key> {
        self.keys.iter().find(|key| key.state == State::InUse)
    }

    /// What guests import: what they are to trust, and what they are to know of as revoked.
    pub(super) fn to_export(&self) -> Vec<Fingerprint> {
        let keys = self.keys.iter();
        let told = keys.filter(|key| key.state.counts() || key.state == State::Revoked);
        told.map(|key| key.fingerprint.clone()).collect()
    }

    /// What guests are to trust.
    pub(super) fn trusted(&self) -> impl Iterator<Item = &Fingerprint> {
        let keys = self.keys.iter().filter(|key| key.state.counts());
        keys.map(|key| &key.fingerprint)
    }
}

/// What the builders answered.
#[derive(Default)]
pub(super) struct Answers {
    pub(super) asked: Vec<Asked>,
    /// Those that could not be asked.
    pub(super) failed: BTreeMap<BuilderName, Failure>,
}

/// Asks those builders that are wanted.
pub(super) async fn ask(
    settings: &Settings,
    machines: &Machines,
    now: u64,
    is_wanted: impl Fn(&BuilderName, &PlatformName) -> bool,
) -> Answers {
    let mut answers = Answers::default();
    for (name, builder) in &settings.builders {
        if !is_wanted(name, &builder.platform) {
            continue;
        }
        let asked = async {
            let host = machines.builder(name).await?;
            let keys = Keys::of(host.as_ref()).list(now).await?;
            Ok::<_, Failure>((host, keys))
        };
        match asked.await {
            Ok((host, keys)) => answers.asked.push(Asked {
                name: name.clone(),
                platform: builder.platform.clone(),
                host,
                keys,
            }),
            Err(failure) => drop(answers.failed.insert(name.clone(), failure)),
        }
    }
    answers
}

/// The public keys of these builders that guests get, armored.
///
/// # Errors
/// When one of them does not give them.
pub(super) async fn export<'a>(
    builders: impl IntoIterator<Item = &'a Asked>,
) -> Result<String, Failure> {
    let mut text = String::new();
    for builder in builders {
        let keys = builder.to_export();
        if !keys.is_empty() {
            text += &Keys::of(builder.host.as_ref()).export(&keys).await?;
        }
    }
    Ok(text)
}
