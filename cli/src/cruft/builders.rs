//! The builders that are asked, and what they have.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::inspect::RunName;
use gentoo_updater_fleet::message::Failure;
use gentoo_updater_fleet::name::BuilderName;
use gentoo_updater_hosts::Host;
use gentoo_updater_janitor::cruft::archives::{self, Archive, Found};
use gentoo_updater_runtime::{EXIT_COULD_NOT_RUN, Machines};
use serde::Serialize;

use crate::{WrongUsage, output};

/// The archives of builders, and why nothing can be said of others.
#[derive(Debug, Default, Serialize)]
pub(super) struct Archives {
    /// By builder, the oldest first.
    pub(super) builders: BTreeMap<BuilderName, Vec<Archive>>,
    /// Why others could not be asked, or what of their archives cannot be read.
    pub(super) failed: BTreeMap<BuilderName, String>,
}

/// The way to builders.
pub(super) struct Builders {
    machines: Machines,
    names: Vec<BuilderName>,
}

impl Builders {
    /// One builder, or all of the configuration.
    pub(super) fn of(settings: &Arc<Settings>, only: Option<&BuilderName>) -> anyhow::Result<Self> {
        if let Some(name) = only
            && !settings.builders.contains_key(name)
        {
            let known: Vec<&str> = settings.builders.keys().map(BuilderName::as_str).collect();
            let known = known.join(", ");
            let message = format!("there is no builder {name}; the configuration has {known}");
            return Err(WrongUsage(message).into());
        }
        let all = settings.builders.keys();
        Ok(Self {
            machines: Machines::new(settings.clone()),
            names: all
                .filter(|name| only.is_none_or(|only| only == *name))
                .cloned()
                .collect(),
        })
    }

    /// A builder that can be reached.
    pub(super) async fn open(&self, name: &BuilderName) -> Result<Arc<dyn Host>, Failure> {
        self.machines.builder(name).await
    }

    /// The archives that are wanted, by run.
    pub(super) async fn archives(&self, runs: &[RunName]) -> Archives {
        let asked = self.names.iter().map(|name| async move {
            let found = match self.open(name).await {
                Ok(host) => archives::list(host.as_ref()).await,
                Err(failure) => Err(failure),
            };
            (name.clone(), found)
        });
        let mut all = Archives::default();
        for (name, found) in join_all(asked).await {
            match found {
                Ok(mut found) => {
                    let is_meant =
                        |one: &Archive| runs.is_empty() || runs.iter().any(|run| run.is(one.run));
                    found.archives.retain(is_meant);
                    all.add(name, found);
                }
                Err(failure) => drop(all.failed.insert(name, failure.message)),
            }
        }
        all
    }
}

impl Archives {
    /// Adds what a builder has, where it has any, and what of it cannot be read.
    pub(super) fn add(&mut self, name: BuilderName, found: Found) {
        if !found.damaged.is_empty() {
            self.failed.insert(name.clone(), found.damaged.join("; "));
        }
        if !found.archives.is_empty() {
            self.builders.insert(name, found.archives);
        }
    }

    /// Names on standard error who could not be asked, and gives the exit code that follows.
    pub(super) fn conclude(&self, code: u8) -> u8 {
        for (builder, cause) in &self.failed {
            eprintln!("{}", output::harmless(&format!("{builder}: {cause}")));
        }
        if self.failed.is_empty() {
            code
        } else {
            EXIT_COULD_NOT_RUN
        }
    }
}
