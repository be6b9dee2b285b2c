//! How long a batch takes on so many slots, beside the least that it can take.

use std::error::Error;
use std::time::Duration;

use fastrand::Rng;

use crate::graphs::{self, Batch};
use crate::schedule::{Building, first_in_first_out};
use crate::table::{Limit, Table};

const SLOTS: [u16; 5] = [1, 2, 4, 16, 64];

pub(crate) fn measure(table: &mut Table) -> Result<(), Box<dyn Error>> {
    for batch in graphs::all() {
        for slots in SLOTS {
            measure_one(table, &batch, slots);
        }
    }
    Ok(())
}

#[allow(clippy::cast_precision_loss)]
fn measure_one(table: &mut Table, batch: &Batch, slots: u16) {
    let all_known = |number: usize| batch.jobs.get(number).map(|job| job.duration);
    let building = Building::new(batch, slots, all_known);
    let bound = lower_bound(&building, batch, slots);
    let fifo = first_in_first_out(&building, slots);
    let ratio = |time: u64| time as f64 / bound as f64;
    let what = format!("{}, {slots} slots", batch.name);
    table.check(
        &format!("{what}: durations known"),
        ratio(building.build()),
        "",
        Limit::Below(1.05),
    );
    let guessed = Building::new(batch, slots, |_| None);
    table.check(
        "  durations guessed",
        ratio(guessed.build()),
        "",
        Limit::Below(1.15),
    );
    // Of most packages an older version was built, and this one takes about as long.
    let mut rng = Rng::with_seed(9);
    let mut former = |number| {
        let duration = all_known(number)? as f64 * (0.5 + rng.f64());
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        (rng.f64() < 0.8).then_some(duration as u64)
    };
    let formers: Vec<Option<u64>> = (0..batch.jobs.len()).map(&mut former).collect();
    let known_in_part = Building::new(batch, slots, |number| {
        formers.get(number).copied().flatten()
    });
    table.show(
        "  four of five from former versions",
        ratio(known_in_part.build()),
        "",
    );
    table.show("  first in, first out", ratio(fifo), "");
}

/// The longest chain, or all work spread over all slots without a gap.
fn lower_bound(building: &Building<'_>, batch: &Batch, slots: u16) -> u64 {
    let (graph, numbers) = building.graph();
    let duration = |place: usize| {
        let job = numbers
            .get(place)
            .and_then(|number| batch.jobs.get(*number));
        Duration::from_millis(job.map_or(0, |job| job.duration))
    };
    let path = graph.remaining_paths(duration).into_iter().max();
    let path = path.map_or(0, |path| {
        u64::try_from(path.as_millis()).unwrap_or(u64::MAX)
    });
    let work: u64 = batch.jobs.iter().map(|job| job.duration).sum();
    path.max(work.div_ceil(u64::from(slots)))
}
