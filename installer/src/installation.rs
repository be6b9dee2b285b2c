//! One installation: what all of its steps need.

use std::path::Path;
use std::time::Duration;

use gentoo_updater_fleet::config::{Check, Guest, StoreAccess};
use gentoo_updater_fleet::message::{Failure, FailureClass, InstallPackages};
use gentoo_updater_fleet::name::RunId;
use gentoo_updater_hosts::Host;
use gentoo_updater_portage::command::{self, CommandLine};
use gentoo_updater_portage::cpv::{Cpv, ExactPackage};
use gentoo_updater_portage::plan::Plan;
use gentoo_updater_runtime::{Context, emerge, jobs};

use crate::remote::Remote;
use crate::rollback::Undo;
use crate::store::Source;

/// An order, and the guest that it is for.
pub(crate) struct Installation<'a> {
    pub(crate) context: &'a Context,
    pub(crate) host: &'a dyn Host,
    pub(crate) order: &'a InstallPackages,
    /// Whether nothing is installed but what the guest's own plan asks for by now.
    pub(crate) only_what_is_wanted: bool,
    /// The run to before which the guest is put back: this one, or one that began on it and that nobody
    /// has looked at since.
    pub(crate) origin: RunId,
}

impl Installation<'_> {
    /// What is installed, in the order of installation.
    pub(crate) fn set(&self) -> Vec<ExactPackage> {
        let exact = |package: &gentoo_updater_fleet::message::InstallPackage| ExactPackage {
            cpv: package.binary.cpv.clone(),
            build_id: Some(package.binary.build_id),
        };
        self.order.packages.iter().map(exact).collect()
    }

    /// The versions that are installed, in the order of installation.
    pub(crate) fn versions(&self) -> Vec<Cpv> {
        let packages = self.order.packages.iter();
        packages.map(|package| package.binary.cpv.clone()).collect()
    }

    /// The program that installs it.
    pub(crate) fn description(&self) -> jobs::Description {
        jobs::Description::new(
            format!("install-{}", self.order.run),
            format!("install-{}.log", self.order.guest),
            self.order.run,
        )
        .patience(self.context.settings.policy.unreachable)
    }

    /// What is configured of the guest.
    pub(crate) fn guest(&self) -> Option<&Guest> {
        self.context.settings.guests.get(&self.order.guest)
    }

    /// What shows that the guest is well.
    pub(crate) fn checks(&self) -> &[Check] {
        self.guest().map_or(&[], |guest| &guest.checks)
    }

    /// How it is undone, where the guest is to be put back when a check fails.
    pub(crate) fn undo(&self) -> Option<Undo<'_>> {
        self.guest()?.rollback.then(|| Undo {
            host: self.host,
            guest: &self.order.guest,
            run: self.origin,
            timeout: self.context.settings.policy.install_timeout,
            unreachable: self.context.settings.policy.unreachable,
        })
    }

    /// The question what the guest's own plan asks for.
    pub(crate) fn world(&self) -> CommandLine {
        command::plan_world(self.guest().is_some_and(|guest| guest.build_dependencies))
    }

    /// What Portage would do.
    ///
    /// # Errors
    /// When it cannot be asked, or gives no plan.
    pub(crate) async fn plan(
        &self,
        line: CommandLine,
        variables: &[(&str, &Path)],
    ) -> Result<(Plan, i32), Failure> {
        let timeout: Duration = self.context.settings.policy.scan_timeout;
        let command = emerge::in_own_environment(line, variables).timeout(timeout);
        emerge::ask_for_plan(self.host, &command).await
    }

    /// From where the guest has its binaries.
    ///
    /// # Errors
    /// When this installer knows no such platform.
    pub(crate) fn source(&self) -> Result<Source, Failure> {
        let settings = &self.context.settings;
        let Some(platform) = settings.platforms.get(&self.order.platform) else {
            let message = format!(
                "this installer's configuration names no platform {}; give all workers the same \
                 file",
                self.order.platform
            );
            return Err(Failure::new(
                FailureClass::Permanent,
                "PlatformUnknown",
                message,
            ));
        };
        let is_mounted = self
            .guest()
            .is_none_or(|guest| guest.store == StoreAccess::Mount);
        match &platform.url {
            Some(url) if !is_mounted => Ok(Source::Remote(Remote::new(
                url.clone(),
                platform.url_ca.clone(),
                settings.policy.install_timeout,
            ))),
            _ => Ok(Source::Mounted(platform.store.clone())),
        }
    }
}
