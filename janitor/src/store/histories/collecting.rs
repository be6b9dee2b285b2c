//! Collections, and what happens while they go on.

use std::collections::BTreeSet;

use gentoo_updater_fleet::message::{Failure, FailureClass};
use gentoo_updater_runtime::vdb::{Build, Installed};

use super::Happening;
use super::world::{Binaries, Number, World, cpv, name, numbers, platform};
use crate::store::catalog::{Catalog, Stored, Total};
use crate::store::collect::{Cause, Decision, JUST_COME, Limits, decide};
use crate::store::collection::without_asking;
use crate::store::fleet::{Answers, judge};
use crate::store::orphans::Orphan;
use crate::store::updates::Counted;

const FOREIGN: u64 = 50;

impl World {
    /// By an operator, or at the end of a run.
    pub(super) fn collect(
        &mut self,
        budget: Option<u64>,
        run: Option<usize>,
        [before_asking, before_deleting]: &[Vec<Happening>; 2],
    ) {
        let (catalog, seen) = (self.catalog(), self.now);
        for happening in before_asking {
            self.happens(happening);
        }
        // It can have ended meanwhile.
        let run = run.filter(|run| self.runs[*run].ended.is_none());
        let mut told = self.told.clone();
        if let Some(run) = run {
            told.ends(self.runs[run].id);
            self.runs[run].ended = Some(self.said);
        }
        let counted = Counted {
            platform: platform(),
            guests: (0..self.guests.len()).map(name).collect(),
            updates: self.updates,
        };
        let answer = judge(self.answers(), &told, &counted);
        let limits = Limits {
            days: 30,
            bytes: budget,
        };
        let decision = decide(&catalog, &answer.needed, &limits, seen);
        if answer.unknown.is_empty() {
            let unasked = without_asking(&catalog, &told, &counted, &limits, seen);
            if let Some(unasked) = unasked {
                assert_eq!(unasked.removals, decision.removals, "whatever guests have");
                assert_eq!(unasked.too_large_by, decision.too_large_by);
            }
            self.is_thorough(&catalog, &decision, &limits, seen);
        }
        if let Some(run) = run {
            // That it is over is said when the collection is.
            self.runs[run].ended = None;
        }
        let said = self.said;
        for happening in before_deleting {
            // What is set up by hand after the question nobody can know of.
            if !matches!(happening, Happening::NewGuest) {
                self.happens(happening);
            }
        }
        // Nothing goes while a run begins or goes on.
        if answer.unknown.is_empty() && self.said == said {
            if let Some(run) = run {
                self.end(run);
            }
            self.delete(&decision);
            self.check("a collection");
        }
    }

    fn catalog(&self) -> Catalog {
        let is_orphan = |number: &Number| self.without_record.contains(number);
        let recorded = self.store.iter().filter(|(number, _)| !is_orphan(number));
        let orphans = self.store.iter().filter(|(number, _)| is_orphan(number));
        let orphan = |((package, ..), stored): (&Number, &Stored)| Orphan {
            stored: stored.clone(),
            is_duplicate: package % 2 == 0,
        };
        Catalog {
            ours: recorded.map(|(_, stored)| stored.clone()).collect(),
            orphans: orphans.map(orphan).collect(),
            foreign: Total {
                files: 1,
                bytes: FOREIGN,
            },
            ..Catalog::default()
        }
    }

    fn answers(&self) -> Answers {
        let guests = self.guests.iter().enumerate();
        let answers = guests.map(|(number, guest)| {
            let told = match guest.is_off {
                true => Err(Failure::new(FailureClass::Transient, "Unreachable", "off")),
                false => Ok(installed(&guest.has)),
            };
            (name(number), told)
        });
        answers.collect()
    }

    /// All goes that can, where it is old, too much, or of no use.
    fn is_thorough(&self, catalog: &Catalog, decision: &Decision<'_>, limits: &Limits, now: u64) {
        let gone: BTreeSet<_> = decision.paths().collect();
        let kept: BTreeSet<Number> = self.needed().union(&self.excused()).copied().collect();
        let orphans = catalog.orphans.iter().map(|orphan| &orphan.stored);
        let left = catalog.ours.iter().chain(orphans.clone());
        let left: Vec<&Stored> = left.filter(|it| !gone.contains(&it.path)).collect();
        let number_of = |stored: &Stored| {
            let mut all = self.store.iter();
            all.find(|(_, it)| it.path == stored.path)
                .map(|(number, _)| *number)
        };
        let can_go = |stored: &&&Stored| {
            let is_new = now - stored.modified < JUST_COME;
            !is_new && number_of(stored).is_some_and(|number| !kept.contains(&number))
        };
        let more: Vec<&&Stored> = left.iter().filter(can_go).collect();
        let bytes = left.iter().map(|stored| stored.size).sum::<u64>() + FOREIGN;
        let most = limits.bytes;
        let too_large_by = most.map_or(0, |most| bytes.saturating_sub(most));
        assert_eq!(decision.too_large_by, too_large_by);
        assert!(
            decision.too_large_by == 0 || more.is_empty(),
            "{more:?} could go"
        );
        let orphans: BTreeSet<_> = orphans.map(|stored| &stored.path).collect();
        let idle = more.iter().find(|stored| orphans.contains(&stored.path));
        assert_eq!(idle, None, "nobody needs it, and no run finds it");
    }

    /// What is still as it was seen. The program looks under the lock of the store.
    fn delete(&mut self, decision: &Decision<'_>) {
        self.collected += 1;
        for removal in &decision.removals {
            let is_orphan = matches!(removal.cause, Cause::Orphan | Cause::Duplicate);
            let stored = self.store.iter();
            let mut stored = stored.filter(|(_, stored)| stored.path == removal.stored.path);
            let Some(number) = stored.next().map(|(number, _)| *number) else {
                continue;
            };
            if self.without_record.contains(&number) == is_orphan {
                self.store.remove(&number);
                self.without_record.remove(&number);
                self.deleted += 1;
                self.orphans_went += usize::from(is_orphan);
            }
        }
    }
}

fn installed(has: &Binaries) -> Installed {
    let build = |(package, version, id): Number| {
        let build = Build {
            id: Some(id),
            time: Some(1),
        };
        (cpv(package, version), build)
    };
    numbers(has).map(build).collect()
}
