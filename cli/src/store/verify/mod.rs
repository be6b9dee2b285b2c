//! `store verify` and `store repair`: whether the stores are what they say, and what mends them.

mod document;
mod progress;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Instant;

use gentoo_updater_fleet::config::Settings;
use gentoo_updater_fleet::name::PlatformName;
use gentoo_updater_janitor::store::verify;
use gentoo_updater_runtime::signing::settle;
use gentoo_updater_runtime::{EXIT_COULD_NOT_RUN, Machines};
use jiff::Timestamp;

use super::arguments::{RepairOptions, VerifyOptions};
use super::places;
use crate::output;
use document::{VerifyDocument, VerifyView};
use progress::Reading;

/// What is to be done with the stores.
struct Wanted {
    platform: Option<PlatformName>,
    /// Whether what was found is mended.
    repair: bool,
    json: bool,
}

/// Compares the stores with what they say of themselves.
pub(super) async fn verify(settings: Arc<Settings>, options: VerifyOptions) -> anyhow::Result<u8> {
    let wanted = Wanted {
        platform: options.platform,
        repair: false,
        json: options.json,
    };
    carry_out(settings, wanted).await
}

/// Does that, and mends what it finds.
pub(super) async fn repair(settings: Arc<Settings>, options: RepairOptions) -> anyhow::Result<u8> {
    let wanted = Wanted {
        platform: options.platform,
        repair: !options.dry_run,
        json: options.json,
    };
    carry_out(settings, wanted).await
}

async fn carry_out(settings: Arc<Settings>, wanted: Wanted) -> anyhow::Result<u8> {
    places::check(&settings, wanted.platform.as_ref())?;
    let machines = Machines::new(settings.clone());
    let mut document = VerifyDocument::default();
    for platform in settings.platforms.keys() {
        if wanted.platform.as_ref().is_none_or(|only| only == platform) {
            // What was found in one store is told whatever becomes of another.
            match one(&settings, &machines, platform, &wanted).await {
                Ok(view) => drop(document.platforms.insert(platform.clone(), view)),
                Err(error) => {
                    let cause = format!("{error:#}");
                    document.failed.insert(platform.clone(), cause);
                }
            }
        }
    }
    if wanted.json {
        output::print_json(&document)?;
    } else {
        let text = document.to_text();
        output::print(|output| output.write_all(text.as_bytes()))?;
    }
    for (platform, cause) in &document.failed {
        eprintln!("{}", output::harmless(&format!("{platform}: {cause}")));
    }
    let has_faults = document.platforms.values().any(VerifyView::has_faults);
    Ok(match (document.failed.is_empty(), has_faults) {
        (false, _) => EXIT_COULD_NOT_RUN,
        (true, true) => crate::EXIT_WITH_FAILURES,
        (true, false) => crate::EXIT_DONE,
    })
}

async fn one(
    settings: &Settings,
    machines: &Machines,
    platform: &PlatformName,
    wanted: &Wanted,
) -> anyhow::Result<VerifyView> {
    let store = &settings.platforms[platform].store;
    let (builder, host) = places::writer(settings, machines, platform).await?;
    let now = u64::try_from(Timestamp::now().as_second()).unwrap_or(0);
    let begun = Instant::now();
    let mut reading = Reading::of(platform);
    if wanted.repair {
        // What signing began and did not end is nothing that is spoiled.
        settle(host.as_ref(), store).await.map_err(places::said)?;
    }
    let verified = verify::verify(host.as_ref(), store, now, |so_far| reading.show(so_far)).await;
    reading.end();
    let verified = verified.map_err(places::said)?;
    let mut view = VerifyView::of(store, &builder, &verified, begun.elapsed());
    if wanted.repair && verified.has_faults() {
        let repaired = verify::repair(host.as_ref(), store, &verified).await;
        view.repaired(repaired.map_err(places::said)?, &verified);
    }
    Ok(view)
}
