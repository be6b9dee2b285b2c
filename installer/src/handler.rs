//! The order of steps of one installation.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use gentoo_updater_bus::worker::Handler;
use gentoo_updater_fleet::config::{Depclean, RestartServices, StoreAccess};
use gentoo_updater_fleet::message::{
    Command, Event, Failure, FailureClass, Finding, FindingKind, GuestUpdated, InstallFailed,
    InstallPackages, PackageChange, Role,
};
use gentoo_updater_hosts::Host;
use gentoo_updater_hosts::job::JobOutcome;
use gentoo_updater_portage::command::{self, CommandLine};
use gentoo_updater_portage::cpv::{Cpv, ExactPackage};
use gentoo_updater_portage::outcome;
use gentoo_updater_portage::packages_index::PackagesIndex;
use gentoo_updater_portage::plan::Plan;
use gentoo_updater_runtime::{Context, emerge, jobs, sweep, vdb, wrong_command};

use crate::aftermath::{self, Restarts};
use crate::remote::Remote;
use crate::stop_watch::StopWatch;
use crate::store::Source;
use crate::unneeded::{self, Limits};
use crate::{before, explain, proof, store, verify, wanted};

/// Installs on guests.
pub(crate) struct InstallHandler {
    context: Context,
    /// Whether nothing is installed but what the guest's own plan asks for by now.
    only_what_is_wanted: bool,
}

/// What came of an installation that was begun.
struct Installed {
    changes: Vec<PackageChange>,
    findings: Vec<Finding>,
    failure: Option<Failure>,
}

impl InstallHandler {
    pub(crate) fn new(context: Context, only_what_is_wanted: bool) -> Self {
        Self {
            context,
            only_what_is_wanted,
        }
    }

    async fn install(
        &self,
        order: &InstallPackages,
        begun: &AtomicBool,
    ) -> Result<Installed, Failure> {
        let policy = &self.context.settings.policy;
        let mut watch = StopWatch::start();
        let host = self.context.machines.guest(&order.guest).await?;
        let host = host.as_ref();
        let set: Vec<ExactPackage> = order
            .packages
            .iter()
            .map(|package| ExactPackage {
                cpv: package.binary.cpv.clone(),
                build_id: Some(package.binary.build_id),
            })
            .collect();
        let description = jobs::Description::new(
            format!("install-{}", order.run),
            format!("install-{}.log", order.guest),
            order.run,
        );
        let source = self.source(order)?;
        let store = source.folder();
        let before = vdb::installed_before(host, order.run, Role::Installer).await?;
        // What was begun cannot be proved any more; it is attached to, and then looked at.
        let mut line = command::install_binaries(&set);
        if jobs::is_known(host, &description).await? {
            begun.store(true, Ordering::Relaxed);
        } else {
            let fetched_into = source.remote().map(|_| store);
            let demands = before::check(host, order, fetched_into).await?;
            if let Some(remote) = source.remote() {
                remote.introduce(host, order, &demands).await?;
            }
            let patience = policy.store_wait;
            let index = store::wait_until_complete(host, &source, order, patience).await?;
            before::check_signatures(host, order, store, &demands).await?;
            if !demands.requires
                && order
                    .packages
                    .iter()
                    .any(|it| it.binary.signed_by.is_some())
            {
                // Portage checks what is signed even where nobody asks for that, and would fail where
                // nobody taught it the keys.
                line = line.with_features(["binpkg-ignore-signature"]);
            }
            self.prove(host, order, &set, store, &index).await?;
        }
        let proof_ms = watch.lap_ms();
        let ordered: Vec<Cpv> = set.iter().map(|package| package.cpv.clone()).collect();
        vdb::note_ordered(host, order.run, &ordered).await?;
        let program =
            emerge::in_own_environment(line, &[("PKGDIR", store)]).timeout(policy.install_timeout);
        begun.store(true, Ordering::Relaxed);
        let ended = jobs::run(host, &description, program).await?;
        let transaction_ms = watch.lap_ms();
        if matches!(ended.outcome, JobOutcome::Killed(_) | JobOutcome::Vanished) {
            // The next attempt proves what is left of the set, and installs it.
            jobs::forget(host, &description).await?;
            return Err(interrupted(order, &ended));
        }
        let after = vdb::installed(host).await?;
        let missing = verify::missing(order, &after);
        let outcome = outcome::parse(&ended.log, exit_code(&ended.outcome));
        let failed: Vec<String> = outcome.failures.iter().map(ToString::to_string).collect();
        let log_path = format!("{}:{}", order.guest, ended.log_path);
        let with_log = |failure: Failure| {
            failure.with_log(outcome::last_lines(&ended.log, 25), log_path.clone())
        };
        let failure = if !missing.is_empty() {
            let failure = verify::incomplete(&missing, &failed);
            let failure =
                before::refused_in(&ended.log, order).map_or(failure.clone(), |refusal| Failure {
                    cause: refusal.cause,
                    message: format!("{}; {}", failure.message, refusal.message),
                    ..failure
                });
            Some(with_log(failure))
        } else if ended.outcome != JobOutcome::Exited(0) {
            let message = format!(
                "everything is installed, and emerge still reports trouble: {}",
                if failed.is_empty() {
                    "see its log".to_owned()
                } else {
                    failed.join("; ")
                }
            );
            let failure = Failure::new(FailureClass::Permanent, "InstalledWithTrouble", message);
            Some(with_log(failure))
        } else {
            None
        };
        let (unneeded, after) = self.unneeded(host, order, after, failure.is_none()).await?;
        let mut findings = self.afterwards(host, order, failure.is_none()).await?;
        findings.extend(unneeded);
        findings.extend(self.look_again(host, order).await?);
        sweep::machine(host, None).await?;
        tracing::info!(
            run.id = %order.run,
            guest.name = %order.guest,
            packages = set.len(),
            proof_ms,
            transaction_ms,
            verification_ms = watch.lap_ms(),
            "the installation was carried out and looked at"
        );
        Ok(Installed {
            changes: vdb::changes(&before, &after),
            findings,
            failure,
        })
    }

    /// Proof before the guest is touched; where it fails, with the reasons.
    async fn prove(
        &self,
        host: &dyn Host,
        order: &InstallPackages,
        set: &[ExactPackage],
        store: &Path,
        index: &PackagesIndex,
    ) -> Result<(), Failure> {
        let line = command::plan_binaries(set);
        let (failure, plan) = match self.plan(host, line, &[("PKGDIR", store)]).await {
            Ok((plan, status)) => match proof::prove(order, &plan, status) {
                Ok(()) => return self.must_be_wanted(host, order).await,
                Err(failure) => (failure, Some(plan)),
            },
            // So it answers a binary whose flags are not those that the guest wants.
            Err(failure) if failure.cause == emerge::PLAN_REFUSED => {
                (proof::failed(&[failure.message]), None)
            }
            Err(failure) => return Err(failure),
        };
        Err(self
            .explained(host, order, failure, plan.as_ref(), index)
            .await)
    }

    /// An agent takes its guest's word for what is wanted, and not that of whoever orders.
    async fn must_be_wanted(
        &self,
        host: &dyn Host,
        order: &InstallPackages,
    ) -> Result<(), Failure> {
        if !self.only_what_is_wanted {
            return Ok(());
        }
        let (plan, _) = self.plan(host, self.world(order), &[]).await?;
        wanted::all_wanted(order, &plan)
    }

    /// A failed proof with the reasons that the guest's own plan tells. Where that cannot be had the
    /// failure stands as it is: it is true without them.
    async fn explained(
        &self,
        host: &dyn Host,
        order: &InstallPackages,
        mut failure: Failure,
        plan: Option<&Plan>,
        index: &PackagesIndex,
    ) -> Failure {
        match self.plan(host, self.world(order), &[]).await {
            Ok((wanted, _)) => {
                for reason in explain::reasons(order, plan, &wanted, index) {
                    failure.message.push_str("; ");
                    failure.message.push_str(&reason);
                }
            }
            Err(error) => tracing::warn!(
                guest.name = %order.guest,
                "why the proof failed cannot be told: {error}"
            ),
        }
        failure
    }

    /// The question what the guest's own plan asks for.
    fn world(&self, order: &InstallPackages) -> CommandLine {
        let guest = self.context.settings.guests.get(&order.guest);
        command::plan_world(guest.is_some_and(|guest| guest.build_dependencies))
    }

    /// What an administrator has to know, and the restarts that the policy wants. As with the plan
    /// below, what was installed is not less installed because this cannot be told.
    async fn afterwards(
        &self,
        host: &dyn Host,
        order: &InstallPackages,
        is_complete: bool,
    ) -> Result<Vec<Finding>, Failure> {
        let settings = &self.context.settings;
        let guest = settings.guests.get(&order.guest);
        let is_policy = guest.is_some_and(|g| g.restart_services == RestartServices::Restart);
        let restarts = Restarts {
            // On a half-updated guest what runs well in memory may not come up again.
            wanted: is_policy && is_complete,
            also: &settings.policy.restart_also,
        };
        told_anyway(aftermath::of(host, order, &restarts).await)
    }

    /// What nothing on the guest needs any more, and what is installed once the policy has had its
    /// way with it. On a half-updated guest nothing is removed.
    async fn unneeded(
        &self,
        host: &dyn Host,
        order: &InstallPackages,
        installed: vdb::Installed,
        is_complete: bool,
    ) -> Result<(Vec<Finding>, vdb::Installed), Failure> {
        let settings = &self.context.settings;
        let limits = Limits {
            question: settings.policy.scan_timeout,
            removal: settings.policy.install_timeout,
        };
        let guest = settings.guests.get(&order.guest);
        let is_policy = guest.is_some_and(|guest| guest.depclean == Depclean::Remove);
        let told = async {
            let before = unneeded::packages(host, order.run, &limits).await?;
            if !(is_policy && is_complete) {
                return Ok(unneeded::finding(&before).into_iter().collect());
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
    async fn look_again(
        &self,
        host: &dyn Host,
        order: &InstallPackages,
    ) -> Result<Vec<Finding>, Failure> {
        match self.plan(host, self.world(order), &[]).await {
            Ok((plan, status)) => Ok(verify::still_pending(&plan, status, &order.held)),
            Err(failure) if failure.class == FailureClass::Permanent => {
                let text = format!("what is still pending is not known: {}", failure.message);
                Ok(vec![Finding::new(FindingKind::StillPending, &text)])
            }
            Err(failure) => Err(failure),
        }
    }

    fn source(&self, order: &InstallPackages) -> Result<Source, Failure> {
        let settings = &self.context.settings;
        let Some(platform) = settings.platforms.get(&order.platform) else {
            let message = format!(
                "this installer's configuration names no platform {}; give all workers the same \
                 file",
                order.platform
            );
            return Err(Failure::new(
                FailureClass::Permanent,
                "PlatformUnknown",
                message,
            ));
        };
        let guest = settings.guests.get(&order.guest);
        let is_mounted = guest.is_none_or(|guest| guest.store == StoreAccess::Mount);
        match &platform.url {
            Some(url) if !is_mounted => Ok(Source::Remote(Remote::new(
                url.clone(),
                platform.url_ca.clone(),
                settings.policy.install_timeout,
            ))),
            _ => Ok(Source::Mounted(platform.store.clone())),
        }
    }

    /// Removes what was fetched for an installation, unless another attempt goes on with it.
    async fn tidy(&self, order: &InstallPackages, installed: &Result<Installed, Failure>) {
        let is_over = match installed {
            Ok(_) => true,
            Err(failure) => failure.class == FailureClass::Permanent,
        };
        let is_remote = self
            .source(order)
            .is_ok_and(|source| source.remote().is_some());
        if !is_over || !is_remote {
            return;
        }
        match self.context.machines.guest(&order.guest).await {
            Ok(host) => Remote::clear(host.as_ref(), order).await,
            // It is gone; what it has goes with the next order.
            Err(failure) => tracing::warn!(guest.name = %order.guest, "{failure}"),
        }
    }

    async fn plan(
        &self,
        host: &dyn Host,
        line: CommandLine,
        variables: &[(&str, &Path)],
    ) -> Result<(Plan, i32), Failure> {
        let timeout = self.context.settings.policy.scan_timeout;
        let command = emerge::in_own_environment(line, variables).timeout(timeout);
        emerge::ask_for_plan(host, &command).await
    }
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

fn interrupted(order: &InstallPackages, ended: &jobs::Ended) -> Failure {
    let message = format!(
        "the installation on {} ended without an exit code: it was killed, or the machine restarted",
        order.guest
    );
    Failure::new(FailureClass::Transient, "InstallVanished", message).with_log(
        outcome::last_lines(&ended.log, 25),
        format!("{}:{}", order.guest, ended.log_path),
    )
}

fn exit_code(outcome: &JobOutcome) -> i32 {
    match outcome {
        JobOutcome::Exited(code) => *code,
        JobOutcome::Killed(_) | JobOutcome::Vanished => -1,
    }
}

#[async_trait]
impl Handler for InstallHandler {
    async fn handle(&self, command: &Command) -> Event {
        let Command::InstallPackages(order) = command else {
            return self.failed(command, wrong_command(command));
        };
        let (run, guest, attempt) = (order.run, order.guest.clone(), order.attempt);
        let begun = AtomicBool::new(false);
        let installed = self.install(order, &begun).await;
        self.tidy(order, &installed).await;
        match installed {
            Ok(Installed {
                changes,
                findings,
                failure: None,
            }) => {
                let held = order.held.clone();
                Event::GuestUpdated(GuestUpdated {
                    run,
                    guest,
                    attempt,
                    changes,
                    held,
                    findings,
                })
            }
            Ok(Installed {
                changes,
                findings,
                failure: Some(failure),
            }) => {
                let held = order.held.clone();
                Event::InstallFailed(InstallFailed {
                    run,
                    guest,
                    attempt,
                    failure,
                    begun: true,
                    changes,
                    held,
                    findings,
                    rolled_back: None,
                })
            }
            Err(failure) => match order.failed(failure) {
                Event::InstallFailed(failed) => Event::InstallFailed(InstallFailed {
                    begun: begun.into_inner(),
                    ..failed
                }),
                event => event,
            },
        }
    }

    fn failed(&self, command: &Command, failure: Failure) -> Event {
        command.failed(None, failure)
    }
}
