//! Work whose worker dies of it, again and again.
//!
//! What a worker has begun is resumed from its disk when it comes up. A command that takes its
//! worker along (memory runs out, a defect aborts the process) would do so at every start for
//! ever, and its lease would be renewed each time.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use gentoo_updater_fleet::message::{Command, Envelope, Failure, FailureClass, WorkKey};
use gentoo_updater_fleet::name::CommandId;
use tokio::sync::MutexGuard;

use super::WorkerError;
use super::job::{Worker, publish_result};
use super::readiness::Verdict;
use crate::topology::queue_for;

/// How often a worker may die over one command.
const MOST_DEATHS: u32 = 3;

/// What a worker has begun. The ids are forgotten when their work ends, or when the worker does
/// in good order.
pub(super) type Begun = std::sync::Mutex<BTreeSet<CommandId>>;

/// What follows from the deaths that a command has seen.
pub(super) enum Suspicion<'a> {
    /// It may be resumed. Whatever has seen two deaths is resumed alone, so that of all that was
    /// under way then only that is blamed which is to blame.
    Resume(Option<MutexGuard<'a, ()>>),
    /// It is to be given up.
    Deadly,
}

impl Worker {
    pub(super) async fn suspect(&self, id: CommandId) -> Result<Suspicion<'_>, WorkerError> {
        let deaths = self.store.times_begun(id).await?;
        if deaths >= MOST_DEATHS {
            return Ok(Suspicion::Deadly);
        }
        let is_last = deaths + 1 >= MOST_DEATHS;
        let alone = match is_last {
            true => Some(self.alone.lock().await),
            false => None,
        };
        Ok(Suspicion::Resume(alone))
    }

    /// Notes on the disk that work begins: only an end in good order takes that back.
    pub(super) async fn note_begun(
        &self,
        id: CommandId,
        command: &Command,
    ) -> Result<(), WorkerError> {
        self.store.note_begun(id, command).await?;
        self.begun
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id);
        Ok(())
    }

    pub(super) fn note_ended(&self, id: CommandId) {
        self.begun
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&id);
    }

    /// Whatever is begun and not ended is not to blame for this end of the worker.
    pub(super) async fn absolve(&self) {
        let begun = std::mem::take(&mut *self.begun.lock().unwrap_or_else(PoisonError::into_inner));
        for id in begun {
            if let Err(error) = self.store.take_back_begun(id).await {
                tracing::error!(%id, %error, "a stop counts as a crash");
            }
        }
    }

    /// Says that a command kills its worker, and puts it to the dead letters.
    pub(super) async fn give_up(
        &self,
        id: CommandId,
        command: &Envelope<Command>,
        work: &WorkKey,
    ) -> Result<Verdict, WorkerError> {
        let message = format!(
            "{} died {MOST_DEATHS} times while it worked on this and does not begin it again; look \
             into its log and that of the kernel (is there too little memory?), then run again",
            self.spec.id
        );
        let failure = Failure::new(FailureClass::Permanent, "KilledItsWorker", message);
        tracing::error!(cause = failure.cause, "given up");
        let queue = queue_for(&command.message);
        let cause = format!("{}: {failure}", failure.cause);
        self.bus.bury(&queue, command, cause).await?;
        let result = self.say(self.handler.failed(&command.message, failure));
        let (handler, speaker) = (self.handler.as_ref(), self.spec.speaker());
        publish_result(&self.bus, &self.store, handler, &speaker, id, &result).await?;
        self.note_finished(work);
        Ok(Verdict::Silent)
    }
}
