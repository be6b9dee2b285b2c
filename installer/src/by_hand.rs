//! What an operator does on one guest by hand: putting it back, and finding what is to blame.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gentoo_updater_fleet::config::{Check, RestartServices};
use gentoo_updater_fleet::message::{Failure, FailureClass, Finding, FindingKind};
use gentoo_updater_fleet::name::{CheckName, GuestName, RunId};
use gentoo_updater_hosts::Host;
use gentoo_updater_portage::cpv::Cpv;
use gentoo_updater_runtime::vdb;
use serde::Serialize;

use crate::aftermath::{self, Restarts};
use crate::health;
use crate::rollback::{self, Halves, Kept, Undo, Wanted, for_good};

/// A guest whose last updates can be undone.
pub struct ByHand<'a> {
    /// The guest.
    pub host: &'a dyn Host,
    /// Its name.
    pub guest: &'a GuestName,
    /// How long installing may take.
    pub timeout: Duration,
    /// How long the guest is waited for when it does not answer any more.
    pub unreachable: Duration,
    /// What becomes of services that run on what is gone.
    pub restart_services: RestartServices,
    /// Those that are restarted, too, although a connection may live on them.
    pub restart_also: &'a BTreeSet<String>,
}

/// A state that was tried while the package to blame was looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What was as the update had brought it; all else was as before.
    pub updated: Vec<Cpv>,
    /// Whether the check went well.
    pub well: bool,
    /// What was wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrong: Option<String>,
}

/// What came of looking for the package to blame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// How many packages the update had brought.
    pub packages: usize,
    /// The guest as it was found: with the update, or without.
    pub found: Step,
    /// The states that were brought about and looked at, in their order.
    pub steps: Vec<Step>,
    /// What is to blame: one package, or several that only go together. None where the check goes well
    /// with all of the update, or fails without any of it.
    pub culprits: Vec<Cpv>,
}

impl ByHand<'_> {
    /// The runs of which the guest has kept what it had before, oldest first.
    ///
    /// # Errors
    /// When the guest cannot be asked.
    pub async fn runs(&self) -> Result<Vec<RunId>, Failure> {
        rollback::runs(self.host, self.guest).await
    }

    /// Which of these checks fail now, each with what is wrong.
    ///
    /// # Errors
    /// When the guest cannot be asked.
    pub async fn wrong(&self, checks: &[Check]) -> Result<BTreeMap<CheckName, String>, Failure> {
        let health = health::look(self.host, self.guest, checks).await?;
        let wrong = health
            .into_iter()
            .filter_map(|(name, wrong)| Some((name, wrong?)));
        Ok(wrong.collect())
    }

    /// What this run, and every run after it, has brought and is there.
    ///
    /// # Errors
    /// When the guest has kept nothing of the run.
    pub async fn brought(&self, run: RunId) -> Result<Vec<Cpv>, Failure> {
        let kept = self.undo(run).kept().await?;
        Ok(kept.there(&vdb::installed(self.host).await?))
    }

    /// Puts the guest back to what it had before this run, and restarts what the policy wants. Gives what
    /// its administrator has to know.
    ///
    /// # Errors
    /// When it is not as it was afterwards, with what differs.
    pub async fn roll_back(&self, run: RunId) -> Result<Vec<Finding>, Failure> {
        let undo = self.undo(run);
        let there = self.brought(run).await?;
        let mut findings = Vec::new();
        if !there.is_empty()
            && let Some(lost) = for_good(undo.preserve_after(&there).await)?
        {
            findings.push(rollback::no_bisect(&lost));
        }
        undo.roll_back().await?;
        rollback::settled(self.host).await?;
        // Also where nothing was there: who put it back may not have come to this.
        match self.restart(&undo).await {
            Ok(told) => findings.extend(told),
            // It is back, whatever cannot be told of it.
            Err(failure) => findings.push(Finding::new(FindingKind::Other, &failure.message)),
        }
        Ok(findings)
    }

    /// Puts the guest back behind a search.
    async fn back(&self, undo: &Undo<'_>) -> Result<(), Failure> {
        undo.roll_back().await?;
        rollback::settled(self.host).await?;
        self.restart_by_policy(undo).await
    }

    async fn restart_by_policy(&self, undo: &Undo<'_>) -> Result<(), Failure> {
        match self.restart_services {
            RestartServices::Restart => self.restart(undo).await.map(drop),
            _ => Ok(()),
        }
    }

    /// Restarts by the policy what runs on what is gone, or was restarted for the update and does not run.
    async fn restart(&self, undo: &Undo<'_>) -> Result<Vec<Finding>, Failure> {
        let restarts = Restarts {
            wanted: self.restart_services == RestartServices::Restart,
            also: self.restart_also,
            kept_in: Some(undo.restarted()),
            once_more: true,
        };
        aftermath::of(self.host, self.guest, undo.run, &restarts).await
    }

    /// Finds what of this run's update breaks a check, by halves, and leaves the guest as it was before the
    /// update; where the update is not to blame, as it was found. `told` hears of each state that was tried.
    ///
    /// # Errors
    /// When a state cannot be reached or looked at. The guest was put back to what it had before the update
    /// then, or the failure says that it was not.
    pub async fn bisect(
        &self,
        run: RunId,
        check: &Check,
        told: &mut (dyn FnMut(&Step) + Send),
    ) -> Result<Found, Failure> {
        let undo = self.undo(run);
        let kept = undo.kept().await?;
        let there = kept.there(&vdb::installed(self.host).await?);
        if !there.is_empty() {
            undo.preserve_after(&there).await?;
        }
        undo.note().await?;
        let search = Search {
            by_hand: self,
            undo: &undo,
            check,
            kept: undo.kept().await?,
            was_updated: !there.is_empty(),
        };
        match search.carry_out(told).await {
            Ok(found) => Ok(found),
            Err(failure) => {
                let back = self.back(&undo).await;
                let failure = failure.and_that("the search for the package to blame has ended");
                Err(match back {
                    Ok(()) => failure.and_that("the guest has what it had before the update"),
                    Err(other) => failure.and(&other),
                })
            }
        }
    }

    fn undo(&self, run: RunId) -> Undo<'_> {
        Undo {
            host: self.host,
            guest: self.guest,
            run,
            timeout: self.timeout,
            unreachable: self.unreachable,
        }
    }
}

struct Search<'a> {
    by_hand: &'a ByHand<'a>,
    undo: &'a Undo<'a>,
    check: &'a Check,
    kept: Kept,
    /// Whether the guest had the update when the search began.
    was_updated: bool,
}

impl Search<'_> {
    async fn carry_out(&self, told: &mut (dyn FnMut(&Step) + Send)) -> Result<Found, Failure> {
        let mut halves = Halves::of(&self.kept);
        let packages = halves.packages();
        if packages == 0 {
            let message = format!(
                "of run {} nothing is known that {} had got: there is nothing to search",
                self.undo.run, self.undo.guest
            );
            let class = FailureClass::Permanent;
            return Err(Failure::new(class, rollback::NOTHING_KEPT, message));
        }
        let (here, there) = match self.was_updated {
            true => (halves.last(), 0),
            false => (0, halves.last()),
        };
        let found = self.look_at(&halves, here).await?;
        told(&found);
        let mut steps = Vec::new();
        // With the update it must fail, and without it must not.
        let mut is_to_blame = found.well != self.was_updated;
        if is_to_blame {
            let step = self.look_at(&halves, there).await?;
            told(&step);
            is_to_blame = step.well == self.was_updated;
            steps.push(step);
        }
        if !is_to_blame {
            self.reach(&halves.wanted(here)).await?;
            self.undo.tidy().await?;
            let culprits = Vec::new();
            return Ok(Found {
                packages,
                found,
                steps,
                culprits,
            });
        }
        while let Some(place) = halves.next() {
            let step = self.look_at(&halves, place).await?;
            told(&step);
            halves.note(place, step.well);
            steps.push(step);
        }
        self.by_hand.back(self.undo).await?;
        let step = self.look(Vec::new()).await?;
        if !step.well {
            let message = format!(
                "the check {} goes well and fails with one and the same set: {}",
                self.check.name,
                step.wrong.unwrap_or_default()
            );
            let class = FailureClass::Permanent;
            return Err(Failure::new(class, "CheckUnsteady", message));
        }
        Ok(Found {
            packages,
            found,
            steps,
            culprits: halves.suspects(),
        })
    }

    async fn look_at(&self, halves: &Halves<'_>, place: usize) -> Result<Step, Failure> {
        self.reach(&halves.wanted(place)).await?;
        self.look(halves.updated(place)).await
    }

    /// Has exactly this installed, with the configuration that belongs to it.
    async fn reach(&self, wanted: &Wanted) -> Result<(), Failure> {
        self.undo.reach(&self.kept, wanted).await?;
        // Between two states of a fleet files may belong to two packages.
        for difference in self.undo.finish(&self.kept, wanted).await? {
            tracing::debug!(guest.name = %self.undo.guest, difference);
        }
        // A service shows what it runs on.
        self.by_hand.restart_by_policy(self.undo).await
    }

    async fn look(&self, updated: Vec<Cpv>) -> Result<Step, Failure> {
        let checks = std::slice::from_ref(self.check);
        let health = health::watch(self.undo.host, self.undo.guest, checks).await?;
        let wrong = health.into_values().flatten().next();
        Ok(Step {
            updated,
            well: wrong.is_none(),
            wrong,
        })
    }
}
