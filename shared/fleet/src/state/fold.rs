//! How each event changes the state.

use std::sync::Arc;

use jiff::Timestamp;

use super::run::{Claim, Cleaning, Finished, Guest, Installation, Issued, Run, TaskOutcome};
use super::{Fleet, Pause};
use crate::decide::WINDOW_CLOSED;
use crate::message::{
    CommandIssued, Envelope, Event, Failure, FailureClass, PackageBuilt, PauseTarget, RunFinished,
    RunKind, RunRequested, StoreSearched, Task, WorkKey,
};
use crate::name::{JobId, RunId};

impl Fleet {
    /// Takes one event of the history over.
    ///
    /// An event that was applied before (its offset says so) changes nothing. Neither does one
    /// that comes too late: the first claim of an attempt and the first result of a task stand.
    pub fn apply(&mut self, offset: u64, envelope: &Envelope<Event>) {
        if self.offset.is_some_and(|applied| offset <= applied) {
            return;
        }
        self.offset = Some(offset);
        self.event = Some(envelope.id);
        let at = envelope.at;
        match &envelope.message {
            Event::RunRequested(event) => self.request(event, at),
            Event::CommandIssued(event) => self.issued(event, at),
            Event::WorkStarted(event) => {
                if let Some(run) = self.open(event.work.run) {
                    let task = run.tasks.entry(event.work.task.clone()).or_default();
                    if event.work.attempt <= task.before_retry {
                        return;
                    }
                    let attempt = task.attempts.entry(event.work.attempt).or_default();
                    attempt.claim.get_or_insert(Claim {
                        worker: event.worker.clone(),
                        builder: event.builder.clone(),
                        at,
                    });
                }
            }
            Event::BuilderSynced(event) => {
                let task = Task::Sync(event.builder.clone());
                self.done(event.run, task, event.attempt, at, |run| {
                    let builder = event.builder.clone();
                    run.synced.insert(builder, event.repositories.clone());
                });
            }
            Event::SyncFailed(event) => {
                let task = Task::Sync(event.builder.clone());
                self.failed(event.run, task, event.attempt, &event.failure, at, |_| {});
            }
            Event::GuestScanned(event) => {
                let task = Task::Scan(event.guest.clone());
                self.done(event.run, task, event.attempt, at, |run| {
                    run.keep_answer(event);
                });
            }
            Event::ScanFailed(event) => {
                let task = Task::Scan(event.guest.clone());
                self.failed(event.run, task, event.attempt, &event.failure, at, |_| {});
            }
            Event::BatchPlanned(event) => {
                if let Some(run) = self.open(event.run) {
                    run.plan(event.batch.clone());
                }
                self.foresee(event.run, at);
            }
            Event::StoreSearched(event) => {
                self.searched(event, at);
                self.foresee(event.run, at);
            }
            Event::SearchFailed(event) => {
                let task = Task::Search(event.platform.clone());
                self.failed(event.run, task, event.attempt, &event.failure, at, |_| {});
            }
            Event::PackageBuilt(event) => self.built(event, at),
            Event::BuildFailed(event) => {
                self.note_shortage(event);
                let task = Task::Build(event.job.clone());
                self.failed(event.run, task, event.attempt, &event.failure, at, |_| {});
            }
            Event::GuestUpdated(event) => {
                let task = Task::Install(event.guest.clone());
                let is_first = self.done(event.run, task.clone(), event.attempt, at, |run| {
                    let installation = Installation {
                        begun: true,
                        changes: run.share_changes(&event.changes),
                        held: event.held.clone(),
                        findings: event.findings.clone(),
                        put_back: false,
                    };
                    if let Some(guest) = run.guests.get_mut(&event.guest) {
                        guest.installation = Some(installation);
                    }
                });
                if is_first {
                    self.measure_installation(event.run, &task, event.attempt, at);
                }
            }
            Event::InstallFailed(event) => {
                let task = Task::Install(event.guest.clone());
                let counts =
                    self.failed(event.run, task, event.attempt, &event.failure, at, |run| {
                        let changes = run.share_changes(&event.changes);
                        let Some(guest) = run.guests.get_mut(&event.guest) else {
                            return;
                        };
                        // What an attempt before has begun stays begun, also where this one came to nothing.
                        let before = guest.installation.take();
                        let was_begun = before.as_ref().is_some_and(|before| before.begun);
                        guest.installation = Some(Installation {
                            begun: event.begun || was_begun,
                            changes,
                            held: event.held.clone(),
                            findings: event.findings.clone(),
                            put_back: event
                                .rolled_back
                                .as_ref()
                                .is_some_and(|back| back.failure.is_none()),
                        });
                    });
                if counts {
                    self.suspect(event, at);
                }
            }
            Event::BuilderCleaned(event) => {
                let task = Task::Clean(event.builder.clone());
                self.done(event.run, task, event.attempt, at, |run| {
                    run.cleaned.insert(
                        event.builder.clone(),
                        Cleaning {
                            removed: event.removed.clone(),
                            kept: event.kept.clone(),
                            updated: event.updated.clone(),
                            gone: event.gone.clone(),
                            cruft: event.cruft.clone(),
                        },
                    );
                });
            }
            Event::CleanFailed(event) => {
                let task = Task::Clean(event.builder.clone());
                self.failed(event.run, task, event.attempt, &event.failure, at, |_| {});
            }
            Event::StoreCollected(event) => {
                let task = Task::Collect(event.platform.clone());
                self.done(event.run, task, event.attempt, at, |run| {
                    run.collected.insert(event.platform.clone(), event.clone());
                });
            }
            Event::CollectFailed(event) => {
                let task = Task::Collect(event.platform.clone());
                self.failed(event.run, task, event.attempt, &event.failure, at, |_| {});
            }
            Event::TaskAbandoned(event) => self.abandon(&event.work, &event.failure, at),
            Event::WaveEnded(event) => self.wave_ended(event, at),
            Event::GuestsLeftOut(event) => self.left_out(event, at),
            Event::RunFinished(event) => self.finish(event, at),
            Event::WorkerRegistered(event) => self.register(offset, event, at),
            Event::WorkerPaused(event) => {
                if let Some(worker) = self.workers.get_mut(&event.worker) {
                    let builder = event.builder.clone();
                    worker.paused = event.failure.clone().map(|failure| (builder, failure));
                }
            }
            Event::DurationsLearned(event) => self.learn(event),
            Event::RetryRequested(event) => self.retry(&event.work),
            Event::PauseRequested(event) => {
                let pause = Pause {
                    by: envelope.sender.clone(),
                    since: at,
                    reason: event.reason.clone(),
                };
                // Who is paused again is paused by whoever said so last, and for their reason.
                self.pauses.insert(event.target.clone(), pause);
            }
            Event::ResumeRequested(event) => self.resume(&event.target),
            Event::HoldRequested(event) => self.hold(event, envelope),
            Event::ApprovalGiven(event) => self.approve(&event.target),
            Event::GuestRolledBack(event) => self.put_back(event, at),
            Event::ScheduleAdopted(event) => self.adopt(event),
            Event::OccurrencesMissed(event) => self.missed(event, at),
            // Signs of life are no part of the history.
            Event::WorkerAlive(_) | Event::PlannerAlive(_) => {}
        }
    }

    /// Counts an event of the history that cannot be understood: a newer version of this program
    /// wrote it, perhaps. It changes nothing else.
    pub fn leave_out(&mut self, offset: u64) {
        if self.offset.is_none_or(|applied| offset > applied) {
            self.offset = Some(offset);
            self.event = None;
            self.left_out += 1;
        }
    }

    fn issued(&mut self, event: &CommandIssued, at: Timestamp) {
        let Some(run) = self.open(event.work.run) else {
            return;
        };
        let task = run.tasks.entry(event.work.task.clone()).or_default();
        let attempt = task.attempts.entry(event.work.attempt).or_default();
        let (first, times) = match &attempt.issued {
            Some(before) => (before.first, before.times.saturating_add(1)),
            None => (at, 1),
        };
        attempt.issued = Some(Issued {
            command: event.command,
            queue: event.queue.clone(),
            first,
            last: at,
            times,
        });
    }

    /// What is in the store need not be built. A build that was given out says itself what it found.
    fn searched(&mut self, event: &StoreSearched, at: Timestamp) {
        let task = Task::Search(event.platform.clone());
        self.done(event.run, task, event.attempt, at, |run| {
            let is_to_build = |run: &Run, id: &JobId| {
                let job = run.jobs.as_ref().and_then(|jobs| jobs.get(id));
                job.is_some_and(|job| job.platform == event.platform)
                    && !run.tasks.contains_key(&Task::Build(id.clone()))
            };
            for (id, binary) in &event.held {
                if is_to_build(run, id) {
                    run.built.insert(id.clone(), event.reused(id, binary));
                }
            }
        });
    }

    fn built(&mut self, event: &PackageBuilt, at: Timestamp) {
        let task = Task::Build(event.job.clone());
        let is_first = self.done(event.run, task, event.attempt, at, |run| {
            run.built.insert(event.job.clone(), event.clone());
        });
        if is_first && !event.reused {
            self.compare_build(event);
            let package = event.binary.cpv.category_package.clone();
            self.learnt_from.remove(&package);
            self.durations.insert(package, event.duration_ms);
        }
    }

    fn finish(&mut self, event: &RunFinished, at: Timestamp) {
        let Some(run) = self.open(event.run) else {
            return;
        };
        if event.retries != run.retries {
            return;
        }
        let finished = Finished {
            outcome: event.outcome,
            at,
        };
        run.finished = Some(finished);
        run.told = Default::default();
        self.compare_run(event.run);
        self.note_end(event.run, finished);
        self.forget_hold_of(event.run);
        self.forget_old_runs(event.run);
    }

    /// Who resumes a role resumes each of its workers, too.
    fn resume(&mut self, resumed: &PauseTarget) {
        let workers = &self.workers;
        self.pauses.retain(|target, _| match (resumed, target) {
            (PauseTarget::Role(role), PauseTarget::Worker(worker)) => {
                workers.get(worker).map(|worker| worker.role) != Some(*role)
            }
            _ => target != resumed,
        });
    }

    fn request(&mut self, event: &RunRequested, at: Timestamp) {
        if self.is_decided_otherwise(event) || self.is_over(event.run) || self.is_overtaken(event) {
            return;
        }
        let guests = event.guests.iter().map(|(name, platform)| {
            let platform = platform.clone();
            (
                name.clone(),
                Guest {
                    platform,
                    scan: None,
                    plan: None,
                    unserved: None,
                    left_out: None,
                    installation: None,
                },
            )
        });
        // What was approved for a run is approved for its further rounds.
        let before = event.follows.and_then(|run| self.runs.get(&run));
        let approved = before
            .map(|before| before.approved.clone())
            .unwrap_or_default();
        let run = || Run {
            id: event.run,
            kind: event.kind,
            force: event.force,
            sync: event.sync.clone(),
            requested_at: at,
            more_rounds: event.more_rounds,
            follows: event.follows,
            retries: 0,
            rollout: event.rollout.clone(),
            schedule: event.schedule.clone(),
            ended_waves: Vec::new(),
            approved,
            progressed_at: at,
            guests: guests.collect(),
            synced: Default::default(),
            jobs: None,
            rings: Vec::new(),
            built: Default::default(),
            cleaned: Default::default(),
            collected: Default::default(),
            tasks: Default::default(),
            foreseen: None,
            finished: None,
            told: Default::default(),
            known: Default::default(),
        };
        self.runs
            .entry(event.run)
            .or_insert_with(|| Arc::new(run()));
    }

    /// The run, unless it is unknown or over.
    pub(super) fn open(&mut self, run: RunId) -> Option<&mut Run> {
        let run = self.runs.get_mut(&run);
        run.filter(|run| run.finished.is_none()).map(Arc::make_mut)
    }

    /// True when it is the first result of the task, and stands.
    fn done(
        &mut self,
        run: RunId,
        task: Task,
        attempt: u32,
        at: Timestamp,
        keep: impl FnOnce(&mut Run),
    ) -> bool {
        let Some(run) = self.open(run) else {
            return false;
        };
        let state = run.tasks.entry(task).or_default();
        if state.outcome.is_some() {
            return false;
        }
        state.outcome = Some(TaskOutcome::Done { attempt, at });
        keep(run);
        run.progressed(at);
        run.known.forget_progress();
        true
    }

    /// True when it counts: the task has no result yet.
    fn failed(
        &mut self,
        run: RunId,
        task: Task,
        attempt: u32,
        failure: &Failure,
        at: Timestamp,
        keep: impl FnOnce(&mut Run),
    ) -> bool {
        let Some(run) = self.open(run) else {
            return false;
        };
        // Another builder may well be reached, and the package is not to blame.
        let is_of_builder = matches!(task, Task::Build(_)) && failure.is_of_machine();
        let state = run.tasks.entry(task).or_default();
        if state.outcome.is_some() || attempt <= state.before_retry {
            return false;
        }
        let entry = state.attempts.entry(attempt).or_default();
        entry.failure.get_or_insert((failure.clone(), at));
        if failure.class == FailureClass::Permanent && !is_of_builder {
            state.outcome = Some(TaskOutcome::Failed {
                failure: failure.clone(),
                at,
            });
        }
        keep(run);
        // Who comes too late for a window however often has waited for one all the time.
        if failure.cause != WINDOW_CLOSED {
            run.progressed(at);
        }
        run.known.forget_progress();
        true
    }

    fn abandon(&mut self, work: &WorkKey, failure: &Failure, at: Timestamp) {
        let Some(run) = self.open(work.run) else {
            return;
        };
        let state = run.tasks.entry(work.task.clone()).or_default();
        if state.outcome.is_none() && work.attempt > state.before_retry {
            state.outcome = Some(TaskOutcome::Failed {
                failure: failure.clone(),
                at,
            });
            run.progressed(at);
            run.known.forget_progress();
        }
    }
}

impl Run {
    /// Whether it only shows what is pending.
    pub fn is_scan_only(&self) -> bool {
        self.kind == RunKind::ScanOnly
    }
}
