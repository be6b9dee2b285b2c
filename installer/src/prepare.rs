//! Before an installation is begun: all that can be known beforehand is, and nothing is touched.

use std::path::Path;

use gentoo_updater_fleet::decide::WINDOW_CLOSED;
use gentoo_updater_fleet::message::{Failure, FailureClass};
use gentoo_updater_portage::command::{self, CommandLine};
use gentoo_updater_portage::packages_index::PackagesIndex;
use gentoo_updater_portage::plan::Plan;
use gentoo_updater_runtime::signing::Demands;
use gentoo_updater_runtime::{emerge, vdb};

use crate::before::{self, Before};
use crate::health::{self, Health};
use crate::installation::Installation;
use crate::rollback::{self, Preserved, Unsettled};
use crate::store::Source;
use crate::{explain, proof, store, wanted};

/// An update that may begin.
pub(crate) struct Prepared {
    /// What installs the set.
    pub(crate) line: CommandLine,
    /// What was kept for the way back.
    pub(crate) preserved: Option<Preserved>,
}

impl Installation<'_> {
    /// Everything that comes before the first change, and what installs the set.
    ///
    /// # Errors
    /// Why nothing may be begun. Nothing was touched then.
    pub(crate) async fn prepare(&self, source: &Source) -> Result<Prepared, Failure> {
        let (host, order, folder) = (self.host, self.order, source.folder());
        self.must_be_in_time()?;
        let fetched_into = source.remote().map(|_| folder);
        let before = Before::of(host, order, fetched_into).await?;
        before.check(0).await?;
        let demands = &before.demands;
        if let Some(remote) = source.remote() {
            remote.introduce(host, order, demands).await?;
        }
        let patience = self.context.settings.policy.store_wait;
        let index = store::wait_until_complete(host, source, order, patience).await?;
        before::check_signatures(host, order, folder, demands).await?;
        self.prove(folder, &index).await?;
        let preserved = self.keep(source, &index, demands).await?;
        if let Some(kept) = &preserved
            // What was kept takes room, and so will what the way back brings.
            && let Err(failure) = before.check(kept.brings).await
        {
            self.forget(kept).await?;
            return Err(failure);
        }
        let line = command::install_binaries(&self.set());
        let is_signed =
            |it: &gentoo_updater_fleet::message::InstallPackage| it.binary.signed_by.is_some();
        // Portage checks what is signed even where nobody asks for that, and would fail where nobody
        // taught it the keys.
        let line = match !demands.requires && order.packages.iter().any(is_signed) {
            true => line.with_features(["binpkg-ignore-signature"]),
            false => line,
        };
        Ok(Prepared { line, preserved })
    }

    /// Looks how the guest is before the update, and notes that it begins. `is_known`: it has begun already.
    ///
    /// # Errors
    /// Why it may not begin.
    pub(crate) async fn begin(
        &self,
        unsettled: Option<Unsettled>,
        is_known: bool,
    ) -> Result<Health, Failure> {
        let (host, order) = (self.host, self.order);
        let health = match unsettled {
            // What has begun may have broken something.
            Some(update) => update.health,
            None => health::look(host, &order.guest, self.checks()).await?,
        };
        if !is_known {
            self.must_be_in_time()?;
        }
        vdb::note_ordered(host, order.run, &self.versions()).await?;
        let undo = self.undo();
        if !self.checks().is_empty() || undo.is_some() {
            let update = Unsettled {
                run: self.origin,
                health: health.clone(),
            };
            rollback::begin(host, &update).await?;
        }
        // Only now: what never begins is no reason to forget what did.
        if let Some(undo) = undo.filter(|_| !is_known) {
            undo.forget_former().await?;
        }
        Ok(health)
    }

    /// Forgets what was kept for this update, since nothing is begun, unless an attempt before has begun
    /// something.
    ///
    /// # Errors
    /// When the guest cannot be asked.
    pub(crate) async fn forget(&self, kept: &Preserved) -> Result<(), Failure> {
        match self.undo().filter(|_| kept.is_new) {
            Some(undo) => undo.forget().await,
            None => Ok(()),
        }
    }

    /// Nothing is begun when the maintenance window has closed.
    pub(crate) fn must_be_in_time(&self) -> Result<(), Failure> {
        match self.order.begin_before {
            Some(closes) if self.context.clock.now() >= closes => {
                let message = format!(
                    "the maintenance window of {} closed at {closes:.0}, before anything was begun; \
                     it is tried again when the next one opens",
                    self.order.guest
                );
                let class = FailureClass::Transient;
                Err(Failure::new(class, WINDOW_CLOSED, message))
            }
            _ => Ok(()),
        }
    }

    /// Keeps what is needed to put the guest back, where that is wanted.
    async fn keep(
        &self,
        source: &Source,
        index: &PackagesIndex,
        demands: &Demands,
    ) -> Result<Option<Preserved>, Failure> {
        let Some(undo) = self.undo() else {
            return Ok(None);
        };
        // Of what lies in a store nobody knows whether it is signed as the guest demands it, and what was
        // fetched goes.
        let is_open = source.remote().is_none() && !demands.requires;
        let store = is_open.then(|| (source.folder(), index));
        undo.preserve(self.order, store).await.map(Some)
    }

    /// Proof before the guest is touched; where it fails, with the reasons.
    async fn prove(&self, store: &Path, index: &PackagesIndex) -> Result<(), Failure> {
        let line = command::plan_binaries(&self.set());
        let (failure, plan) = match self.plan(line, &[("PKGDIR", store)]).await {
            Ok((plan, status)) => match proof::prove(self.order, &plan, status) {
                Ok(()) => return self.must_be_wanted().await,
                Err(failure) => (failure, Some(plan)),
            },
            // So it answers a binary whose flags are not those that the guest wants.
            Err(failure) if failure.cause == emerge::PLAN_REFUSED => {
                (proof::failed(&[failure.message]), None)
            }
            Err(failure) => return Err(failure),
        };
        Err(self.explained(failure, plan.as_ref(), index).await)
    }

    /// An agent takes its guest's word for what is wanted, and not that of whoever orders.
    async fn must_be_wanted(&self) -> Result<(), Failure> {
        if !self.only_what_is_wanted {
            return Ok(());
        }
        let (plan, _) = self.plan(self.world(), &[]).await?;
        wanted::all_wanted(self.order, &plan)
    }

    /// A failed proof with the reasons that the guest's own plan tells. Where that cannot be had the
    /// failure stands as it is: it is true without them.
    async fn explained(
        &self,
        mut failure: Failure,
        plan: Option<&Plan>,
        index: &PackagesIndex,
    ) -> Failure {
        match self.plan(self.world(), &[]).await {
            Ok((wanted, _)) => {
                for reason in explain::reasons(self.order, plan, &wanted, index) {
                    failure.message.push_str("; ");
                    failure.message.push_str(&reason);
                }
            }
            Err(error) => tracing::warn!(
                guest.name = %self.order.guest,
                "why the proof failed cannot be told: {error}"
            ),
        }
        failure
    }
}
