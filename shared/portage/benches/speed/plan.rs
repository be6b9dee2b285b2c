//! The plan.

use std::error::Error;

use gentoo_updater_portage::plan;

use crate::input;
use crate::table::{Limit, Table, best_of_each};

/// How many rows there are of each size, in plans that differ.
const ROWS: usize = 10_000;

/// What a plan of 1,000 rows may take, in milliseconds.
const LIMIT: f64 = 2.0;
/// How much longer a row may take in a list of ten times the length. Linear growth is 1.
const GROWTH: f64 = 1.5;

pub(crate) fn measure(table: &mut Table) -> Result<(), Box<dyn Error>> {
    let mut per_row = Vec::new();
    for rows in [10, 100, 1_000, 10_000] {
        let plans = ROWS / rows;
        let seeds = 1..=u64::try_from(plans)?;
        let texts: Vec<String> = seeds.map(|seed| input::plan(rows, seed)).collect();
        for text in &texts {
            let found = plan::parse(text, "", 0)?.rows.len();
            assert_eq!(found, rows, "the plan holds the rows that were written");
        }
        let time = best_of_each(30, &texts, |text| plan::parse(text, "", 0));
        let seconds = time.as_secs_f64() / plans as f64;
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
