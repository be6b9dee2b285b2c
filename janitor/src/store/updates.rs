//! The newest updates of a platform, and of each of its guests.
//!
//! An update counts when it has built or installed something: those that find nothing to do, every hour
//! say, do not make what came before them old. Of guests each has updates of its own, since they need not
//! be updated together.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::name::{GuestName, PlatformName, RunId};
use gentoo_updater_portage::cpv::Cpv;

use super::told::{Told, ToldRun};

/// Which updates count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// Those of this platform,
    pub platform: PlatformName,
    /// and of each of its guests.
    pub guests: BTreeSet<GuestName>,
    /// The newest so many of each.
    pub updates: usize,
}

impl Counted {
    /// What is configured for a platform.
    pub fn of(settings: &Settings, platform: &PlatformName) -> Self {
        let guests = settings.guests.iter();
        let guests = guests.filter(|(_, guest)| guest.platform == *platform);
        Self {
            platform: platform.clone(),
            guests: guests.map(|(name, _)| name.clone()).collect(),
            updates: settings.policy.keep_binaries_runs as usize,
        }
    }
}

/// A run with its further rounds, in their order.
#[derive(Debug, Default)]
struct Update<'a>(Vec<(RunId, &'a ToldRun)>);

impl Update<'_> {
    fn is_over(&self) -> bool {
        self.0.iter().all(|(_, run)| run.ended.is_some())
    }

    /// Whether it is an update, of which all is known, that is over.
    fn is_whole(&self) -> bool {
        let is_known = |(_, run): &(RunId, &ToldRun)| run.is_begun && run.is_update;
        let first = self.0.first().map(|(_, run)| run);
        self.is_over()
            && self.0.iter().all(is_known)
            && first.is_some_and(|it| it.follows.is_none())
    }

    fn changed(&self, platform: &PlatformName) -> bool {
        self.is_whole() && self.0.iter().any(|(_, run)| run.changed.contains(platform))
    }

    /// The guests that it has changed, and of which it tells what they had before.
    fn changed_guests(&self) -> BTreeSet<&GuestName> {
        let runs = self.0.iter().filter(|_| self.is_whole());
        let installed = runs.flat_map(|(_, run)| &run.installed);
        let had = |guest: &&GuestName| self.0.iter().any(|(_, run)| run.had.contains_key(*guest));
        installed.filter(had).collect()
    }
}

/// What the newest updates refer to, with what comes after them and goes on.
#[derive(Debug, Default)]
pub(super) struct Newest<'a> {
    /// What was built or found, by its run.
    pub(super) built: Vec<(RunId, &'a Cpv, u32)>,
    /// What guests had.
    pub(super) had: Vec<(&'a GuestName, &'a Cpv, u32)>,
}

impl Told {
    /// How many updates of this platform are known that count.
    pub(super) fn updates(&self, platform: &PlatformName) -> usize {
        let updates = self.by_update();
        let counts = |update: &&Update<'_>| update.changed(platform);
        updates.values().filter(counts).count()
    }

    /// Whether that many updates of each of its guests are known, too.
    pub(super) fn knows_updates_of_guests(&self, counted: &Counted) -> bool {
        let updates = self.by_update();
        let mut known: HashMap<&GuestName, usize> = HashMap::new();
        for update in updates.values() {
            for guest in update.changed_guests() {
                *known.entry(guest).or_default() += 1;
            }
        }
        let mut guests = counted.guests.iter();
        guests.all(|guest| known.get(guest).is_some_and(|it| *it >= counted.updates))
    }

    /// What the updates that count refer to.
    pub(super) fn newest(&self, counted: &Counted) -> Newest<'_> {
        let updates = self.by_update();
        let mut newest = Newest::default();
        let mut left = counted.updates;
        let mut left_of: HashMap<&GuestName, usize> = HashMap::new();
        for update in updates.values().rev() {
            let is_over = update.is_over();
            let mut had: Vec<_> = update.0.iter().flat_map(|(_, run)| &run.had).collect();
            had.retain(|(guest, _)| {
                let left = left_of.entry(*guest).or_insert(counted.updates);
                !is_over || *left > 0
            });
            for (guest, had) in had {
                let all = self.had(had);
                let all = all.map(|(cpv, build_id)| (guest, cpv, build_id));
                newest.had.extend(all);
            }
            for guest in update.changed_guests() {
                let left = left_of.entry(guest).or_insert(counted.updates);
                *left = left.saturating_sub(1);
            }
            if is_over && left == 0 {
                continue;
            }
            left = left.saturating_sub(usize::from(update.changed(&counted.platform)));
            for (id, run) in &update.0 {
                let built = self.built_by(run);
                let built = built.map(|(cpv, build_id)| (*id, cpv, build_id));
                newest.built.extend(built);
            }
        }
        newest
    }

    /// All runs, each with those that follow it. Their first one is the oldest.
    fn by_update(&self) -> BTreeMap<RunId, Update<'_>> {
        let mut updates: BTreeMap<RunId, Update<'_>> = BTreeMap::new();
        // Who follows a run was asked for after it.
        let mut first_of: HashMap<RunId, RunId> = HashMap::new();
        for (id, run) in &self.runs {
            let first = run.follows.map_or(*id, |former| {
                first_of.get(&former).copied().unwrap_or(former)
            });
            first_of.insert(*id, first);
            updates.entry(first).or_default().0.push((*id, run));
        }
        updates
    }
}
