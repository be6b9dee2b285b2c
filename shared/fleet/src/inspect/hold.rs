//! What an operator can hold and approve.

use std::collections::BTreeSet;

use gentoo_updater_portage::atom::Atom;
use gentoo_updater_portage::cpv::Cpv;

use super::near::nearest;
use super::run_name::RunName;
use crate::config::Settings;
use crate::message::{HoldTarget, Update};
use crate::name::{GuestName, RunId, WaveName};
use crate::needs::speaks_of;
use crate::state::{Fleet, Run};

/// What kind of thing is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldKind {
    /// A run.
    Run,
    /// A wave.
    Wave,
    /// A guest.
    Guest,
    /// Packages.
    Package,
}

/// Why nothing is held or approved by this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownHold {
    /// There is no such run, or it is over.
    #[error("no run {0} goes on; `gentoo-updater status` shows the one that does")]
    NoRun(String),
    /// There is no such wave.
    #[error("there is no wave {text}; {}", waves_hint(near))]
    NoWave {
        /// The name.
        text: String,
        /// Those that may be meant.
        near: Vec<String>,
    },
    /// There is no such guest.
    #[error("{0}")]
    NoGuest(String),
    /// It is no atom.
    #[error(
        "{text:?} names no package: {cause}; write dev-libs/openssl, or >=dev-libs/openssl-3.5"
    )]
    NoAtom {
        /// The text.
        text: String,
        /// Why.
        cause: String,
    },
}

fn waves_hint(near: &[String]) -> String {
    match near {
        [] => "[rollout] of the configuration names none".to_owned(),
        near => format!("did you mean {}?", near.join(" or ")),
    }
}

/// What this name means. Waves are those of the configuration and of the runs that go on.
///
/// # Errors
/// [`UnknownHold`], with names that are like it.
pub fn hold_target(
    kind: HoldKind,
    text: &str,
    fleet: &Fleet,
    settings: &Settings,
) -> Result<HoldTarget, UnknownHold> {
    match kind {
        HoldKind::Run => {
            let name: Option<RunName> = text.parse().ok();
            let run = name.as_ref().and_then(|name| name.find(fleet));
            let run = run.filter(|run| run.finished.is_none());
            let run = run.ok_or_else(|| UnknownHold::NoRun(text.to_owned()))?;
            Ok(HoldTarget::Run(run.id))
        }
        HoldKind::Wave => wave(text, fleet, settings),
        HoldKind::Guest => {
            let no_guest = |words: String| UnknownHold::NoGuest(words);
            let name = text.parse().map_err(|error| no_guest(format!("{error}")))?;
            let guest = settings.guest(&name);
            guest.map_err(|error| no_guest(error.to_string()))?;
            Ok(HoldTarget::Guest(name))
        }
        HoldKind::Package => package(text),
    }
}

fn wave(text: &str, fleet: &Fleet, settings: &Settings) -> Result<HoldTarget, UnknownHold> {
    let configured = settings.rollout(settings.guests.keys());
    let configured = configured.waves.iter().map(|wave| &wave.name);
    let running = fleet.unfinished().flat_map(|run| &run.rollout.waves);
    let known: BTreeSet<&WaveName> = configured.chain(running.map(|wave| &wave.name)).collect();
    match known.iter().find(|name| name.as_str() == text) {
        Some(name) => Ok(HoldTarget::Wave((*name).clone())),
        None => {
            let near = nearest(text, known.iter().map(|name| name.as_str()));
            let (text, near) = (
                text.to_owned(),
                near.into_iter().map(str::to_owned).collect(),
            );
            Err(UnknownHold::NoWave { text, near })
        }
    }
}

/// An atom, or a package with its version as reports show it.
fn package(text: &str) -> Result<HoldTarget, UnknownHold> {
    let no_atom = |cause: String| UnknownHold::NoAtom {
        text: text.to_owned(),
        cause,
    };
    let version: Result<Cpv, _> = text.parse();
    let text = match version {
        Ok(cpv) => format!("={cpv}"),
        Err(_) => text.to_owned(),
    };
    let atom: Atom = text.parse().map_err(|error| no_atom(format!("{error}")))?;
    if atom.blocker().is_some() || !atom.use_dependencies().is_empty() {
        return Err(no_atom(
            "it must not block, and name no USE flags".to_owned(),
        ));
    }
    Ok(HoldTarget::Package(atom))
}

/// Whether something waits for this approval: a wave of a run that goes on, what a guest got that had to
/// be put back, or what a guest does not get because it cannot be undone.
pub fn waits_for_approval(fleet: &Fleet, target: &HoldTarget) -> bool {
    let mut waiting = waiting_waves(fleet);
    let is_suspect = fleet.suspects_of(target).next().is_some();
    is_suspect
        || match target {
            HoldTarget::Run(run) => waiting.any(|(of, _)| of == *run),
            HoldTarget::Wave(name) => waiting.any(|(_, wave)| wave == name),
            HoldTarget::Guest(_) => false,
            HoldTarget::Package(atom) => {
                unapproved(fleet).any(|(_, update)| speaks_of(atom, &update.key))
            }
        }
}

/// The waves that wait for an approval, each with its run.
pub(super) fn waiting_waves(fleet: &Fleet) -> impl Iterator<Item = (RunId, &WaveName)> {
    let installing = fleet.unfinished().filter(|run| !run.is_scan_only());
    installing.flat_map(|run| {
        let waves = run.rollout.waves.iter();
        let waiting =
            waves.filter(|wave| wave.needs_approval && !run.approved.contains(&wave.name));
        waiting.map(|wave| (run.id, &wave.name))
    })
}

/// What waits for an approval because it cannot be undone, in the runs that go on and in the newest one
/// with its further rounds.
pub(super) fn unapproved(fleet: &Fleet) -> impl Iterator<Item = (&GuestName, &Update)> {
    let further = |run: &&Run| fleet.runs.get(&run.id.following()).map(AsRef::as_ref);
    let newest = std::iter::successors(fleet.newest_update(), further);
    let runs = fleet.unfinished().chain(newest);
    let runs = runs.filter(|run| !run.is_scan_only());
    runs.flat_map(|run| run.unapproved(fleet))
}
