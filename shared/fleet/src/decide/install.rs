//! What guests are to install, and when.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Decision, Order};
use crate::message::{
    Command, Event, Failure, FailureClass, GuestsLeftOut, HoldTarget, InstallPackage,
    InstallPackages, Task, WaveEnded,
};
use crate::name::GuestName;
use crate::rollout::{self, Gate, Turn, Verdict, Wait};
use crate::state::{Closing, Fleet, Guest, Progress, Run};
use crate::words::counted;

/// How many installations one decision names at most: a command says all that a guest gets, which
/// can be a megabyte, and the last job of a batch can let a whole fleet go.
const MOST_INSTALLATIONS: usize = 32;

/// The cause of guests on which nothing was begun because others have failed.
pub const BUDGET_SPENT: &str = "BudgetSpent";
/// The cause of guests that an operator holds.
pub const GUEST_HELD: &str = "GuestHeld";
/// The cause of guests whose window did not come.
pub const WINDOW_NEVER_CAME: &str = "WindowNeverCame";
/// The cause of guests that nobody approved.
pub const NOT_APPROVED: &str = "NotApproved";

/// Whether nothing more is begun in this run, because guests have failed.
pub(super) fn is_stopped(fleet: &Fleet, run: &Run) -> bool {
    let mut left_out = run
        .guests
        .values()
        .filter_map(|guest| guest.left_out.as_ref());
    // The last guest of all may have spent it.
    rollout::is_spent(fleet, run) || left_out.any(|failure| failure.cause == BUDGET_SPENT)
}

/// What the guests wait for whose wave's turn it is.
#[derive(Default)]
struct Waiting<'f> {
    /// Whether one waits for something that comes by itself, or is being worked on.
    others: bool,
    /// For the operator who holds it.
    held: BTreeSet<&'f GuestName>,
    /// For a window.
    windows: BTreeSet<&'f GuestName>,
    /// For an operator who approves or does not hold its wave or the run.
    approval: Option<HoldTarget>,
}

impl<'f> Waiting<'f> {
    fn note(&mut self, name: &'f GuestName, wait: Wait) {
        match wait {
            Wait::Held(HoldTarget::Guest(_)) => drop(self.held.insert(name)),
            Wait::Window(_) => drop(self.windows.insert(name)),
            Wait::Approval(target) | Wait::Held(target) => self.approval = Some(target),
            Wait::Wave(_) | Wait::Soak(_) | Wait::Room(_) | Wait::Builds | Wait::Budget(_) => {
                self.others = true;
            }
        }
    }
}

impl Decision<'_, '_> {
    /// A guest's set is closed, and ordered, when all that it wants is built or will never be, and when
    /// its turn has come. True when no guest is left.
    pub(super) fn install(&mut self, progress: &Progress) -> bool {
        let (run, begun) = (self.run, self.orders.len());
        let mut gate = Gate::of(self.fleet, run, self.now);
        let closing = run.closing(self.fleet);
        let mut waiting = Waiting::default();
        let (mut all, mut wave_is_over) = (true, true);
        for (name, guest) in &run.guests {
            let Some(plan) = guest.plan.as_ref().filter(|_| guest.left_out.is_none()) else {
                continue;
            };
            let wave = run.rollout.wave_of(name);
            let is_its_turn = wave <= gate.wave();
            let is_ready =
                progress.is_over_for(plan) && self.orders.len() - begun < MOST_INSTALLATIONS;
            let is_over = is_ready
                && match self.turn(&gate, name, wave) {
                    Verdict::Begin(before) => {
                        let (orders, is_new) = (self.orders.len(), self.may_begin(name));
                        let is_over = self.install_on(name, guest, &closing, before);
                        if is_new && self.orders.len() > orders {
                            gate.begun(wave);
                        }
                        waiting.others |= is_its_turn && !is_over;
                        is_over
                    }
                    Verdict::Wait(_) if is_its_turn && closing.gets_nothing(guest) => true,
                    Verdict::Wait(wait) => {
                        if is_its_turn {
                            waiting.note(name, wait);
                        }
                        self.only_give_up(Task::Install(name.clone()))
                    }
                };
            waiting.others |= is_its_turn && !is_ready;
            all &= is_over;
            wave_is_over &= is_over || !is_its_turn;
        }
        self.leave_out(&gate, &waiting);
        if wave_is_over {
            self.end_wave(&gate);
        }
        all
    }

    /// Whether something may be done for a guest. What goes on for it does so whatever the time is, but
    /// what turns out not to be begun is not begun outside of its window. What has begun is brought to
    /// its end at any time.
    fn turn(&self, gate: &Gate<'_>, name: &GuestName, wave: usize) -> Verdict {
        if self.may_begin(name) {
            return gate.verdict(name, wave);
        }
        if self.run.is_begun_on(name) {
            return Verdict::Begin(None);
        }
        Verdict::Begin(match gate.turn(name, wave) {
            Turn::Any => None,
            Turn::Before(closes) => Some(closes),
            Turn::From(_) | Turn::Never => Some(self.now),
        })
    }

    /// Whether nothing goes on for a guest, and nothing has come of it.
    fn may_begin(&self, name: &GuestName) -> bool {
        let state = self.run.tasks.get(&Task::Install(name.clone()));
        state.is_none_or(|state| {
            state.outcome.is_none() && !rollout::is_under_way(self.run, name, state)
        })
    }

    fn install_on(
        &mut self,
        name: &GuestName,
        guest: &Guest,
        closing: &Closing<'_>,
        begin_before: Option<Timestamp>,
    ) -> bool {
        let run = self.run;
        // Its set was closed when it was ordered, and is made again only if it is ordered again.
        self.ensure_if(Task::Install(name.clone()), |attempt| {
            let order = installation(run, name, guest, closing, attempt)?;
            Some(Command::InstallPackages(InstallPackages {
                begin_before,
                ..order
            }))
        })
    }

    /// The guests whose turn does not come in this run.
    fn leave_out(&mut self, gate: &Gate<'_>, waiting: &Waiting<'_>) {
        let run = self.run;
        let open = |name: &&GuestName| {
            let guest = run.guests.get(*name);
            guest.is_some_and(|guest| guest.plan.is_some() && guest.left_out.is_none())
                && self.may_begin(name)
        };
        let all = || run.guests.keys().filter(open).cloned().collect();
        let some = |names: &BTreeSet<&GuestName>| names.iter().copied().cloned().collect();
        let (guests, failure): (BTreeSet<GuestName>, Failure) = if gate.is_spent() {
            (all(), budget_spent(gate))
        } else if let Some(target) = &waiting.approval
            && gate.is_given_up()
        {
            (all(), not_approved(target))
        } else if !waiting.windows.is_empty() && gate.is_given_up() {
            (some(&waiting.windows), window_never_came())
        } else if !waiting.others && waiting.windows.is_empty() && waiting.approval.is_none() {
            (some(&waiting.held), guest_held(&waiting.held))
        } else {
            return;
        };
        if !guests.is_empty() {
            let run = run.id;
            let left_out = GuestsLeftOut {
                run,
                guests,
                failure,
            };
            let event = Event::GuestsLeftOut(left_out);
            self.orders.push(Order::Publish(event));
        }
    }

    /// The last wave ends with its run, and so does one after which nobody's turn comes any more.
    fn end_wave(&mut self, gate: &Gate<'_>) {
        let run = self.run;
        let waves = &run.rollout.waves;
        let mut later = run.guests.iter();
        let is_open = later.any(|(name, guest)| {
            run.rollout.wave_of(name) > gate.wave()
                && guest.plan.is_some()
                && guest.left_out.is_none()
        });
        if is_open
            && !gate.is_spent()
            && gate.wave() + 1 < waves.len()
            && let Some(wave) = waves.get(gate.wave())
        {
            let (run, wave) = (run.id, wave.name.clone());
            let ended = Event::WaveEnded(WaveEnded { run, wave });
            self.orders.push(Order::Publish(ended));
        }
    }
}

fn budget_spent(gate: &Gate<'_>) -> Failure {
    let failed: Vec<&str> = gate.failed().iter().map(|name| name.as_str()).collect();
    let message = format!(
        "{} failed ({}), and the rollout allows no more: nothing else is begun. Look at what failed \
         there; when it is mended, `gentoo-updater run` begins with the first wave again",
        counted(failed.len(), "guest"),
        shortened(&failed)
    );
    Failure::new(FailureClass::Permanent, BUDGET_SPENT, message)
}

/// The first few of many names.
fn shortened(names: &[&str]) -> String {
    let (shown, left) = names.split_at(names.len().min(10));
    match left.len() {
        0 => shown.join(", "),
        left => format!("{} and {left} more", shown.join(", ")),
    }
}

fn not_approved(target: &HoldTarget) -> Failure {
    let message = format!(
        "{target} waited for an approval for as long as `rollout.longest_wait_hours` allows; \
         `gentoo-updater run` asks anew, and `gentoo-updater approve {target}` lets it go on"
    );
    Failure::new(FailureClass::Permanent, NOT_APPROVED, message)
}

fn window_never_came() -> Failure {
    let message = "no maintenance window opened for it within `rollout.longest_wait_hours`, or none for \
                   long enough to begin in it; look at its windows with `gentoo-updater config check`, \
                   and run again";
    Failure::new(FailureClass::Permanent, WINDOW_NEVER_CAME, message)
}

fn guest_held(guests: &BTreeSet<&GuestName>) -> Failure {
    // Most of the time it is one.
    let name = match guests.iter().next() {
        Some(name) if guests.len() == 1 => name.as_str(),
        _ => "NAME",
    };
    let message = format!(
        "an operator holds it: `gentoo-updater approve guest {name}` ends that, and the next run \
         updates it; `gentoo-updater hold` says who holds it and why"
    );
    Failure::new(FailureClass::Permanent, GUEST_HELD, message)
}

/// What a guest is to install; none where everything is held back. A guest on which an update has begun
/// that nobody has looked at since gets an order without packages, or with what it wants by now.
fn installation(
    run: &Run,
    name: &GuestName,
    guest: &Guest,
    closing: &Closing<'_>,
    attempt: u32,
) -> Option<InstallPackages> {
    let (scan, plan) = (guest.scan.as_ref()?, guest.plan.as_ref()?);
    if closing.lets_others_go_first(name) && !scan.unsettled {
        return None;
    }
    let (wanted, closed) = (run.wanted(plan), closing.close(scan, plan));
    let packages = closed.install.iter().filter_map(|update| {
        let built = run.built.get(*wanted.get(&update.key.cpv)?)?;
        Some(InstallPackage {
            key: update.key.as_ref().clone(),
            change: update.change,
            binary: built.binary.clone(),
        })
    });
    let packages: Vec<InstallPackage> = packages.collect();
    (!packages.is_empty() || guest.scan.as_ref()?.unsettled).then(|| InstallPackages {
        run: run.id,
        attempt,
        guest: name.clone(),
        platform: guest.platform.clone(),
        packages,
        held: closed.held,
        begin_before: None,
    })
}
