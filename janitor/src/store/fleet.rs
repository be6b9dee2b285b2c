//! What the fleet needs of a store, asked of those who know it: the guests themselves.

use std::collections::BTreeSet;

use futures_util::stream::{self, StreamExt as _};
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::message::Failure;
use gentoo_updater_fleet::name::{GuestName, PlatformName};
use gentoo_updater_runtime::Machines;
use gentoo_updater_runtime::vdb::{self, Installed};

use super::needed::Needed;
use super::past::{Past, Unread};
use super::told::Told;
use super::updates::Counted;

/// What each guest said that it has installed, or why it could not be asked.
pub type Answers = Vec<(GuestName, Result<Installed, Failure>)>;

/// Asks all guests of a platform, but for those that do not count. That one cannot be asked is no
/// error.
pub async fn ask(
    machines: &Machines,
    settings: &Settings,
    platform: &PlatformName,
    without: &BTreeSet<GuestName>,
) -> Answers {
    let of_platform = settings
        .guests
        .iter()
        .filter(|(_, guest)| guest.platform == *platform);
    let names = of_platform.map(|(name, _)| name.clone());
    let names: Vec<GuestName> = names.filter(|name| !without.contains(name)).collect();
    let at_once = usize::from(settings.policy.parallel_scans).max(1);
    let answers = stream::iter(names).map(|name| async move {
        let told = match machines.guest(&name).await {
            Ok(host) => vdb::installed(host.as_ref()).await,
            Err(failure) => Err(failure),
        };
        (name, told)
    });
    answers.buffered(at_once).collect().await
}

/// What the fleet needs of the store of a platform: what the guests say of themselves, without those
/// that do not count, and what the past tells of them.
///
/// # Errors
/// When the history cannot be read, or not be understood.
pub async fn needs(
    machines: &Machines,
    settings: &Settings,
    without: &BTreeSet<GuestName>,
    past: &mut Past,
) -> Result<Judgement, Unread> {
    let counted = past.counted().clone();
    let answers = ask(machines, settings, &counted.platform, without).await;
    let silent = answers.iter().filter(|(_, answer)| answer.is_err());
    let silent: Vec<GuestName> = silent.map(|(name, _)| name.clone()).collect();
    let told = past.told(&silent.iter().collect::<Vec<_>>()).await?;
    Ok(judge(answers, told, &counted))
}

/// What is needed, and what had to be taken for it.
#[derive(Debug, Default)]
pub struct Judgement {
    /// The binaries that somebody needs.
    pub needed: Needed,
    /// Guests that could not be asked, and why: what they had when a run asked them last counts,
    /// and all that was built since, or by runs that were not over then.
    pub by_memory: Vec<(GuestName, Failure)>,
    /// Guests of which nobody knows what they have, and why. While there is one, nothing may go.
    pub unknown: Vec<(GuestName, Failure)>,
}

/// What follows from what the guests say, and from what the history tells.
pub fn judge(answers: Answers, told: &Told, counted: &Counted) -> Judgement {
    let mut judgement = Judgement::default();
    let needed = &mut judgement.needed;
    for (name, answer) in answers {
        match (answer, told.may_have(&name)) {
            (Ok(installed), _) => {
                for (cpv, build) in installed {
                    if let Some(id) = build.id {
                        needed.installed(&name, &cpv, id);
                    }
                }
            }
            (Err(failure), Some(binaries)) => {
                for (cpv, build_id) in binaries {
                    needed.installed(&name, cpv, build_id);
                }
                judgement.by_memory.push((name, failure));
            }
            (Err(failure), None) => judgement.unknown.push((name, failure)),
        }
    }
    needed.newest_updates(told, counted);
    judgement
}
