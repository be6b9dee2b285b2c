//! Two ways of doing the same, in turns.

use std::error::Error;
use std::time::Instant;

use crate::quantile::quantile;
use crate::table::{Limit, Table};

/// How many turns each of the two has; one more, which warms up, is not counted.
const TURNS: usize = 200;
/// How many messages a turn has.
const MESSAGES: usize = 20;
/// How many messages each of the two needs.
pub(crate) const ALL_MESSAGES: usize = (TURNS + 1) * MESSAGES;
/// The part of the bare loop's speed that the bus is to have.
const PART: f64 = 0.9;

type Done = Result<(), Box<dyn Error>>;

/// Compares the bus with a bare loop, a message at a time.
pub(crate) async fn compare(
    table: &mut Table,
    what: &str,
    mut through_the_bus: impl AsyncFnMut() -> Done,
    mut bare: impl AsyncFnMut() -> Done,
) -> Done {
    let (mut bus_seconds, mut bare_seconds) = (Vec::new(), Vec::new());
    for turn in 0..=TURNS {
        // Whoever is first in a turn changes.
        let (with_bus, without) = if turn % 2 == 0 {
            let with_bus = time(&mut through_the_bus).await?;
            (with_bus, time(&mut bare).await?)
        } else {
            let without = time(&mut bare).await?;
            (time(&mut through_the_bus).await?, without)
        };
        if turn > 0 {
            bus_seconds.extend(with_bus);
            bare_seconds.extend(without);
        }
    }
    let with_bus = 1.0 / quantile(&mut bus_seconds, 0.5);
    let without = 1.0 / quantile(&mut bare_seconds, 0.5);
    table.show(&format!("{what}, bus"), with_bus, "1/s");
    table.show(&format!("{what}, bare lapin"), without, "1/s");
    table.check(
        &format!("{what}, bus / bare"),
        with_bus / without,
        "",
        Limit::AtLeast(PART),
    );
    Ok(())
}

/// What each message of a turn took, in seconds. The first does not count: what it waits for may
/// have come in the turn of the other.
async fn time(work: &mut impl AsyncFnMut() -> Done) -> Result<Vec<f64>, Box<dyn Error>> {
    let mut seconds = Vec::with_capacity(MESSAGES);
    for _ in 0..MESSAGES {
        let start = Instant::now();
        work().await?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds.remove(0);
    Ok(seconds)
}
