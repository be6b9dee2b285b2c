//! The plan.

use std::error::Error;

use gentoo_updater_portage::plan;

use crate::input;
use crate::table::{Limit, Table, best_of};

/// How many rows are read in each of the rounds of one size, so that each size takes the same time.
const ROWS_OF_A_ROUND: usize = 10_000;

/// What a plan of 1,000 rows may take, in milliseconds.
const LIMIT: f64 = 2.0;
/// How much longer a row may take in a list of ten times the length. Linear growth is 1.
const GROWTH: f64 = 1.5;

pub(crate) fn measure(table: &mut Table) -> Result<(), Box<dyn Error>> {
    let mut per_row = Vec::new();
    for rows in [10, 100, 1_000, 10_000] {
        let text = input::plan(rows);
        let found = plan::parse(&text, "", 0)?.rows.len();
        assert_eq!(found, rows, "the plan holds the rows that were written");
        let times = ROWS_OF_A_ROUND / rows;
        let time = best_of(20, || {
            (0..times)
                .map(|_| plan::parse(&text, "", 0))
                .filter(Result::is_ok)
                .count()
        });
        let seconds = time.as_secs_f64() / times as f64;
        per_row.push((rows, seconds / rows as f64));
        if rows == 1_000 {
            table.check(
                "plan of 1,000 rows",
                seconds * 1e3,
                "ms",
                Limit::Below(LIMIT),
            );
        }
    }
    for (rows, seconds) in &per_row {
        table.show(&format!("  a row among {rows}"), seconds * 1e6, "us");
    }
    for pair in per_row.windows(2) {
        if let [(fewer, short), (more, long)] = pair {
            let what = format!("  time of a row among {more} / {fewer}");
            table.check(&what, long / short, "", Limit::Below(GROWTH));
        }
    }
    Ok(())
}
