//! How long a batch takes on so many slots, beside the least that it can take.

use std::error::Error;
use std::time::Duration;

use fastrand::Rng;

use crate::graphs::{self, Batch};
use crate::schedule::{Building, first_in_first_out};
use crate::table::{Limit, Table};

const SLOTS: [u16; 5] = [1, 2, 4, 16, 64];

/// The time that a batch takes, as a part of the least that it can take.
struct Ratios {
    /// The history knows how long each job takes.
    known: f64,
    /// It knows how long a former version of four jobs of five took, half as long to half as long again.
    former: f64,
    /// It knows nothing.
    guessed: f64,
    /// The same slots take what can be built first, first.
    first_in_first_out: f64,
}

pub(crate) fn measure(table: &mut Table) -> Result<(), Box<dyn Error>> {
    println!(
        "{:28}{:>6}{:>8}{:>8}{:>9}{:>8}   (time / max(critical path, work / slots))",
        "", "slots", "known", "former", "guessed", "FIFO"
    );
    let (mut known, mut guessed): (f64, f64) = (0.0, 0.0);
    for batch in graphs::all() {
        for slots in SLOTS {
            let ratios = of(&batch, slots);
            println!(
                "{:28}{slots:>6}{:>8.3}{:>8.3}{:>9.3}{:>8.3}",
                batch.name, ratios.known, ratios.former, ratios.guessed, ratios.first_in_first_out
            );
            known = known.max(ratios.known);
            guessed = guessed.max(ratios.guessed);
        }
    }
    println!();
    table.check(
        "worst order, durations known",
        known,
        "",
        Limit::Below(1.05),
    );
    table.check(
        "worst order, durations guessed",
        guessed,
        "",
        Limit::Below(1.15),
    );
    Ok(())
}

#[allow(clippy::cast_precision_loss)]
fn of(batch: &Batch, slots: u16) -> Ratios {
    let duration = |number: usize| batch.jobs.get(number).map(|job| job.duration);
    let known = Building::new(batch, slots, duration);
    let bound = lower_bound(&known, batch, slots);
    let ratio = |time: u64| time as f64 / bound as f64;
    let first_in_first_out = ratio(first_in_first_out(&known, slots));
    let mut rng = Rng::with_seed(9);
    let mut former = |number| {
        let duration = duration(number)? as f64 * (0.5 + rng.f64());
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        (rng.f64() < 0.8).then_some(duration as u64)
    };
    let formers: Vec<Option<u64>> = (0..batch.jobs.len()).map(&mut former).collect();
    let former = Building::new(batch, slots, |number| {
        formers.get(number).copied().flatten()
    });
    Ratios {
        known: ratio(known.build()),
        former: ratio(former.build()),
        guessed: ratio(Building::new(batch, slots, |_| None).build()),
        first_in_first_out,
    }
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
