//! `store status` and `store gc`: what lies in the stores, and what of it nobody needs.

mod document;
mod sources;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use gentoo_updater_bus::Bus;
use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::name::{GuestName, PlatformName};
use gentoo_updater_janitor::distfiles::{self, Retention};
use gentoo_updater_janitor::store::collect::{Limits, decide};
use gentoo_updater_janitor::store::past::Past;
use gentoo_updater_janitor::store::updates::Counted;
use gentoo_updater_janitor::store::{fleet, machine};
use gentoo_updater_runtime::{EXIT_COULD_NOT_RUN, Machines};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::arguments::{GcOptions, StatusOptions};
use super::{places, quiet};
use crate::{WrongUsage, open, output};
use document::{StoreDocument, StoreView};

/// What is to be done with the stores.
struct Wanted {
    platform: Option<PlatformName>,
    without: BTreeSet<GuestName>,
    /// Whether what may go goes.
    collect: bool,
    /// Whether each binary that goes is named.
    each: bool,
    json: bool,
}

/// Shows what lies in the stores.
pub(super) async fn status(settings: Arc<Settings>, options: StatusOptions) -> anyhow::Result<u8> {
    let wanted = Wanted {
        platform: options.platform,
        without: BTreeSet::new(),
        collect: false,
        each: false,
        json: options.json,
    };
    carry_out(settings, wanted).await
}

/// Deletes what nobody needs.
pub(super) async fn gc(settings: Arc<Settings>, options: GcOptions) -> anyhow::Result<u8> {
    let wanted = Wanted {
        platform: options.platform,
        without: options.without.into_iter().collect(),
        collect: !options.dry_run,
        each: true,
        json: options.json,
    };
    carry_out(settings, wanted).await
}

async fn carry_out(settings: Arc<Settings>, wanted: Wanted) -> anyhow::Result<u8> {
    check(&settings, &wanted)?;
    let bus = open::read_only(&settings).await?;
    let document = all(&settings, bus.as_ref(), &wanted).await;
    if let Some(bus) = bus {
        bus.close().await;
    }
    if wanted.json {
        output::print_json(&document)?;
    } else {
        let text = document.to_text(&wanted, Timestamp::now());
        output::print(|output| output.write_all(text.as_bytes()))?;
    }
    for (platform, cause) in &document.failed {
        eprintln!("{}", output::harmless(&format!("{platform}: {cause}")));
    }
    let is_stuck = wanted.each && document.platforms.values().any(StoreView::is_stuck);
    Ok(match (document.failed.is_empty(), is_stuck) {
        (false, _) => EXIT_COULD_NOT_RUN,
        (true, true) => crate::EXIT_WITH_FAILURES,
        (true, false) => crate::EXIT_DONE,
    })
}

fn check(settings: &Settings, wanted: &Wanted) -> anyhow::Result<()> {
    places::check(settings, wanted.platform.as_ref())?;
    for guest in &wanted.without {
        let known = settings.guest(guest);
        known.map_err(|error| WrongUsage(error.to_string()))?;
    }
    Ok(())
}

/// Looks into the stores that are wanted. Without a bus there was no run yet.
async fn all(
    settings: &Arc<Settings>,
    bus: Option<&Arc<dyn Bus>>,
    wanted: &Wanted,
) -> StoreDocument {
    let machines = Machines::new(settings.clone());
    let mut document = StoreDocument::default();
    for platform in settings.platforms.keys() {
        if wanted.platform.as_ref().is_none_or(|only| only == platform) {
            // What was done to one store is told whatever becomes of another.
            match one(settings, &machines, bus, platform, wanted).await {
                Ok(view) => drop(document.platforms.insert(platform.clone(), view)),
                Err(error) => drop(
                    document
                        .failed
                        .insert(platform.clone(), format!("{error:#}")),
                ),
            }
        }
    }
    document
}

/// Looks into the store of a platform, and takes out of it what may go where that is wanted.
async fn one(
    settings: &Arc<Settings>,
    machines: &Machines,
    bus: Option<&Arc<dyn Bus>>,
    platform: &PlatformName,
    wanted: &Wanted,
) -> anyhow::Result<StoreView> {
    let store = &settings.platforms[platform].store;
    let policy = &settings.policy;
    let (builder, host) = places::writer(settings, machines, platform).await?;
    let counted = Counted::of(settings, platform);
    let history = match bus {
        Some(bus) => Some((bus, followed(bus, wanted).await?)),
        None => None,
    };
    let known = history.as_ref().map(|(_, view)| view.read(quiet::known));
    let known = known.unwrap_or_default();
    let mut past = match &history {
        Some((bus, view)) => Past::of((*bus).clone(), view, counted),
        None => Past::none(counted),
    };
    let catalog = machine::look(host.as_ref(), store)
        .await
        .map_err(places::said)?;
    // After the look: what a guest has installed since then of what was seen there counts.
    let judgement = fleet::needs(machines, settings, &wanted.without, &mut past).await?;
    let now = u64::try_from(Timestamp::now().as_second()).unwrap_or(0);
    let decision = decide(&catalog, &judgement.needed, &Limits::of(policy), now);
    let mut view = StoreView::of(store, &builder, &catalog, &decision, &judgement);
    if wanted.collect && !view.is_stuck() {
        let words = "was asked for since the guests were asked, and may need what nobody needed then: \
                     wait until it is over, and call this again";
        let permitted = async || quiet::check(settings, Some(&known), words).await;
        let done = machine::carry_out(host.as_ref(), store, &catalog, &decision, permitted).await;
        view.done = Some(done.map_err(places::said)?);
    }
    let retention = Retention {
        days: policy.keep_distfiles_days,
        packages: match &history {
            Some((_, view)) => view.read(distfiles::built_of_late),
            None => BTreeSet::new(),
        },
        delete: wanted.collect && !view.is_stuck(),
    };
    view.sources = sources::of_platform(settings, machines, platform, &retention).await;
    Ok(view)
}

/// The state of the fleet. While a run goes on nothing is deleted: it may need what nobody needs yet.
async fn followed(bus: &Arc<dyn Bus>, wanted: &Wanted) -> anyhow::Result<FleetView> {
    let view = FleetView::follow(bus.clone(), CancellationToken::new()).await?;
    let going_on = view.read(quiet::going_on);
    if wanted.collect
        && let Some(run) = going_on
    {
        anyhow::bail!(
            "run {run} goes on and may need what nobody needs yet: wait until it is over, or look \
             with --dry-run"
        );
    }
    Ok(view)
}
