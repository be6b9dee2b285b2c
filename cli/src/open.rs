//! The way to the history, for commands that do not run roles.

use std::path::PathBuf;
use std::sync::Arc;

use gentoo_updater_bus::Bus;
use gentoo_updater_bus::embedded::EmbeddedReader;
use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::message::{Envelope, Event, Role, WorkerRegistered};
use gentoo_updater_fleet::name::{EventId, RunId};
use gentoo_updater_fleet::state::Fleet;
use gentoo_updater_runtime::{Context, worker_id};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

/// Where the embedded bus keeps its history.
pub(crate) fn journal(settings: &Settings) -> PathBuf {
    settings.state_directory.join("journal.sqlite")
}

/// The history, to be read only.
pub(crate) struct ReadOnly {
    bus: Arc<dyn Bus>,
    end: End,
}

/// How to know where the history ends for now.
enum End {
    /// The journal says so.
    Journal(Arc<EmbeddedReader>),
    /// Behind an event that this process publishes.
    Marker(Box<Context>),
}

/// Opens the history, if there is one.
pub(crate) async fn read_only(settings: &Settings) -> anyhow::Result<Option<ReadOnly>> {
    if settings.broker_url.is_some() {
        let context = Context::with_broker(Arc::new(settings.clone())).await?;
        let bus = context.bus.clone();
        return Ok(Some(ReadOnly { bus, end: End::Marker(Box::new(context)) }));
    }
    if !journal(settings).exists() {
        return Ok(None);
    }
    let reader = Arc::new(reader(settings).await?);
    Ok(Some(ReadOnly { bus: reader.clone(), end: End::Journal(reader) }))
}

/// The journal of another process.
pub(crate) async fn reader(settings: &Settings) -> anyhow::Result<EmbeddedReader> {
    Ok(EmbeddedReader::open(&journal(settings)).await?)
}

impl ReadOnly {
    /// The bus that reads it.
    pub(crate) fn bus(&self) -> &Arc<dyn Bus> {
        &self.bus
    }

    /// The state of the fleet as of now.
    pub(crate) async fn fleet_as_of_now(&self) -> anyhow::Result<Fleet> {
        let view = FleetView::follow(self.bus.clone(), CancellationToken::new()).await?;
        match &self.end {
            End::Journal(reader) => {
                if let Some(end) = reader.end().await? {
                    view.wait_until(|fleet| fleet.offset >= Some(end)).await?;
                }
            }
            End::Marker(context) => catch_up(context, &view).await?,
        }
        let fleet = view.read(Fleet::clone);
        self.close().await;
        Ok(fleet)
    }

    /// The offset of the newest event as of now.
    pub(crate) async fn end(&self) -> anyhow::Result<Option<u64>> {
        match &self.end {
            End::Journal(reader) => Ok(reader.end().await?),
            End::Marker(context) => {
                let view = FleetView::follow(self.bus.clone(), CancellationToken::new()).await?;
                catch_up(context, &view).await?;
                Ok(view.read(|fleet| fleet.offset))
            }
        }
    }

    /// Ends the connection.
    pub(crate) async fn close(&self) {
        self.bus.close().await;
    }
}

/// Waits until the view holds everything that was published before this call. A stream does not
/// say where it ends; an event of one's own does.
pub(crate) async fn catch_up(context: &Context, view: &FleetView) -> anyhow::Result<()> {
    view.wait_for_event(publish_marker(context).await?).await?;
    Ok(())
}

async fn publish_marker(context: &Context) -> anyhow::Result<EventId> {
    let worker = worker_id("operator", "cli")?;
    let event = Event::WorkerRegistered(WorkerRegistered {
        worker: worker.clone(),
        role: Role::Operator,
        queues: Vec::new(),
    });
    let envelope = Envelope::new(worker, Timestamp::now(), event);
    context.bus.publish(&envelope).await?;
    Ok(envelope.id)
}

/// Waits for a run that is not over.
pub(crate) async fn unfinished_run(view: &FleetView) -> anyhow::Result<RunId> {
    view.wait_until(|fleet| fleet.unfinished().next().is_some()).await?;
    view.read(|fleet| fleet.unfinished().map(|run| run.id).last())
        .ok_or_else(|| anyhow::anyhow!("the run that was followed is over"))
}
