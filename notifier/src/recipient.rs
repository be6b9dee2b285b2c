//! One who is told.

use std::time::Duration;

use anyhow::Context as _;
use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_fleet::config::{Notification, Way};
use gentoo_updater_fleet::name::{NotificationName, RunId};
use gentoo_updater_fleet::notice::{Notice, Subject, Told, of_run};
use gentoo_updater_fleet::report::Report;
use gentoo_updater_fleet::state::Fleet;
use gentoo_updater_runtime::Context;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::deliver::deliver;
use crate::document::Document;
use crate::kept::Kept;
use crate::meters;
use crate::render::{Message, Rendering, TemplateError};

/// Events come in bunches: after the first of one it is waited for so long.
const BUNCH: Duration = Duration::from_secs(1);
/// The first pause before another try; each further one is four times as long.
const PAUSE: Duration = Duration::from_secs(2);
/// The longest of them.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// After so long it goes on when this machine could not keep what was told.
const AGAIN: Duration = Duration::from_secs(60);

/// How telling comes to its end.
#[derive(Clone, Default)]
pub(crate) struct Ending {
    /// Nothing more comes that is to be told.
    pub(crate) over: CancellationToken,
    /// What is not told by now is left.
    pub(crate) late: CancellationToken,
}

/// One who is told.
pub(crate) struct Recipient<'a> {
    context: &'a Context,
    view: &'a FleetView,
    kept: &'a Kept,
    name: &'a NotificationName,
    notification: &'a Notification,
    rendering: Rendering,
    told: Told,
    /// What of that is on the disk.
    noted: Told,
    dead_letters: watch::Receiver<u64>,
}

impl<'a> Recipient<'a> {
    /// All of the configuration, but for those of whom it cannot be read what they were told: nobody goes without
    /// a word because of another. Whom nothing was ever told, of that all is as told that is so by now.
    ///
    /// # Errors
    /// When that is so of all of them.
    pub(crate) fn all(
        context: &'a Context,
        view: &'a FleetView,
        kept: &'a Kept,
        dead_letters: &watch::Receiver<u64>,
    ) -> anyhow::Result<Vec<Self>> {
        let (mut all, mut failed) = (Vec::new(), None);
        for (name, notification) in &context.settings.notifications {
            match told(view, kept, name, *dead_letters.borrow()) {
                Ok(told) => all.push(Self {
                    context,
                    view,
                    kept,
                    name,
                    notification,
                    rendering: Rendering::new(name, notification),
                    noted: told.clone(),
                    told,
                    dead_letters: dead_letters.clone(),
                }),
                Err(error) => {
                    tracing::error!(notification = %name, "it is told nothing: {error:#}");
                    failed = Some(error);
                }
            }
        }
        match failed {
            Some(error) if all.is_empty() => Err(error),
            _ => Ok(all),
        }
    }

    /// Tells what is to be told, until all is over; and then what is left, until it is too late. Gives how much is
    /// left then: it is noted as told of none of it, so the next process tells it.
    ///
    /// # Errors
    /// When the bus cannot go on, or in the end what was told cannot be noted.
    pub(crate) async fn tell(mut self, ending: Ending) -> anyhow::Result<usize> {
        tokio::select! {
            biased;
            told = self.tell_all(&ending) => told.map(|()| 0),
            () = ending.late.cancelled() => Ok(self.left()),
        }
    }

    async fn tell_all(&mut self, ending: &Ending) -> anyhow::Result<()> {
        let over = &ending.over;
        loop {
            let is_last = over.is_cancelled();
            let changed = self.view.changed();
            self.dead_letters.mark_unchanged();
            let passed = self.pass(over).await;
            if is_last {
                return passed.with_context(|| format!("notifications.{}", self.name));
            }
            if let Err(error) = passed {
                tracing::error!(
                    notification = %self.name,
                    "it is told nothing for {} s: {error:#}", AGAIN.as_secs()
                );
                tokio::select! {
                    () = over.cancelled() => {}
                    () = sleep(AGAIN) => {}
                }
                continue;
            }
            tokio::select! {
                () = over.cancelled() => continue,
                changed = changed => changed?,
                changed = self.dead_letters.changed() => changed?,
            }
            tokio::select! {
                () = over.cancelled() => {}
                () = sleep(BUNCH) => {}
            }
        }
    }

    /// Tells all that is to be told, one after the other.
    async fn pass(&mut self, over: &CancellationToken) -> anyhow::Result<()> {
        let number = *self.dead_letters.borrow();
        self.told.lower(number);
        self.view.read(|fleet| self.told.forget(fleet));
        if self.told != self.noted {
            self.note()?;
        }
        for run in self.view.read(|fleet| self.told.forgotten(fleet)) {
            self.tell_of_forgotten(run, over).await?;
        }
        for notice in self.view.read(|fleet| self.told.due(fleet, number)) {
            let report = match notice.subject {
                Subject::Run(run) => self.view.read(|fleet| report(fleet, run)),
                _ => None,
            };
            self.tell_one(&notice, report, over).await?;
        }
        Ok(())
    }

    /// Of a run that ended so long ago that the state does not have it, while nobody was there to tell it.
    async fn tell_of_forgotten(
        &mut self,
        run: RunId,
        over: &CancellationToken,
    ) -> anyhow::Result<()> {
        let fleet = self.view.one_run(run).await?;
        match of_run(&fleet, run) {
            Some(notice) => self.tell_one(&notice, report(&fleet, run), over).await,
            None => {
                // A further round, a scan, or one that the history does not have any more.
                self.told.pass_over(run);
                self.note()
            }
        }
    }

    async fn tell_one(
        &mut self,
        notice: &Notice,
        report: Option<Report>,
        over: &CancellationToken,
    ) -> anyhow::Result<()> {
        if notice.is_wanted(&self.notification.on) {
            let found = self.told.find(notice, self.context.clock.now());
            // Before the first try, so that it has its id in every one.
            self.note()?;
            let document = Document::of(notice, self.name, found, report.as_ref())?;
            match self.message(&document) {
                Ok(message) => self.try_to_tell(&message, over).await,
                Err(error) => self.give_up(&document, 0, &error.to_string()),
            }
        }
        self.told.tell(notice);
        self.note()
    }

    /// How much is not told.
    fn left(&self) -> usize {
        let number = *self.dead_letters.borrow();
        self.view.read(|fleet| {
            let due = self.told.due(fleet, number).into_iter();
            let wanted = due.filter(|notice| notice.is_wanted(&self.notification.on));
            wanted.count() + self.told.forgotten(fleet).len()
        })
    }

    fn note(&mut self) -> anyhow::Result<()> {
        self.kept.note(self.name, &self.told)?;
        self.noted = self.told.clone();
        Ok(())
    }

    /// What is said of it: in the words that are built in, where a template fails at last.
    fn message(&self, document: &Document) -> Result<Message, TemplateError> {
        self.rendering.render(document.clone()).or_else(|error| {
            tracing::error!(notification = %self.name, "told in the words that are built in: {error}");
            self.rendering.render_built_in(document.clone(), &error)
        })
    }

    /// Tries until it is told or cannot be.
    async fn try_to_tell(&self, message: &Message, over: &CancellationToken) {
        let (mut tries, mut pause, way) = (0, PAUSE, self.way());
        let (notification, id) = (self.name, message.document.id);
        loop {
            tries += 1;
            let failed = match deliver(self.notification, message).await {
                Ok(answer) => {
                    meters::TRIES.count([way, "delivered"]);
                    tracing::info!(%notification, %id, "told: {answer}");
                    return;
                }
                Err(failed) => failed,
            };
            meters::TRIES.count([way, "failed"]);
            if !failed.again || tries >= self.notification.attempts {
                return self.give_up(&message.document, tries, &failed.cause);
            }
            let next = pause.as_secs();
            tracing::warn!(%notification, %id, tries, "not told: {failed}; tried again in {next} s");
            tokio::select! {
                () = sleep(pause) => pause = (pause * 4).min(LONGEST_PAUSE),
                // There is not much time from now on.
                () = over.cancelled(), if !over.is_cancelled() => pause = PAUSE,
            }
        }
    }

    fn give_up(&self, document: &Document, tries: u32, cause: &str) {
        meters::GIVEN_UP.count([self.way()]);
        // It is as lost where it cannot be kept, and others are not to wait for that.
        let place = match self.kept.keep(self.name, document, tries, cause) {
            Ok(path) => format!(
                "It is kept in {}, and `gentoo-updater notify list` shows it",
                path.display()
            ),
            Err(error) => format!("It is not kept: {error:#}"),
        };
        tracing::error!(
            notification = %self.name, id = %document.id, tries,
            "given up: {}: {cause}. {place}", document.headline
        );
    }

    fn way(&self) -> &'static str {
        match self.notification.way {
            Way::Mail(_) => "mail",
            Way::Webhook(_) => "webhook",
            Way::Command(_) => "command",
        }
    }
}

fn report(fleet: &Fleet, run: RunId) -> Option<Report> {
    let run = fleet.runs.get(&run)?;
    Some(Report::of(fleet, run))
}

/// What was told to one by now.
fn told(
    view: &FleetView,
    kept: &Kept,
    name: &NotificationName,
    dead_letters: u64,
) -> anyhow::Result<Told> {
    if let Some(told) = kept.told(name)? {
        return Ok(told);
    }
    let told = view.read(|fleet| Told::all_of(fleet, dead_letters));
    kept.note(name, &told)?;
    Ok(told)
}
