//! What to do next: a pure function of the state.
//!
//! [`decide`] is level-triggered. It looks at the state, not at the event that woke it, and names
//! every command that should be out and is not. Calling it twice names the same things twice;
//! the ids of commands are deterministic, and claims make a repeated command harmless.

mod collect;
mod install;
mod room;
mod round;
mod search;
mod step;
mod watch;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use self::room::{Room, Turn};
use self::step::Step;
use crate::batch::{self, Answer};
use crate::graph::Place;
use crate::liveness::Liveness;
use crate::message::{
    BatchPlanned, BuildPackage, CleanBuilder, Command, Event, Failure, Job, RunFinished,
    RunOutcome, ScanGuest, SyncBuilder, Task, TaskAbandoned, WorkKey,
};
use crate::name::{GuestName, JobId, PlatformName};
use crate::needs::Demands;
use crate::order::Expectations;
use crate::platforms::{self, Standards, Verdict};
use crate::report::{GuestOutcome, guest_outcome};
use crate::state::{Fleet, JobProgress, Progress, Run, TaskState};
use crate::tree;

pub use install::{BUDGET_SPENT, GUEST_HELD, NOT_APPROVED, WINDOW_NEVER_CAME};
pub use step::{NOBODY_SERVES, WINDOW_CLOSED, WORKERS_FELL_SILENT};
pub use watch::{claimed, is_held, observe};

/// How patient the planner is.
#[derive(Debug, Clone)]
pub struct Patience {
    /// How often a task is tried before it is given up. What a builder's machine is to blame for
    /// does not count while another builder could do it.
    pub attempts: u32,
    /// The pause before the second attempt, by the lease clock; it doubles with every further
    /// one, up to an hour.
    pub retry_delay: Duration,
    /// What the operator knows of what builds need.
    pub demands: Demands,
    /// Whether a run deletes in the end what nobody needs from the stores of its guests.
    pub collect_stores: bool,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempts: 3,
            retry_delay: Duration::from_secs(10),
            demands: Demands::default(),
            collect_stores: false,
        }
    }
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    /// Put this command into its queue. It may have been there before and got lost.
    Issue(Command),
    /// Put this command to the dead letters: whoever takes it falls silent.
    Bury(Command, Failure),
    /// Say that this has happened.
    Publish(Event),
}

/// Everything that should be out and is not, but of installations the first few: whoever carries it
/// out asks again until there is nothing. The time that counts is that of `liveness`,
/// which [`observe`] has told what the state is: no clock of a machine that jumps can stop it. `now`, the
/// planner's clock, is for maintenance windows alone, and for how long a wave soaks.
pub fn decide(
    fleet: &Fleet,
    liveness: &Liveness,
    patience: &Patience,
    now: Timestamp,
) -> Vec<Order> {
    decide_without(fleet, liveness, patience, now, &BTreeSet::new())
}

/// The same without what was named before and has to wait with the planner, because an operator has
/// paused whoever would issue or take it: then others get their turn.
pub fn decide_without(
    fleet: &Fleet,
    liveness: &Liveness,
    patience: &Patience,
    now: Timestamp,
    waiting: &BTreeSet<WorkKey>,
) -> Vec<Order> {
    let mut orders = Vec::new();
    let mut room = Room::of(fleet, liveness);
    for run in fleet.unfinished() {
        Decision {
            fleet,
            run,
            liveness,
            patience,
            now,
            waiting,
            room: &mut room,
            orders: &mut orders,
        }
        .decide();
    }
    orders
}

struct Decision<'a, 'f> {
    fleet: &'f Fleet,
    run: &'f Run,
    liveness: &'a Liveness,
    patience: &'a Patience,
    now: Timestamp,
    waiting: &'a BTreeSet<WorkKey>,
    room: &'a mut Room<'f>,
    orders: &'a mut Vec<Order>,
}

impl Decision<'_, '_> {
    fn decide(mut self) {
        // Once there is a batch all of them have answered.
        if self.run.jobs.is_none() && !(self.sync() && self.scan()) {
            return;
        }
        if self.run.is_scan_only() {
            self.finish();
        } else if self.run.jobs.is_none() {
            self.plan();
        } else {
            let progress = self.run.progress();
            let searched = self.search();
            let built = self.build(&progress, &searched);
            let installed = self.install(&progress);
            if built && installed && self.clean() && self.collect() {
                self.finish();
            }
        }
    }

    /// The builders are at one state of the ebuild repositories, as far as they can be, before any
    /// guest is asked: a guest may have its repositories from a builder. True when nobody is left;
    /// a builder that cannot be synced holds nobody up, since no builder compiles other ebuilds
    /// than the guests planned.
    fn sync(&mut self) -> bool {
        let mut all = true;
        for builder in &self.run.sync.builders {
            let run = self.run.id;
            all &= self.ensure(Task::Sync(builder.clone()), |attempt| {
                Command::SyncBuilder(SyncBuilder {
                    run,
                    attempt,
                    builder: builder.clone(),
                })
            });
        }
        all
    }

    /// Every guest is asked. True when all have answered or failed.
    fn scan(&mut self) -> bool {
        let mut all = true;
        for guest in self.run.guests.keys() {
            let (run, force) = (self.run.id, self.run.force);
            let sync = self.run.sync.guests.contains(guest);
            all &= self.ensure(Task::Scan(guest.clone()), |attempt| {
                Command::ScanGuest(ScanGuest {
                    run,
                    attempt,
                    guest: guest.clone(),
                    force,
                    sync,
                })
            });
        }
        all
    }

    /// The answers become one batch, of those guests that can use what the builders make.
    fn plan(&mut self) {
        if platforms::are_awaited(self.fleet, self.liveness, self.run) {
            return;
        }
        let is_alive = |worker: &_| self.liveness.is_alive(worker);
        let standards = Standards::of(self.fleet, self.run, is_alive);
        let is_served = |name| matches!(standards.judge(self.run, name), Verdict::Served(_));
        let answers: Vec<Answer<'_>> = self
            .run
            .guests
            .iter()
            .filter(|(name, _)| is_served(name))
            .filter_map(|(name, guest)| {
                Some(Answer {
                    guest: name,
                    platform: &guest.platform,
                    updates: &guest.scan.as_ref()?.updates,
                })
            })
            .collect();
        let mut batch = batch::merge(&answers, &tree::revisions(self.run));
        standards.complete(self.run, &mut batch);
        for job in &mut batch.jobs {
            job.needs = self.patience.demands.of(&job.key);
        }
        self.orders
            .push(Order::Publish(Event::BatchPlanned(BatchPlanned {
                run: self.run.id,
                batch,
            })));
    }

    /// Of the jobs whose dependencies are built as many are out as builders can work on, the longest
    /// remaining path first; none of a platform whose store is not `searched` yet. True when nothing is
    /// left to build.
    fn build(&mut self, progress: &Progress, searched: &BTreeSet<&PlatformName>) -> bool {
        let Some(jobs) = &self.run.jobs else {
            return false;
        };
        let is_ready = |id: &JobId| progress.get(id) == Some(&JobProgress::Ready);
        for (task, state) in &self.run.tasks {
            if let Task::Build(id) = task
                && state.outcome.is_none()
                && is_under_way(state)
                && is_ready(id)
                && let Some(job) = jobs.get(id)
                && searched.contains(&job.platform)
            {
                self.go_on(job, state);
            }
        }
        for job in self.to_begin(progress, jobs, searched) {
            match self.room.turn(job) {
                Turn::Now => self.ensure_built(job),
                Turn::Later => {}
                Turn::Nowhere => self.wait_for_a_larger_builder(job),
            }
        }
        progress.is_over()
    }

    /// The jobs that can be given out for the first time, the most urgent one first.
    fn to_begin<'j>(
        &self,
        progress: &Progress,
        jobs: &'j BTreeMap<JobId, Job>,
        searched: &BTreeSet<&PlatformName>,
    ) -> Vec<&'j Job> {
        // Most of the time nobody is free.
        let is_there =
            |platform: &PlatformName| searched.contains(platform) && self.room.is_there(platform);
        if !searched.iter().any(|platform| is_there(platform)) {
            return Vec::new();
        }
        let ready = progress.iter().filter(|(_, p)| **p == JobProgress::Ready);
        let mut to_begin: Vec<&Job> = ready
            .filter_map(|(id, _)| jobs.get(id))
            .filter(|job| is_there(&job.platform) && self.is_to_begin(&job.id))
            .collect();
        if to_begin.len() > 1
            && let Some(graph) = self.run.graph()
        {
            let expected = Expectations::new(&self.fleet.durations, jobs);
            // The graph has the jobs in the same order.
            let durations = jobs.values().map(|job| expected.of(job).duration());
            let durations: Vec<Duration> = durations.collect();
            let duration = |place: Place| durations.get(place).copied().unwrap_or_default();
            let paths = graph.remaining_paths(duration);
            let path = |job: &Job| paths.get(graph.place(&job.id)?);
            to_begin.sort_by_cached_key(|job| (Reverse(path(job)), &job.id));
        }
        to_begin
    }

    /// What was given out before is given out again whether or not there is room, but for what needs
    /// much and has failed: in the queue it would stand in the way of builders that are too small.
    fn go_on(&mut self, job: &Job, state: &TaskState) {
        let newest = state.newest();
        let has_failed = newest.is_some_and(|(_, attempt)| attempt.failure.is_some());
        if !has_failed || self.room.needs(job).is_none() || self.room.is_anywhere_now(job) {
            self.ensure_built(job);
        } else if !self.room.is_anywhere(job) {
            self.wait_for_a_larger_builder(job);
        }
    }

    /// No builder that takes work has what a build needs. It waits for one as long as work without a
    /// worker does.
    fn wait_for_a_larger_builder(&mut self, job: &Job) {
        let work = watch::last_attempt(self.run, job);
        if self.liveness.is_given_up(&work) {
            let failure = self.room.nobody_has(job);
            self.abandon(work, failure);
        }
    }

    fn ensure_built(&mut self, job: &Job) {
        let run = self.run;
        let needs = self.room.needs(job);
        self.ensure(Task::Build(job.id.clone()), |attempt| {
            Command::BuildPackage(BuildPackage {
                run: run.id,
                attempt,
                job: job.clone(),
                dependencies: run.dependencies(&job.id),
                needs,
            })
        });
    }

    /// Whether a job was never given out.
    fn is_to_begin(&self, job: &JobId) -> bool {
        let state = self.run.tasks.get(&Task::Build(job.clone()));
        state.is_none_or(|state| state.outcome.is_none() && !is_under_way(state))
    }

    /// Every builder that worked for the run is cleaned. True when all are.
    fn clean(&mut self) -> bool {
        let mut all = true;
        for builder in self.run.builders() {
            let run = self.run.id;
            all &= self.ensure(Task::Clean(builder.clone()), |attempt| {
                Command::CleanBuilder(CleanBuilder {
                    run,
                    attempt,
                    builder: builder.clone(),
                })
            });
        }
        all
    }

    /// The run is over. What guests want beyond it is asked for before that is said, so that
    /// whoever sees the end sees the further round, too.
    fn finish(&mut self) {
        let further = round::further(self.fleet, self.run);
        let goes_on = |name: &GuestName| {
            further
                .as_ref()
                .is_some_and(|f| f.guests.contains_key(name))
        };
        let is_well = |name: &GuestName| match guest_outcome(self.run, name) {
            GuestOutcome::UpToDate | GuestOutcome::Updated => true,
            _ => goes_on(name),
        };
        let guests_are_well = self.run.guests.keys().all(is_well);
        // Who lacked a binary goes on, or is not well.
        let is_mended = |failure: &Failure| further.is_some() && failure.is_of_stored_binary();
        // What could not be searched for was looked for by whoever was to build it, and what is not
        // collected takes nothing from anybody.
        let is_help = |task: &Task| matches!(task, Task::Search(_) | Task::Collect(_));
        let tasks = self.run.tasks.keys().filter(|task| !is_help(task));
        let mut failures = tasks.filter_map(|task| self.run.failure(task));
        let tasks_are_well = failures.all(is_mended);
        let pending = self.run.is_scan_only();
        let outcome = if tasks_are_well && (guests_are_well || pending) {
            RunOutcome::Complete
        } else {
            RunOutcome::WithFailures
        };
        let is_known = |run| self.fleet.runs.contains_key(&run) || self.fleet.is_over(run);
        if let Some(further) = further
            && !is_known(further.run)
        {
            let requested = Event::RunRequested(further);
            self.orders.push(Order::Publish(requested));
        }
        self.orders
            .push(Order::Publish(Event::RunFinished(RunFinished {
                run: self.run.id,
                outcome,
                retries: self.run.retries,
            })));
    }

    /// Sees to it that a task is under way. True when it is over.
    fn ensure(&mut self, task: Task, command: impl Fn(u32) -> Command) -> bool {
        self.ensure_if(task, |attempt| Some(command(attempt)))
    }

    /// The same of a task that is over where there is nothing to order.
    fn ensure_if(&mut self, task: Task, command: impl Fn(u32) -> Option<Command>) -> bool {
        let Some(state) = self.run.tasks.get(&task) else {
            return self.issue(task, 1, command);
        };
        if state.outcome.is_some() {
            return true;
        }
        let Some((number, attempt)) = state.newest() else {
            let next = state.before_retry.saturating_add(1);
            return self.issue(task, next, command);
        };
        let work = WorkKey {
            run: self.run.id,
            task,
            attempt: number,
        };
        match self.next_step(&work, state, attempt) {
            Step::Wait => false,
            Step::Issue(attempt) => self.issue(work.task, attempt, command),
            Step::Abandon(failure) => self.abandon(work, failure),
            Step::Bury(failure) => {
                let command = command(work.attempt);
                let bury = |command| Order::Bury(command, failure.clone());
                self.orders.extend(command.map(bury));
                self.abandon(work, failure)
            }
        }
    }

    /// Sees to it that a task that may not be begun now is given up where it would be by now. True when
    /// it is over.
    fn only_give_up(&mut self, task: Task) -> bool {
        let state = self.run.tasks.get(&task);
        let Some((state, (number, attempt))) = state.and_then(|s| Some((s, s.newest()?))) else {
            return false;
        };
        if state.outcome.is_some() {
            return true;
        }
        let work = WorkKey {
            run: self.run.id,
            task,
            attempt: number,
        };
        match self.next_step(&work, state, attempt) {
            Step::Abandon(failure) | Step::Bury(failure) => self.abandon(work, failure),
            Step::Wait | Step::Issue(_) => false,
        }
    }

    /// True when there is nothing to order.
    fn issue(
        &mut self,
        task: Task,
        attempt: u32,
        command: impl Fn(u32) -> Option<Command>,
    ) -> bool {
        let run = self.run.id;
        let work = WorkKey { run, task, attempt };
        if self.waiting.contains(&work) {
            return false;
        }
        let command = command(attempt);
        let is_nothing = command.is_none();
        self.orders.extend(command.map(Order::Issue));
        is_nothing
    }

    fn abandon(&mut self, work: WorkKey, failure: Failure) -> bool {
        let abandoned = TaskAbandoned { work, failure };
        let event = Event::TaskAbandoned(abandoned);
        self.orders.push(Order::Publish(event));
        false
    }
}

/// Whether a task was given out. It is given out again without a look at the room: a worker whose
/// machine failed leaves it to others for as long as they hold a claim, and who fell silent loses a
/// claim by the next attempt alone.
fn is_under_way(state: &TaskState) -> bool {
    let newest = state.newest();
    newest.is_some_and(|(_, attempt)| {
        attempt.issued.is_some() || attempt.claim.is_some() || attempt.failure.is_some()
    })
}
