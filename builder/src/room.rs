//! Clean rooms: throw-away views of a builder's root, in which nothing that a build does reaches the
//! machine, so that several builds go on side by side and none leaves anything.
//!
//! Whether a machine can have them is tried there, by making one: overlays depend on the kernel, on
//! the file systems and on what a container may do. A machine that cannot builds one package at a
//! time on itself, and the janitor removes what that left.
//!
//! While a room is open its machine must stay as it is, for what lies below an overlay must not
//! change (the kernel's documentation of overlayfs, "Changes to underlying filesystems"). So builds
//! in rooms share the machine's lock, which everything that runs emerge on the machine itself holds
//! alone.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use gentoo_updater_fleet::config::{Builder, CleanRoom};
use gentoo_updater_fleet::message::Failure;
use gentoo_updater_fleet::name::BuilderName;
use gentoo_updater_hosts::{Command, ExitStatus, Host};
use gentoo_updater_runtime::ask;

use crate::ready::Toolchain;
use gentoo_updater_runtime::jobs::WORK;

/// What makes a room and becomes the build.
pub(crate) const INSIDE: &str = include_str!("room/inside.sh");

const PROBE: &str = include_str!("room/probe.sh");

/// How long it may take to make one room. A network file system that hangs may hold it up.
const LIMIT: Duration = Duration::from_secs(60);

/// How a machine builds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    /// In clean rooms.
    Rooms {
        /// The machine's folders that rooms have too, to write to.
        shared: Vec<PathBuf>,
    },
    /// On the machine itself.
    Machine,
}

/// What is known of the clean rooms of one builder.
pub(crate) struct Rooms {
    name: BuilderName,
    builder: Builder,
    store: PathBuf,
    work: PathBuf,
    known: Mutex<Option<Way>>,
}

impl Rooms {
    pub(crate) fn new(name: BuilderName, builder: Builder, store: PathBuf) -> Self {
        Self {
            name,
            builder,
            store,
            work: WORK.into(),
            known: Mutex::default(),
        }
    }

    /// How the machine builds, as it was found out last; it is asked where nobody did.
    ///
    /// # Errors
    /// When the machine cannot be asked.
    pub(crate) async fn way(&self, host: &dyn Host) -> Result<Way, Failure> {
        if let Some(way) = self.known() {
            return Ok(way);
        }
        let (toolchain, _) = Toolchain::ask(host, &self.name).await?;
        self.look(host, &toolchain).await
    }

    /// How many packages the machine builds at once, as far as is known.
    pub(crate) fn at_once(&self) -> u16 {
        match self.known() {
            Some(Way::Rooms { .. }) => self.builder.slots,
            Some(Way::Machine) | None => 1,
        }
    }

    /// Finds out how the machine builds, and says so where that is news.
    ///
    /// # Errors
    /// When the machine cannot be asked.
    pub(crate) async fn look(
        &self,
        host: &dyn Host,
        toolchain: &Toolchain,
    ) -> Result<Way, Failure> {
        let shared = toolchain.shared(&self.builder.environment);
        let refusal = self.refusal(host, toolchain).await?;
        let way = match &refusal {
            None => Way::Rooms { shared },
            Some(_) => Way::Machine,
        };
        if self.known() != Some(way.clone()) {
            self.tell(refusal.as_deref());
        }
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(way.clone());
        Ok(way)
    }

    fn known(&self) -> Option<Way> {
        let known = self.known.lock();
        known.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn tell(&self, refusal: Option<&str>) {
        let (name, slots) = (&self.name, self.builder.slots);
        match refusal {
            None => tracing::info!(slots, "builder {name} builds in clean rooms"),
            Some(why) if slots > 1 => tracing::warn!(
                slots,
                "builder {name} builds one package at a time and not {slots}, for it has no clean \
                 room: {why}; put that right, or set builders.{name}.slots = 1"
            ),
            Some(why) => tracing::info!(
                "builder {name} builds on the machine itself, which is cleaned afterwards: {why}"
            ),
        }
    }

    /// Why the machine is to have no clean room, or can have none.
    ///
    /// # Errors
    /// When the machine cannot be asked.
    pub(crate) async fn refusal(
        &self,
        host: &dyn Host,
        toolchain: &Toolchain,
    ) -> Result<Option<String>, Failure> {
        match self.builder.clean_room {
            CleanRoom::Never => Ok(Some("clean_room = \"never\"".to_owned())),
            CleanRoom::Auto => {
                let shared = toolchain.shared(&self.builder.environment);
                self.probe(host, &shared).await
            }
        }
    }

    /// Why no clean room can be had, if so.
    async fn probe(&self, host: &dyn Host, shared: &[PathBuf]) -> Result<Option<String>, Failure> {
        let fixed = [
            INSIDE.to_owned(),
            self.work.display().to_string(),
            self.store.display().to_string(),
        ];
        let shared = shared.iter().map(|folder| folder.display().to_string());
        let command = Command::shell("probe.sh", PROBE, fixed.into_iter().chain(shared));
        let output = ask(host, &command.timeout(LIMIT)).await?;
        if output.status == ExitStatus::Code(0) {
            return Ok(None);
        }
        let said = format!("{}\n{}", output.stdout_text(), output.stderr_text());
        let mut lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
        let said = lines.next().map(str::to_owned);
        Ok(said.or_else(|| Some(format!("making one ended with {}", output.status))))
    }
}

#[cfg(test)]
mod tests;
