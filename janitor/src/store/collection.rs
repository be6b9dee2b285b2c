//! The collection of a store by itself, when all else of a run is done.

use std::collections::BTreeSet;
use std::sync::Arc;

use gentoo_updater_bus::BusError;
use gentoo_updater_bus::follow::FleetView;
use gentoo_updater_fleet::message::{CollectStore, Deleted, Failure, FailureClass, StoreCollected};
use gentoo_updater_fleet::name::{BuilderName, RunId};
use gentoo_updater_fleet::state::{Fleet, Run};
use gentoo_updater_hosts::Host;
use gentoo_updater_runtime::Context;

use super::catalog::Catalog;
use super::collect::{Decision, Limits, decide};
use super::fleet::{self, Judgement};
use super::machine::{self, Done};
use super::needed::Needed;
use super::past::{Past, Unread};
use super::told::Told;
use super::updates::Counted;

/// Deletes what nobody needs from a store, on one of these builders that can be reached.
///
/// Most of the time nothing can go, whatever guests have besides what the newest updates tell: then no
/// guest is asked.
///
/// # Errors
/// When another run goes on, which may need what nobody needs yet, or the store cannot be read or
/// written. Everything that the index names is there all the same.
pub(crate) async fn collect(
    context: &Context,
    builders: &[BuilderName],
    order: &CollectStore,
) -> Result<StoreCollected, Failure> {
    let settings = &context.settings;
    let (platform, policy) = (&order.platform, &settings.policy);
    let store = settings.platforms.get(platform).map(|it| &it.store);
    let store = store.ok_or_else(|| unserved(order))?;
    let (builder, host) = writer(context, builders, order).await?;
    let view = FleetView::follow(context.bus.clone(), context.stop.clone());
    let view = view.await.map_err(unread)?;
    // Of itself the view is behind what others say just now.
    let permitted = async || {
        let now = FleetView::follow(context.bus.clone(), context.stop.clone());
        alone(&now.await.map_err(unread)?, order)
    };
    permitted().await?;

    let catalog = machine::look(host.as_ref(), store).await?;
    let counted = Counted::of(settings, platform);
    let mut past = Past::of(context.bus.clone(), &view, counted.clone()).ending(order.run);
    let (limits, now) = (Limits::of(policy), seconds(context));
    let told = past.newest().await.map_err(unknown)?;
    if let Some(decision) = without_asking(&catalog, told, &counted, &limits, now) {
        let done = machine::carry_out(host.as_ref(), store, &catalog, &decision, permitted).await?;
        return Ok(collected(
            order,
            builder,
            done,
            &decision,
            &Judgement::default(),
        ));
    }
    // After the look: whatever came since is not in the catalog, and what is in it and was installed
    // since is known.
    let (machines, all) = (&context.machines, BTreeSet::new());
    let judgement = fleet::needs(machines, settings, &all, &mut past);
    let judgement = judgement.await.map_err(unknown)?;
    let decision = decide(&catalog, &judgement.needed, &limits, now);
    let done = match judgement.unknown.is_empty() {
        true => machine::carry_out(host.as_ref(), store, &catalog, &decision, permitted).await?,
        false => Done::default(),
    };
    Ok(collected(order, builder, done, &decision, &judgement))
}

/// What goes whatever guests have: `None` where that depends on them. What somebody needs beyond the
/// newest updates only makes less of it.
pub(super) fn without_asking<'a>(
    catalog: &'a Catalog,
    told: &Told,
    counted: &Counted,
    limits: &Limits,
    now: u64,
) -> Option<Decision<'a>> {
    let mut needed = Needed::default();
    needed.newest_updates(told, counted);
    let decision = decide(catalog, &needed, limits, now);
    decision.removals.is_empty().then_some(decision)
}

/// The first of these builders that is of the platform and can be reached.
async fn writer(
    context: &Context,
    builders: &[BuilderName],
    order: &CollectStore,
) -> Result<(BuilderName, Arc<dyn Host>), Failure> {
    let mut refused = unserved(order);
    for name in builders {
        let settings = context.settings.builders.get(name);
        if settings.is_none_or(|builder| builder.platform != order.platform) {
            continue;
        }
        match context.machines.builder(name).await {
            Ok(host) => return Ok((name.clone(), host)),
            Err(failure) => refused = failure,
        }
    }
    Err(refused)
}

fn unserved(order: &CollectStore) -> Failure {
    let message = format!(
        "the configuration of this janitor has no builder of the platform {}",
        order.platform
    );
    Failure::new(FailureClass::Permanent, "PlatformUnknown", message)
}

fn unread(error: BusError) -> Failure {
    unknown(Unread::History(error))
}

fn unknown(error: Unread) -> Failure {
    let (class, cause) = match error {
        Unread::History(_) => (FailureClass::Transient, "HistoryUnreadable"),
        Unread::Event { .. } => (FailureClass::Permanent, "EventUnreadable"),
    };
    Failure::new(class, cause, error.to_string())
}

/// No other run goes on, and this one waits for the collection.
fn alone(view: &FleetView, order: &CollectStore) -> Result<(), Failure> {
    view.read(|fleet| hindrance(fleet, order))
        .map_or(Ok(()), |cause| {
            let message = format!("{cause}; the next run collects again");
            Err(Failure::new(FailureClass::Transient, "RunGoesOn", message))
        })
}

/// Why nothing may go, as far as runs are concerned. Runs that are asked for from now on look into no
/// store before this collection is over (`decide/search.rs` of the fleet).
fn hindrance(fleet: &Fleet, order: &CollectStore) -> Option<String> {
    let is_other = |run: &&Run| run.id != order.run && !run.is_scan_only();
    let other: Option<RunId> = fleet.unfinished().filter(is_other).map(|run| run.id).next();
    let work = gentoo_updater_fleet::message::Command::CollectStore(order.clone()).work();
    match other {
        Some(other) => Some(format!(
            "run {other} goes on and may need what nobody needs yet"
        )),
        None if fleet.is_finished(&work) => Some("the run does not wait any more".to_owned()),
        None => None,
    }
}

fn seconds(context: &Context) -> u64 {
    u64::try_from(context.clock.now().as_second()).unwrap_or(0)
}

fn collected(
    order: &CollectStore,
    builder: BuilderName,
    done: Done,
    decision: &Decision<'_>,
    judgement: &Judgement,
) -> StoreCollected {
    for (path, why) in &done.left {
        tracing::warn!(path, why, "a binary that nobody needs is left in the store");
    }
    let is_known = judgement.unknown.is_empty();
    StoreCollected {
        run: order.run,
        platform: order.platform.clone(),
        attempt: order.attempt,
        builder,
        deleted: Deleted {
            binaries: done.binaries,
            files: done.files,
            bytes: done.bytes,
        },
        too_large_by: if is_known { decision.too_large_by } else { 0 },
        by_memory: judgement
            .by_memory
            .iter()
            .map(|(name, _)| name.clone())
            .collect(),
        unknown: judgement.unknown.iter().cloned().collect(),
    }
}
