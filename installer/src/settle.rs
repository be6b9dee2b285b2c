//! After an installation: whether the guest is well, what its administrator has to know, what nothing
//! needs any more, and what the guest still wants.

use gentoo_updater_fleet::config::{Depclean, RestartServices};
use gentoo_updater_fleet::message::{Failure, FailureClass, Finding, FindingKind, RolledBack};
use gentoo_updater_portage::cpv::Cpv;
use gentoo_updater_runtime::vdb;

use crate::aftermath::{self, Restarts};
use crate::health::Health;
use crate::installation::Installation;
use crate::rollback::{self, Condemned, Undo, for_good};
use crate::unneeded::{self, Limits};
use crate::{health, verify};

/// What came of an installation that was begun.
pub(crate) struct Settled {
    /// What is installed now.
    pub(crate) installed: vdb::Installed,
    pub(crate) findings: Vec<Finding>,
    pub(crate) failure: Option<Failure>,
    pub(crate) rolled_back: Option<RolledBack>,
}

impl Installation<'_> {
    /// Sees to the guest when emerge has ended. `health`: how it was before the update. `failure`: what
    /// emerge itself did not do well.
    ///
    /// # Errors
    /// When the guest cannot be asked any more. Another attempt goes on from there.
    pub(crate) async fn settle(
        &self,
        health: &Health,
        had: &vdb::Installed,
        failure: Option<Failure>,
    ) -> Result<Settled, Failure> {
        let installed = vdb::installed(self.host).await?;
        // First the restarts: until then everything runs as before the update.
        let told = self.afterwards(failure.is_none(), false).await?;
        let after = health::look_after(self.host, &self.order.guest, self.checks()).await?;
        let broken_before = health::broken_before(health, &after);
        let mut findings: Vec<Finding> = told.into_iter().chain(broken_before.clone()).collect();
        let Some(broken) = health::broken(health, &after) else {
            let (unneeded, installed) = self.unneeded(installed, failure.is_none()).await?;
            findings.extend(unneeded);
            findings.extend(self.look_again().await?);
            return Ok(Settled {
                installed,
                findings,
                failure,
                rolled_back: None,
            });
        };
        // One failure is told, and what the check says matters more.
        let broken = failure.iter().fold(broken, Failure::and);
        let Some(undo) = self.undo() else {
            findings.extend(self.look_again().await?);
            return Ok(Settled {
                installed,
                findings,
                failure: Some(broken),
                rolled_back: None,
            });
        };
        let is_new = |(cpv, build): &(&Cpv, _)| had.get(*cpv) != Some(*build);
        let brought = installed.iter().filter(is_new);
        let brought = brought.map(|(cpv, _)| cpv.clone()).collect();
        let condemned = Condemned {
            failure: broken,
            packages: brought,
            health: health.clone(),
            checks: health::broken_checks(health, &after).cloned().collect(),
        };
        let condemned = undo.condemn(condemned).await?;
        let mut settled = self.put_back(&undo, condemned).await?;
        // What the update left to do is gone with it, but for what says why.
        settled.findings.splice(..0, broken_before);
        let refused = findings.into_iter().filter_map(with_the_update);
        settled.findings.extend(refused);
        Ok(settled)
    }

    /// Goes on with putting the guest back, where an attempt before has decided that.
    ///
    /// # Errors
    /// As [`Self::put_back`].
    pub(crate) async fn condemned(&self) -> Result<Option<Settled>, Failure> {
        let Some(undo) = self.undo() else {
            return Ok(None);
        };
        match undo.condemned().await? {
            Some(condemned) => self.put_back(&undo, condemned).await.map(Some),
            None => Ok(None),
        }
    }

    /// Gives the guest what it had before an update after which a check failed.
    ///
    /// # Errors
    /// When the guest cannot be asked any more. Another attempt goes on from there.
    async fn put_back(&self, undo: &Undo<'_>, condemned: Condemned) -> Result<Settled, Failure> {
        let Condemned {
            failure,
            packages,
            health,
            checks,
        } = condemned;
        let mut findings = Vec::new();
        // The way back does not need it.
        if let Some(lost) = for_good(undo.preserve_after(&packages).await)? {
            findings.push(rollback::no_bisect(&lost));
        }
        let left = for_good(undo.roll_back().await)?;
        findings.extend(self.afterwards(left.is_none(), true).await?);
        let after = health::look_after(self.host, &self.order.guest, self.checks()).await?;
        let guest = &self.order.guest;
        let failure = match (&left, health::broken(&health, &after)) {
            (Some(left), _) => failure.and(left),
            (None, None) => failure.and_that(&format!(
                "the guest has again what it had before; what the update brought stays away from all \
                 guests until `gentoo-updater approve guest {guest}`, and `gentoo-updater bisect {guest} \
                 --check {}` finds the package to blame",
                checks.first().map_or("COMMAND", |check| check.as_str())
            )),
            (None, Some(broken)) => failure.and_that(&format!(
                "the guest has again what it had before, and is still not well, so the update may not \
                 be to blame: {}. What it brought stays away from all guests all the same, until \
                 `gentoo-updater approve guest {guest}`",
                broken.message
            )),
        };
        let installed = vdb::installed(self.host).await?;
        let rolled_back = RolledBack {
            packages,
            failure: left,
        };
        Ok(Settled {
            installed,
            findings,
            failure: Some(failure),
            rolled_back: Some(rolled_back),
        })
    }

    /// What an administrator has to know, and the restarts that the policy wants: on the way back those
    /// of before, too. As with the plan below, what was installed is not less installed because this cannot
    /// be told.
    async fn afterwards(&self, is_complete: bool, is_back: bool) -> Result<Vec<Finding>, Failure> {
        let settings = &self.context.settings;
        let restart = |guest: &gentoo_updater_fleet::config::Guest| guest.restart_services;
        let is_policy = self.guest().map(restart) == Some(RestartServices::Restart);
        let restarts = Restarts {
            // On a half-updated guest what runs well in memory may not come up again.
            wanted: is_policy && is_complete,
            also: &settings.policy.restart_also,
            kept_in: self.undo().map(|undo| undo.restarted()),
            once_more: is_back,
        };
        let (guest, run) = (&self.order.guest, self.order.run);
        told_anyway(aftermath::of(self.host, guest, run, &restarts).await)
    }

    /// What nothing on the guest needs any more, and what is installed once the policy has had its
    /// way with it. On a half-updated guest nothing is removed.
    async fn unneeded(
        &self,
        installed: vdb::Installed,
        is_complete: bool,
    ) -> Result<(Vec<Finding>, vdb::Installed), Failure> {
        let (host, order) = (self.host, self.order);
        let policy = &self.context.settings.policy;
        let limits = Limits {
            question: policy.scan_timeout,
            removal: policy.install_timeout,
        };
        let guest = self.guest();
        let is_policy = guest.is_some_and(|guest| guest.depclean == Depclean::Remove);
        let told = async {
            let before = unneeded::packages(host, order.run, &limits).await?;
            if !(is_policy && is_complete) {
                return Ok(unneeded::finding(&before).into_iter().collect());
            }
            if let Some(undo) = self.undo() {
                undo.preserve_also(&before).await?;
            }
            unneeded::remove(host, order, &before, &limits).await?;
            let left = unneeded::packages(host, order.run, &limits).await?;
            let findings = [unneeded::removed(&before, &left), unneeded::finding(&left)];
            Ok(findings.into_iter().flatten().collect())
        };
        let findings = told_anyway(told.await)?;
        let installed = match is_policy && is_complete {
            true => vdb::installed(host).await?,
            false => installed,
        };
        Ok((findings, installed))
    }

    /// What the guest's own plan asks for now. What was done is done, and is not less true because
    /// this plan cannot be had; but then nobody may say that the guest is up to date.
    async fn look_again(&self) -> Result<Vec<Finding>, Failure> {
        match self.plan(self.world(), &[]).await {
            Ok((plan, status)) => Ok(verify::still_pending(&plan, status, &self.order.held)),
            Err(failure) if failure.class == FailureClass::Permanent => {
                let text = format!("what is still pending is not known: {}", failure.message);
                Ok(vec![Finding::new(FindingKind::StillPending, &text)])
            }
            Err(failure) => Err(failure),
        }
    }
}

/// What is told of an update that was undone: the services that did not come up with it.
fn with_the_update(finding: Finding) -> Option<Finding> {
    (finding.kind == FindingKind::ServiceRestartFailed).then(|| {
        let text = format!("with the update: {}", finding.text);
        Finding::new(FindingKind::Other, &text).with_details(finding.details)
    })
}

/// What is installed is installed, whatever cannot be told of the guest afterwards; and what takes
/// too long now will take too long the next time. Only a lost connection is worth another attempt.
fn told_anyway(told: Result<Vec<Finding>, Failure>) -> Result<Vec<Finding>, Failure> {
    match told {
        Err(failure) if failure.class != FailureClass::Transient || failure.cause == "TimedOut" => {
            let kind = FindingKind::Other;
            Ok(vec![Finding::new(kind, &failure.message)])
        }
        told => told,
    }
}
