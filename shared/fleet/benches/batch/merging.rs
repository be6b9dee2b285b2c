//! Half a million updates become one batch.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;

use gentoo_updater_fleet::batch::{Answer, merge};
use gentoo_updater_fleet::message::Batch;
use gentoo_updater_fleet::name::PlatformName;
use gentoo_updater_portage::build_key::BuildKey;

use crate::fleets::Plans;
use crate::memory;
use crate::table::{Limit, Table, best_of};

const GUESTS: usize = 1000;
const UPDATES: usize = 500;

pub(crate) fn measure(table: &mut Table) -> Result<(), Box<dyn Error>> {
    let plans = Plans::draw(GUESTS, UPDATES, true);
    let platform = platform()?;
    let answers = answers(&plans, &platform);
    let batch = merge(&answers, &BTreeMap::new());
    let keys: BTreeSet<&BuildKey> = batch.jobs.iter().map(|job| job.key.as_ref()).collect();
    let rows = plans.guests.iter().flat_map(|(_, updates)| updates);
    assert!(
        rows.clone().all(|row| keys.contains(row.key.as_ref())),
        "nothing is lost"
    );
    assert_eq!(rows.count(), GUESTS * UPDATES);
    let time = best_of(3, || merge(&answers, &BTreeMap::new())).as_secs_f64();
    table.check(
        "500,000 updates of 1,000 guests into one batch",
        time,
        "s",
        Limit::Below(1.0),
    );
    #[allow(clippy::cast_precision_loss)]
    table.show("  jobs in it", batch.jobs.len() as f64, "");
    #[allow(clippy::cast_precision_loss)]
    let size = serde_json::to_vec(&batch)?.len() as f64 / 1024.0 / 1024.0;
    // What a broker takes (`max_message_size` of RabbitMQ 4.0 and later).
    table.check("  as a message", size, "MiB", Limit::Below(16.0));
    drop(keys);
    drop((batch, answers));
    let apart = Plans::draw(GUESTS, UPDATES, false);
    let answers = self::answers(&apart, &platform);
    let time = best_of(2, || merge(&answers, &BTreeMap::new())).as_secs_f64();
    table.show("  where no two guests share a row in memory", time, "s");
    drop(answers);
    drop(apart);
    table.check(
        "  memory, plans and batch",
        mebibytes("shared")?,
        "MiB",
        Limit::Below(1024.0),
    );
    table.show("  memory, no row shared", mebibytes("apart")?, "MiB");
    Ok(())
}

fn platform() -> Result<PlatformName, Box<dyn Error>> {
    Ok("default".parse()?)
}

fn answers<'a>(plans: &'a Plans, platform: &'a PlatformName) -> Vec<Answer<'a>> {
    let answer = |(guest, updates)| Answer {
        guest,
        platform,
        updates,
    };
    let guests = plans
        .guests
        .iter()
        .map(|(guest, updates)| (guest, updates.as_slice()));
    guests.map(answer).collect()
}

/// Merges once, and prints the most memory that was used.
pub(crate) fn child(how: &str) -> Result<(), Box<dyn Error>> {
    let plans = Plans::draw(GUESTS, UPDATES, how == "shared");
    let platform = platform()?;
    let batch: Batch = merge(&answers(&plans, &platform), &BTreeMap::new());
    assert_eq!(batch.guests.len(), GUESTS, "all guests are in it");
    memory::tell()
}

/// In MiB.
fn mebibytes(how: &str) -> Result<f64, Box<dyn Error>> {
    Ok(memory::of_child(how)? / 1024.0)
}
