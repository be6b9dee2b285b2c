//! The way to the bus, for commands that do not run roles.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gentoo_updater_bus::embedded::{Embedded, EmbeddedReader, OpenError};
use gentoo_updater_bus::follow::{FleetView, one_run};
use gentoo_updater_bus::{Bus, Inspect, Speaker, SystemClock};
use gentoo_updater_fleet::config::{Settings, without_passwords};
use gentoo_updater_fleet::inspect::RunName;
use gentoo_updater_fleet::message::{Envelope, Event};
use gentoo_updater_fleet::state::Fleet;
use gentoo_updater_runtime::{Context, connect, host_name, worker_id};
use tokio_util::sync::CancellationToken;

use crate::NotThere;
use crate::queue::health_words;

/// What the broker and a monitoring system show of this program.
pub(crate) const NAME: &str = "gentoo-updater";
/// How long a command waits for the broker.
pub(crate) const BROKER_LIMIT: Duration = Duration::from_secs(60);

/// Where the embedded bus keeps its history.
pub(crate) fn journal(settings: &Settings) -> PathBuf {
    settings.state_directory.join("journal.sqlite")
}

/// A bus, and the way to look into its queues.
pub(crate) struct Opened {
    /// The bus.
    pub(crate) bus: Arc<dyn Bus>,
    /// Looks into it.
    pub(crate) inspect: Arc<dyn Inspect>,
    /// Whether another process works with the journal, and takes what is said here.
    pub(crate) is_beside: bool,
}

/// The bus and its queues, to look at; none where there was no run yet.
pub(crate) async fn to_look(settings: &Arc<Settings>) -> anyhow::Result<Option<Opened>> {
    if settings.broker.is_some() {
        return Ok(Some(broker(settings).await?));
    }
    if !journal(settings).exists() {
        return Ok(None);
    }
    Ok(Some(opened(reader(settings).await?)))
}

/// The bus and its queues, to change something.
///
/// # Errors
/// Without a broker, where another process holds the journal.
pub(crate) async fn to_change(settings: &Arc<Settings>) -> anyhow::Result<Opened> {
    if settings.broker.is_some() {
        return broker(settings).await;
    }
    match Embedded::open_and_keep(journal(settings), settings.history).await {
        Ok(bus) => Ok(opened(bus)),
        Err(OpenError::InUse { path }) => anyhow::bail!(
            "another gentoo-updater works on this fleet and holds {}. Without a broker only that \
             process can change something: interrupt it (Ctrl-C; its run is kept), repeat this \
             command, and go on with `gentoo-updater run`",
            path.display()
        ),
        Err(error) => Err(error.into()),
    }
}

/// The bus, to say something as an operator. Where another process works with the journal, it takes what is
/// said.
pub(crate) async fn to_say(settings: &Arc<Settings>) -> anyhow::Result<Opened> {
    if settings.broker.is_some() {
        return broker(settings).await;
    }
    match Embedded::open_and_keep(journal(settings), settings.history).await {
        Ok(bus) => Ok(opened(bus)),
        Err(OpenError::InUse { path }) => Ok(Opened {
            is_beside: true,
            ..opened(EmbeddedReader::open_to_say(path).await?)
        }),
        Err(error) => Err(error.into()),
    }
}

fn opened<T: Bus + Inspect + 'static>(bus: T) -> Opened {
    let bus = Arc::new(bus);
    Opened {
        bus: bus.clone(),
        inspect: bus,
        is_beside: false,
    }
}

async fn broker(settings: &Settings) -> anyhow::Result<Opened> {
    Ok(opened(
        within_limit(settings, connect(settings, NAME)).await?,
    ))
}

/// The history, to be read only; none where there was no run yet.
pub(crate) async fn read_only(settings: &Arc<Settings>) -> anyhow::Result<Option<Arc<dyn Bus>>> {
    Ok(to_look(settings).await?.map(|opened| opened.bus))
}

/// The state, with the run that is asked for also where it was forgotten.
pub(crate) async fn state_with(opened: &Opened, asked: Option<&RunName>) -> anyhow::Result<Fleet> {
    let view = FleetView::follow(opened.bus.clone(), CancellationToken::new()).await?;
    let mut fleet = view.read(Fleet::clone);
    if let Some(run) = asked.and_then(|name| name.forgotten(&fleet)) {
        let mut old = one_run(opened.bus.as_ref(), run).await?;
        fleet.runs.append(&mut old.runs);
    }
    Ok(fleet)
}

/// That there is no such run.
pub(crate) fn unknown_run(name: &RunName) -> anyhow::Error {
    let message = format!("the history knows no run {name}; see gentoo-updater events");
    NotThere(message).into()
}

/// The broker, with what a run needs.
pub(crate) async fn with_broker(
    settings: Arc<Settings>,
    stop: CancellationToken,
) -> anyhow::Result<Context> {
    within_limit(
        &settings.clone(),
        Context::with_broker(settings, NAME, stop),
    )
    .await
}

/// An operator does not want to wait for a broker without end.
async fn within_limit<T>(
    settings: &Settings,
    opening: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    tokio::time::timeout(BROKER_LIMIT, opening)
        .await
        .map_err(|_| {
            let url = settings.broker.as_ref().map_or("", |it| it.url.as_str());
            anyhow::Error::msg(no_answer(url))
        })?
}

fn no_answer(url: &str) -> String {
    format!(
        "the broker at {} did not answer within {} s; is it up, and is broker.url right?",
        without_passwords(url),
        BROKER_LIMIT.as_secs()
    )
}

/// The journal of another process.
pub(crate) async fn reader(settings: &Settings) -> anyhow::Result<EmbeddedReader> {
    Ok(EmbeddedReader::open(journal(settings)).await?)
}

/// Whether somebody is there to go on with a run: with a broker the workers are, without one the
/// process that holds the journal.
pub(crate) async fn is_worked_on(settings: &Settings) -> bool {
    if settings.broker.is_some() {
        return true;
    }
    match Embedded::open(journal(settings)).await {
        Ok(bus) => {
            bus.close().await;
            false
        }
        Err(_) => true,
    }
}

/// Puts what an operator at this machine says into envelopes.
pub(crate) fn operator() -> anyhow::Result<Speaker> {
    let id = worker_id("operator", &host_name())?;
    Ok(Speaker::new(id, Arc::new(SystemClock)))
}

/// Publishes what an operator says, and waits until it is part of the state. A broker that takes
/// nothing would be tried again without end, and nobody sits before a terminal for that long.
pub(crate) async fn say(
    view: &FleetView,
    opened: &Opened,
    envelope: &Envelope<Event>,
) -> anyhow::Result<()> {
    let said = async {
        opened.bus.publish(envelope).await?;
        view.wait_for_event(envelope.id).await
    };
    match tokio::time::timeout(BROKER_LIMIT, said).await {
        Ok(said) => Ok(said?),
        Err(_) => {
            let health = opened.bus.health().borrow().clone();
            anyhow::bail!(
                "it could not be said within {} s. {}. Whether the broker got it after all shows \
                 `gentoo-updater status`",
                BROKER_LIMIT.as_secs(),
                health_words(&health).trim_end_matches('.')
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_that_does_not_answer_is_named_without_its_password() {
        let words = no_answer("amqps://user:hunter2@mq.example.net:5671/fleet");
        assert!(
            words.contains("amqps://user:***@mq.example.net:5671/fleet"),
            "{words}"
        );
    }
}
