//! One command from its delivery to its published result.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use gentoo_updater_fleet::message::{
    BuilderMachine, Command, Envelope, Event, Failure, FailureClass, WorkKey, WorkStarted,
};
use gentoo_updater_fleet::name::CommandId;
use gentoo_updater_fleet::needs::Needs;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::claim::{Standing, is_for_another, is_for_larger, standing};
use super::deadly::{Begun, Suspicion};
use super::heartbeat::{Working, WorkingOn};
use super::meters::{self, Measured};
use super::readiness::Verdict;
use super::store::{Found, Store};
use super::{Handler, WorkerError, WorkerSpec};
use crate::clock::Speaker;
use crate::follow::FleetView;
use crate::seam::{Bus, BusError, CommandDelivery};

/// How many finished attempts a worker without a view of the history remembers.
const REMEMBERED: usize = 64;

/// What all jobs of a worker share.
pub(super) struct Worker {
    pub(super) bus: Arc<dyn Bus>,
    pub(super) spec: WorkerSpec,
    pub(super) store: Store,
    pub(super) handler: Arc<dyn Handler>,
    /// Absent where claims are not read back.
    pub(super) view: Option<FleetView>,
    pub(super) stop: CancellationToken,
    /// What is being claimed or worked on: a command that comes twice is dropped.
    pub(super) taken: Arc<WorkingOn>,
    /// What is worked on, as the signs of life tell it.
    pub(super) working_on: Arc<WorkingOn>,
    /// What was finished lately, where no history tells it.
    pub(super) finished: Mutex<VecDeque<WorkKey>>,
    /// What was begun and has not ended.
    pub(super) begun: Begun,
    /// Held by work that is resumed while nothing else of its kind is.
    pub(super) alone: tokio::sync::Mutex<()>,
    /// With what it has registered when it came up.
    pub(super) registered: Option<BuilderMachine>,
}

impl Worker {
    /// A command that came from its queue.
    pub(super) async fn take(
        self: Arc<Self>,
        delivery: CommandDelivery,
    ) -> Result<Verdict, WorkerError> {
        let CommandDelivery {
            queue,
            command,
            settle,
        } = delivery;
        let work = command.message.work();
        let id = command.message.id().map_err(BusError::from)?;
        let Some(_taken) = Working::begin(&self.taken, &work, self.spec.clock.now()) else {
            tracing::debug!(queue, "a command came again; it is worked on");
            settle.ack().await?;
            return Ok(Verdict::Silent);
        };
        if self.was_finished(&work) {
            tracing::debug!(queue, "a command came again; it is finished");
            settle.ack().await?;
            return Ok(Verdict::Silent);
        }
        if self.is_for_another(&command.message, &work, &queue) {
            tracing::info!("left to another worker");
            // Dropped unsettled, it goes back to its queue.
            return Ok(Verdict::Left);
        }
        let claimed = tokio::select! {
           biased;
            claimed = self.claim(id, &command, &work) => claimed?,
            // The claim stays on the disk, and the command goes back to its queue.
            () = self.stop.cancelled() => return Ok(Verdict::Silent),
        };
        meters::claimed(&claimed);
        match claimed {
            Standing::Ours | Standing::Free => {
                settle.ack().await?;
                self.work(id, &command, &work).await
            }
            Standing::Theirs(_) | Standing::Over => {
                tracing::debug!(?claimed, "dropped");
                self.store.remove_claim(id, &command.message).await?;
                settle.ack().await?;
                Ok(Verdict::Silent)
            }
            Standing::UnknownRun => {
                let cause = format!("the history does not know run {}", work.run);
                tracing::warn!(cause, "a command becomes a dead letter");
                self.store.remove_claim(id, &command.message).await?;
                settle.reject(cause).await?;
                Ok(Verdict::Silent)
            }
        }
    }

    /// A claim that was on the disk when the worker came up.
    pub(super) async fn resume(
        self: Arc<Self>,
        found: Found<Command>,
    ) -> Result<Verdict, WorkerError> {
        let Found {
            id,
            message: command,
        } = found;
        let work = command.message.work();
        let Some(_taken) = Working::begin(&self.taken, &work, self.spec.clock.now()) else {
            return Ok(Verdict::Silent);
        };
        let claimed = match self.standing(&work) {
            Standing::Free => tokio::select! {
               biased;
                claimed = self.claim(id, &command, &work) => claimed?,
                () = self.stop.cancelled() => return Ok(Verdict::Silent),
            },
            standing => standing,
        };
        match claimed {
            Standing::Ours | Standing::Free => {
                // It says so while it waits for its turn, too: its lease runs.
                let now = self.spec.clock.now();
                let _working = Working::begin(&self.working_on, &work, now);
                match self.suspect(id).await? {
                    Suspicion::Deadly => self.give_up(id, &command, &work).await,
                    Suspicion::Resume(_alone) => {
                        meters::resumed(&work.task);
                        tracing::info!("work is resumed");
                        self.work(id, &command, &work).await
                    }
                }
            }
            Standing::Theirs(_) | Standing::Over | Standing::UnknownRun => {
                tracing::info!(?claimed, "a claim is void");
                self.store.remove_claim(id, &command.message).await?;
                Ok(Verdict::Silent)
            }
        }
    }

    /// Claims an attempt and reads back who was first. `Free` without a view of the history.
    async fn claim(
        &self,
        id: CommandId,
        command: &Envelope<Command>,
        work: &WorkKey,
    ) -> Result<Standing, WorkerError> {
        match self.standing(work) {
            Standing::Free | Standing::Ours => {}
            decided @ (Standing::Theirs(_) | Standing::Over) => return Ok(decided),
            // The run may be newer than what this worker has read; its own claim is newer still.
            Standing::UnknownRun => {}
        }
        self.store.write_claim(id, command).await?;
        let started = self.say(Event::WorkStarted(WorkStarted {
            work: work.clone(),
            worker: self.spec.id.clone(),
            builder: self.spec.builder.clone(),
        }));
        self.bus.publish(&started).await?;
        if let Some(view) = &self.view {
            view.wait_for_event(started.id).await?;
        }
        Ok(self.standing(work))
    }

    fn standing(&self, work: &WorkKey) -> Standing {
        match &self.view {
            Some(view) => view.read(|fleet| standing(fleet, work, &self.spec.id)),
            None => Standing::Free,
        }
    }

    /// Only who works on one machine of its own leaves attempts to others.
    fn is_for_another(&self, command: &Command, work: &WorkKey, queue: &String) -> bool {
        let (Some(view), Some(_)) = (&self.view, &self.spec.builder) else {
            return false;
        };
        let (me, now) = (&self.spec.id, self.spec.clock.now());
        let needs = match command {
            Command::BuildPackage(build) => build.needs,
            _ => Needs::default(),
        };
        view.read(|fleet| {
            // What is done or claimed nobody is waited for with: the command is dropped.
            standing(fleet, work, me) == Standing::Free
                && (is_for_another(fleet, work, me, queue, now)
                    || is_for_larger(fleet, work, &needs, me, queue, now))
        })
    }

    /// Works and publishes the result.
    async fn work(
        &self,
        id: CommandId,
        command: &Envelope<Command>,
        work: &WorkKey,
    ) -> Result<Verdict, WorkerError> {
        let _working = Working::begin(&self.working_on, work, self.spec.clock.now());
        self.note_begun(id, &command.message).await?;
        tracing::info!("begun");
        let measured = Measured::begin(command, self.spec.clock.now());
        let result = self.say(self.handle(&command.message).await?);
        measured.end(&result.message);
        if let Err(error) = self.store.write_result(id, &result).await {
            // A full disk is no reason to keep the result back: it can still be published.
            tracing::error!(%error, "the result cannot be kept");
        }
        let (handler, speaker) = (self.handler.as_ref(), self.spec.speaker());
        publish_result(&self.bus, &self.store, handler, &speaker, id, &result).await?;
        self.note_ended(id);
        tracing::info!(result = result.message.kind(), "ended");
        self.note_finished(work);
        Ok(match result.message.failure() {
            Some(failure) if self.spec.builder.is_some() && failure.is_of_machine() => {
                Verdict::Unfit(failure.clone())
            }
            _ => Verdict::Fit,
        })
    }

    /// Calls the handler in a task of its own, so that its panic is a failure of this command
    /// and of nothing else.
    async fn handle(&self, command: &Command) -> Result<Event, BusError> {
        let (handler, owned) = (self.handler.clone(), command.clone());
        let task = tokio::spawn(async move { handler.handle(&owned).await }.in_current_span());
        match AbortOnDropHandle::new(task).await {
            Ok(event) => Ok(event),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => {
                    let message = format!("the worker panicked: {}", words_of(panic.as_ref()));
                    tracing::error!(message);
                    let failure = Failure::new(FailureClass::Permanent, "WorkerPanicked", message);
                    Ok(self.handler.failed(command, failure))
                }
                // Nobody aborts the task but a runtime that shuts down.
                Err(_) => Err(BusError::Closed),
            },
        }
    }

    pub(super) fn say(&self, event: Event) -> Envelope<Event> {
        self.spec.speaker().say(event)
    }

    fn was_finished(&self, work: &WorkKey) -> bool {
        self.finished
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(work)
    }

    pub(super) fn note_finished(&self, work: &WorkKey) {
        if self.view.is_none() {
            let mut finished = self.finished.lock().unwrap_or_else(PoisonError::into_inner);
            finished.push_back(work.clone());
            if finished.len() > REMEMBERED {
                finished.pop_front();
            }
        }
    }
}

/// Publishes a result, and forgets the work. A result that the broker refuses would be refused
/// after every restart: the run learns that instead, and this worker goes on.
pub(super) async fn publish_result(
    bus: &Arc<dyn Bus>,
    store: &Store,
    handler: &dyn Handler,
    speaker: &Speaker,
    id: CommandId,
    result: &Envelope<Event>,
) -> Result<(), WorkerError> {
    match bus.publish(result).await {
        Err(BusError::MessageRefused { kind, detail }) => {
            tracing::error!(kind, detail, "a result is refused; its work has failed");
            let message = format!(
                "the broker refuses the result {kind}, probably because it is too large: {detail}; \
                 look at what the machine sends, or raise max_message_size of the broker"
            );
            let failure = Failure::new(FailureClass::Permanent, "AnswerTooLarge", message);
            let claims = store.claims().await?;
            match claims.iter().find(|claim| claim.id == id) {
                Some(claim) => {
                    let failed = handler.failed(&claim.message.message, failure);
                    bus.publish(&speaker.say(failed)).await?;
                }
                // Then its result is in the history already, or the planner tries again.
                None => tracing::warn!(%id, "the command of a refused result is gone"),
            }
        }
        published => published?,
    }
    store.remove(id, &result.message).await
}

fn words_of(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without words")
}
