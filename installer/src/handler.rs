//! The order of steps of one installation.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use gentoo_updater_bus::worker::Handler;
use gentoo_updater_fleet::message::{
    Command, Event, Failure, FailureClass, Finding, GuestUpdated, InstallFailed, InstallPackages,
    PackageChange, Role, RolledBack,
};
use gentoo_updater_fleet::name::RunId;
use gentoo_updater_hosts::Host;
use gentoo_updater_hosts::job::JobOutcome;
use gentoo_updater_portage::command;
use gentoo_updater_portage::outcome;
use gentoo_updater_runtime::{Context, emerge, jobs, sweep, vdb, wrong_command};

use crate::health::Health;
use crate::installation::Installation;
use crate::prepare::Prepared;
use crate::remote::Remote;
use crate::rollback::{self, Unsettled};
use crate::settle::Settled;
use crate::stop_watch::StopWatch;
use crate::store::Source;
use crate::{before, verify};

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
    rolled_back: Option<RolledBack>,
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
        let host = self.context.machines.guest(&order.guest).await?;
        let host = host.as_ref();
        let unsettled = rollback::unsettled(host).await?;
        let origin = unsettled.as_ref().map_or(order.run, |update| update.run);
        let it = self.installation(host, order, origin);
        let had = vdb::installed_before(host, order.run, Role::Installer).await?;
        let settled = match it.condemned().await? {
            Some(undone) => {
                begun.store(true, Ordering::Relaxed);
                undone
            }
            None => {
                let (health, failure) = self.carry_out(&it, unsettled, begun).await?;
                it.settle(&health, &had, failure).await?
            }
        };
        rollback::settled(host).await?;
        sweep::machine(host, None).await?;
        let Settled {
            installed,
            findings,
            failure,
            rolled_back,
        } = settled;
        Ok(Installed {
            changes: vdb::changes(&had, &installed),
            findings,
            failure,
            rolled_back,
        })
    }

    fn installation<'a>(
        &'a self,
        host: &'a dyn Host,
        order: &'a InstallPackages,
        origin: RunId,
    ) -> Installation<'a> {
        Installation {
            context: &self.context,
            host,
            order,
            only_what_is_wanted: self.only_what_is_wanted,
            origin,
        }
    }

    /// The transaction and all that comes before it: how the guest was before it, and what did not go well.
    /// What was begun cannot be proved any more; it is attached to.
    async fn carry_out(
        &self,
        it: &Installation<'_>,
        unsettled: Option<Unsettled>,
        begun: &AtomicBool,
    ) -> Result<(Health, Option<Failure>), Failure> {
        let (host, order) = (it.host, it.order);
        if order.packages.is_empty() {
            // There is nothing to install, and an update to be looked at that nobody has.
            return Ok((
                unsettled.map_or_else(Health::new, |update| update.health),
                None,
            ));
        }
        let mut watch = StopWatch::start();
        let source = it.source()?;
        let description = it.description();
        let is_known = jobs::is_known(host, &description).await?;
        let Prepared { line, preserved } = if is_known {
            begun.store(true, Ordering::Relaxed);
            let line = command::install_binaries(&it.set());
            let preserved = None;
            Prepared { line, preserved }
        } else {
            it.prepare(&source).await?
        };
        let health = match it.begin(unsettled, is_known).await {
            Ok(health) => health,
            Err(failure) => {
                if let Some(kept) = &preserved {
                    it.forget(kept).await?;
                }
                return Err(failure);
            }
        };
        let proof_ms = watch.lap_ms();
        let program = emerge::in_own_environment(line, &[("PKGDIR", source.folder())])
            .timeout(self.context.settings.policy.install_timeout);
        begun.store(true, Ordering::Relaxed);
        let ended = match jobs::run(host, &description, program).await {
            Ok(ended) => ended,
            // It is over, and what it has done by then is to be looked at.
            Err(failure) if failure.is_time_out() => return Ok((health, Some(failure))),
            Err(failure) => return Err(failure),
        };
        tracing::info!(
            guest.name = %order.guest,
            packages = order.packages.len(),
            proof_ms,
            transaction_ms = watch.lap_ms(),
            "the transaction has ended"
        );
        if matches!(ended.outcome, JobOutcome::Killed(_) | JobOutcome::Vanished) {
            // The next attempt proves what is left of the set, and installs it.
            jobs::forget(host, &description).await?;
            return Err(interrupted(order, &ended));
        }
        let installed = vdb::installed(host).await?;
        Ok((health, failure_of(order, &installed, &ended)))
    }

    /// Removes what was fetched for an installation, unless another attempt goes on with it.
    async fn tidy(&self, order: &InstallPackages, installed: &Result<Installed, Failure>) {
        let is_over = match installed {
            Ok(_) => true,
            Err(failure) => failure.class == FailureClass::Permanent,
        };
        if !is_over {
            return;
        }
        match self.context.machines.guest(&order.guest).await {
            Ok(host) => {
                let it = self.installation(host.as_ref(), order, order.run);
                if it
                    .source()
                    .is_ok_and(|source| matches!(source, Source::Remote(_)))
                {
                    Remote::clear(host.as_ref(), order).await;
                }
            }
            // It is gone; what it has goes with the next order.
            Err(failure) => tracing::warn!(guest.name = %order.guest, "{failure}"),
        }
    }
}

/// What emerge did not do well, by what is installed now and what it said.
fn failure_of(
    order: &InstallPackages,
    installed: &vdb::Installed,
    ended: &jobs::Ended,
) -> Option<Failure> {
    let missing = verify::missing(order, installed);
    let outcome = outcome::parse(&ended.log, exit_code(&ended.outcome));
    let failed: Vec<String> = outcome.failures.iter().map(ToString::to_string).collect();
    let failure = if !missing.is_empty() {
        let failure = verify::incomplete(&missing, &failed);
        match before::refused_in(&ended.log, order) {
            Some(refusal) => Failure {
                cause: refusal.cause,
                message: format!("{}; {}", failure.message, refusal.message),
                ..failure
            },
            None => failure,
        }
    } else if ended.outcome != JobOutcome::Exited(0) {
        let message = format!(
            "everything is installed, and emerge still reports trouble: {}",
            if failed.is_empty() {
                "see its log".to_owned()
            } else {
                failed.join("; ")
            }
        );
        Failure::new(FailureClass::Permanent, "InstalledWithTrouble", message)
    } else {
        return None;
    };
    let log_path = format!("{}:{}", order.guest, ended.log_path);
    Some(failure.with_log(outcome::last_lines(&ended.log, 25), log_path))
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
                ..
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
                rolled_back,
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
                    rolled_back,
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
