//! `rollback` and `bisect`: the way back, by hand.

mod arguments;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_fleet::config::{Check, Probe, Settings};
use gentoo_updater_fleet::inspect::RunName;
use gentoo_updater_fleet::message::{
    ApprovalGiven, Event, Failure, Finding, GuestRolledBack, HoldRequested, HoldTarget, Task,
};
use gentoo_updater_fleet::name::{CheckName, GuestName, RunId};
use gentoo_updater_fleet::state::Fleet;
use gentoo_updater_hosts::Host;
use gentoo_updater_installer::{ByHand, Found, Step};
use gentoo_updater_portage::cpv::Cpv;
use gentoo_updater_runtime::{Machines, stop_on_signals};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::open::{self, Opened};
use crate::{NotThere, WrongUsage, output};

pub(crate) use arguments::{BisectOptions, RollbackOptions};

/// The time between two tries of a check that is given as a command.
const PAUSE: Duration = Duration::from_secs(2);

/// What the reason of a hold begins with that ends by itself.
pub(crate) const BY_HAND: &str = "by hand: ";

/// The document of `rollback --json`.
#[derive(Debug, Serialize)]
struct RollbackDocument {
    /// The guest.
    guest: GuestName,
    /// The run before which it was as it is now.
    run: RunId,
    /// What the run had brought and is gone again; none where the guest had what it had before already.
    packages: Vec<Cpv>,
    /// What its administrator has to know now: what was restarted, and what is to be.
    findings: Vec<Finding>,
    /// The checks of the guest that fail now, each with what is wrong.
    failing: BTreeMap<CheckName, String>,
}

/// The document of `bisect --json`.
#[derive(Debug, Serialize)]
struct BisectDocument {
    /// The guest.
    guest: GuestName,
    /// The run whose update was searched.
    run: RunId,
    /// What came of it.
    #[serde(flatten)]
    done: Found,
}

/// A guest, and the bus to say what became of it.
struct At<'a> {
    settings: &'a Settings,
    guest: &'a GuestName,
    host: Arc<dyn Host>,
    opened: Opened,
    view: FleetView,
}

/// Puts a guest back to what it had before a run.
pub(crate) async fn rollback(
    settings: &Arc<Settings>,
    options: &RollbackOptions,
) -> anyhow::Result<u8> {
    let at = At::open(settings, &options.guest).await?;
    let done = at
        .alone("rollback", at.rollback(options.run.as_ref()))
        .await;
    at.opened.bus.close().await;
    let document = done?;
    if options.json {
        output::print_json(&document)?;
    } else {
        let (guest, run) = (&document.guest, document.run);
        let packages = &document.packages;
        print(&words::rolled_back(
            guest,
            run,
            packages,
            &document.findings,
        ))?;
    }
    let failing = words::failing(&document.failing);
    eprint!("{}", output::harmless(&failing));
    Ok(match failing.is_empty() {
        true => crate::EXIT_DONE,
        false => crate::EXIT_WITH_FAILURES,
    })
}

/// Finds the package of an update that breaks a check.
pub(crate) async fn bisect(
    settings: &Arc<Settings>,
    options: &BisectOptions,
) -> anyhow::Result<u8> {
    let check = check(settings, options)?;
    let at = At::open(settings, &options.guest).await?;
    let done = at.alone("bisect", at.bisect(options, &check)).await;
    at.opened.bus.close().await;
    let document = done?;
    if options.json {
        output::print_json(&document)?;
    } else {
        print(&words::found(&document.guest, &document.done))?;
    }
    Ok(match document.done.culprits.is_empty() {
        true => crate::EXIT_WITH_FAILURES,
        false => crate::EXIT_DONE,
    })
}

/// The check of this name, or one that is this command.
fn check(settings: &Settings, options: &BisectOptions) -> anyhow::Result<Check> {
    let mut named = settings.checks.values();
    if let Some(check) = named.find(|check| check.name.as_str() == options.check) {
        return Ok(check.clone());
    }
    let name = "command"
        .parse()
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    Ok(Check {
        name,
        probe: Probe::Command(options.check.clone()),
        timeout: Duration::from_secs(options.timeout),
        tries: options.tries,
        pause: PAUSE,
        steady: Duration::ZERO,
    })
}

impl<'a> At<'a> {
    async fn open(settings: &'a Arc<Settings>, guest: &'a GuestName) -> anyhow::Result<Self> {
        settings
            .guest(guest)
            .map_err(|error| WrongUsage(error.to_string()))?;
        let opened = open::to_say(settings).await?;
        let view = FleetView::follow(opened.bus.clone(), CancellationToken::new()).await?;
        let host = Machines::new(settings.clone()).guest(guest).await;
        let host = host.map_err(|failure| said(&failure))?;
        Ok(Self {
            settings,
            guest,
            host,
            opened,
            view,
        })
    }

    fn by_hand(&self) -> anyhow::Result<ByHand<'_>> {
        let policy = &self.settings.policy;
        Ok(ByHand {
            host: self.host.as_ref(),
            guest: self.guest,
            timeout: policy.install_timeout,
            unreachable: policy.unreachable,
            restart_services: self.settings.guest(self.guest)?.restart_services,
            restart_also: &policy.restart_also,
        })
    }

    async fn rollback(&self, name: Option<&RunName>) -> anyhow::Result<RollbackDocument> {
        let by_hand = self.by_hand()?;
        let run = self.run(&by_hand, name).await?;
        let packages = by_hand.brought(run).await;
        let packages = packages.map_err(|failure| said(&failure))?;
        // Before the first change: whatever comes of it, nobody wants these back at once.
        if !packages.is_empty() {
            self.say(run, packages.clone(), false).await?;
        }
        let findings = by_hand.roll_back(run).await;
        let findings = findings.map_err(|failure| said(&failure))?;
        let checks = &self.settings.guest(self.guest)?.checks;
        let failing = by_hand.wrong(checks).await;
        let failing = failing.map_err(|failure| said(&failure))?;
        Ok(RollbackDocument {
            guest: self.guest.clone(),
            run,
            packages,
            findings,
            failing,
        })
    }

    async fn bisect(
        &self,
        options: &BisectOptions,
        check: &Check,
    ) -> anyhow::Result<BisectDocument> {
        let by_hand = self.by_hand()?;
        let run = self.run(&by_hand, options.run.as_ref()).await?;
        let mut told = |step: &Step| eprintln!("{}", output::harmless(&words::step(step)));
        let done = by_hand.bisect(run, check, &mut told).await;
        let done = done.map_err(|failure| said(&failure))?;
        if !done.culprits.is_empty() {
            self.say(run, done.culprits.clone(), true).await?;
        }
        Ok(BisectDocument {
            guest: self.guest.clone(),
            run,
            done,
        })
    }

    /// The run that is meant: the guest must have kept what it had before it. The last one begins with the
    /// first of its rounds.
    async fn run(&self, by_hand: &ByHand<'_>, name: Option<&RunName>) -> anyhow::Result<RunId> {
        let kept = by_hand.runs().await.map_err(|failure| said(&failure))?;
        let is_meant = |run: &&RunId| name.is_none_or(|name| name.is(**run));
        let Some(mut run) = kept.iter().rev().find(is_meant) else {
            let words = words::nothing_kept(self.guest, name.is_some(), &kept);
            return Err(NotThere(words).into());
        };
        if name.is_none() {
            let before = |run: &RunId| self.view.read(|fleet| fleet.runs.get(run)?.follows);
            let is_kept = |follows: RunId| kept.iter().find(|run| **run == follows);
            while let Some(first) = before(run).and_then(is_kept) {
                run = first;
            }
        }
        Ok(*run)
    }

    /// Does something while nobody else works on the guest: no run begins anything there, and none has.
    async fn alone<T>(
        &self,
        what: &str,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        let target = HoldTarget::Guest(self.guest.clone());
        let holds = |fleet: &Fleet| fleet.holds.get(&target).map(|hold| hold.reason.clone());
        let held = self.view.read(holds);
        if let Some(Some(reason)) = &held
            && reason.starts_with(BY_HAND)
        {
            anyhow::bail!(
                "{reason} goes on on {}, or was interrupted: `gentoo-updater approve guest {}` lets \
                 this one begin",
                self.guest,
                self.guest
            );
        }
        let own = format!("{BY_HAND}{what}");
        let stop = CancellationToken::new();
        stop_on_signals(stop.clone());
        if held.is_none() {
            let hold = HoldRequested {
                target: target.clone(),
                reason: Some(own.clone()),
            };
            self.tell(Event::HoldRequested(hold)).await?;
        }
        let done = match self.view.read(|fleet| installing(fleet, self.guest)) {
            Some(run) => Err(anyhow::anyhow!(
                "run {run} installs on {} at this moment: try again when it is over; `gentoo-updater \
                 status` shows it",
                self.guest
            )),
            None => tokio::select! {
                done = work => done,
                () = stop.cancelled() => return Err(interrupted(what, self.guest)),
            },
        };
        // What is not held any more an approval would free, and what another operator holds stays held.
        if held.is_none() && self.view.read(holds) == Some(Some(own)) {
            self.tell(Event::ApprovalGiven(ApprovalGiven { target }))
                .await?;
        }
        done
    }

    async fn say(&self, run: RunId, packages: Vec<Cpv>, proven: bool) -> anyhow::Result<()> {
        let platform = self.settings.guest(self.guest)?.platform.clone();
        self.tell(Event::GuestRolledBack(GuestRolledBack {
            run,
            guest: self.guest.clone(),
            platform,
            packages,
            proven,
        }))
        .await
    }

    async fn tell(&self, event: Event) -> anyhow::Result<()> {
        let envelope = open::operator()?.say(event);
        open::say(&self.view, &self.opened, &envelope).await
    }
}

/// What is to be done when it was interrupted. The guest stays held until then.
fn interrupted(what: &str, guest: &GuestName) -> anyhow::Error {
    anyhow::anyhow!(
        "{what} was interrupted: {guest} may have a part of the update, and what is being installed goes \
         on to its end. `gentoo-updater approve guest {guest}` and then `gentoo-updater rollback {guest}` \
         put it back"
    )
}

/// The run that installs on a guest at this moment.
fn installing(fleet: &Fleet, guest: &GuestName) -> Option<RunId> {
    let task = Task::Install(guest.clone());
    let is_installing = |run: &&gentoo_updater_fleet::state::Run| {
        let state = run.tasks.get(&task);
        state.is_some_and(|state| state.outcome.is_none() && state.newest().is_some())
    };
    fleet.unfinished().find(is_installing).map(|run| run.id)
}

fn said(failure: &Failure) -> anyhow::Error {
    let tail = failure.log_tail.join("\n");
    match tail.as_str() {
        "" => anyhow::anyhow!("{failure}"),
        tail => anyhow::anyhow!("{failure}\n{tail}"),
    }
}

fn print(text: &str) -> anyhow::Result<()> {
    let text = output::harmless(text);
    output::print(|output| output.write_all(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use gentoo_updater_fleet::message::FindingKind;

    use super::*;
    use crate::testing::golden;

    fn cpv(text: &str) -> Cpv {
        text.parse().unwrap()
    }

    fn document(culprits: &[&str]) -> BisectDocument {
        let step = |updated: &[&str], wrong: Option<&str>| Step {
            updated: updated.iter().map(|text| cpv(text)).collect(),
            well: wrong.is_none(),
            wrong: wrong.map(str::to_owned),
        };
        BisectDocument {
            guest: "web".parse().unwrap(),
            run: "00000000-0000-7000-8000-000000000001".parse().unwrap(),
            done: Found {
                packages: 2,
                found: step(&["a/a-2", "a/b-2"], Some("it ended with 1")),
                steps: vec![step(&[], None), step(&["a/a-2"], None)],
                culprits: culprits.iter().map(|text| cpv(text)).collect(),
            },
        }
    }

    #[test]
    fn what_came_of_it_is_told_to_programs() {
        golden("bisect", &document(&["a/b-2"]));
        let document = RollbackDocument {
            guest: "web".parse().unwrap(),
            run: "00000000-0000-7000-8000-000000000001".parse().unwrap(),
            packages: vec![cpv("a/a-2")],
            findings: vec![Finding::new(
                FindingKind::ServiceRestarted,
                "nginx was restarted, and runs",
            )],
            failing: [("page".parse().unwrap(), "it ended with 1".to_owned())].into(),
        };
        golden("rollback", &document);
    }

    #[test]
    fn people_hear_what_is_to_blame_and_what_to_do() {
        let told = |culprits: &[&str]| {
            let document = document(culprits);
            words::found(&document.guest, &document.done)
        };
        let one = told(&["a/b-2"]);
        assert!(
            one.starts_with("To blame is a/b-2, found in 2 steps among 2 packages.\n"),
            "{one}"
        );
        assert!(
            one.contains("gentoo-updater approve package =a/b-2"),
            "{one}"
        );
        let two = told(&["a/a-2", "a/b-2"]);
        assert!(
            two.contains("which only go together") && two.contains("approve guest web"),
            "{two}"
        );
        let none = told(&[]);
        assert!(
            none.contains("not to blame: the check goes well with all"),
            "{none}"
        );
        let mut document = document(&[]);
        document.done.steps[0] = Step {
            updated: Vec::new(),
            well: false,
            wrong: Some("it ended with 1".to_owned()),
        };
        let none = words::found(&document.guest, &document.done);
        assert!(none.contains("fails without the update, too"), "{none}");
        assert_eq!(
            words::step(&document.done.found),
            "with 2 packages of the update, the last one a/b-2: it ended with 1"
        );
    }
}
